/** What became of an edit when somebody else changed the same asset meanwhile. Pure. */

export const EDITABLE = ['title', 'description', 'tags', 'visibility'];

const NAMES = { title: 'Title', description: 'Description', tags: 'Tags', visibility: 'Visibility' };

function same(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** The members of `values` that are not as in `base`. */
export function changesOf(base, values) {
  return Object.fromEntries(
    EDITABLE.filter((name) => name in values && !same(base[name], values[name])).map((name) => [name, values[name]]),
  );
}

/**
 * What they changed since `base`: `[{field, name, before, after, mine}]`. `mine` is my text where I changed the same field
 * to something else, and null where I did not.
 */
export function conflicts(base, theirs, mine) {
  const my = changesOf(base, mine);
  return Object.entries(changesOf(base, theirs)).map(([field, value]) => ({
    field,
    name: NAMES[field],
    before: inWords(base[field]),
    after: inWords(value),
    mine: field in my && !same(my[field], value) ? inWords(my[field]) : null,
  }));
}

/** Theirs, with my changes on top. */
export function merged(base, theirs, mine) {
  return { ...Object.fromEntries(EDITABLE.map((name) => [name, theirs[name]])), ...changesOf(base, mine) };
}

function inWords(value) {
  const text = Array.isArray(value) ? value.join(', ') : String(value ?? '');
  return text === '' ? 'nothing' : `“${text.length > 80 ? `${text.slice(0, 79)}…` : text}”`;
}
