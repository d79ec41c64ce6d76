/** What a list shows, as the address says it: `#/?q=beach&tag=summer&page=2`, `#/shared?...`, `#/trash?...`. Pure. */

export const PLACES = { library: '', shared: 'shared', trash: 'trash' };

export const STATES = ['ready', 'processing', 'stored', 'created', 'failed', 'rejected'];

export const VISIBILITIES = { private: 'Private', unlisted: 'Unlisted', public: 'Public' };

export const SORTS = {
  '-created_at': 'Newest first',
  created_at: 'Oldest first',
  '-updated_at': 'Last changed',
  title: 'Title',
  '-size_bytes': 'Largest first',
};

/** Created at most that many days ago. */
export const AGES = { 1: 'Last 24 hours', 7: 'Last 7 days', 30: 'Last 30 days', 365: 'Last year' };

const DAY_MILLISECONDS = 86_400_000;
const LONGEST_SEARCH = 200;

/** Each filter's value when the address does not name it. `page` is none: it is a place in the list. */
export const NO_FILTERS = Object.freeze({ q: '', tag: '', state: '', visibility: '', owner: '', age: '' });

const ALLOWED = { state: STATES, visibility: Object.keys(VISIBILITIES), age: Object.keys(AGES) };

/**
 * The filters of an address, or null when it is not a list's. What no list knows is left out: an address may be old or
 * typed by hand, and a list that shows too much is better than an error.
 */
export function readHash(hash) {
  const [path, search = ''] = hash.replace(/^#?\/?/, '').split('?');
  const place = Object.keys(PLACES).find((name) => PLACES[name] === path);
  if (place === undefined) return null;
  const params = new URLSearchParams(search);
  const filters = { ...NO_FILTERS };
  for (const name of Object.keys(NO_FILTERS)) {
    const value = (params.get(name) ?? '').trim().slice(0, LONGEST_SEARCH);
    if (ALLOWED[name]?.includes(value) ?? true) filters[name] = value;
  }
  const sort = params.get('sort') ?? '';
  const page = Number(params.get('page'));
  return {
    place,
    ...filters,
    sort: Object.hasOwn(SORTS, sort) ? sort : '-created_at',
    page: Number.isInteger(page) && page >= 1 && page <= 1_000_000 ? page : 1,
  };
}

/** The address of a list: the opposite of `readHash`, without what says nothing. */
export function writeHash({ place = 'library', sort, page, ...filters }) {
  const params = new URLSearchParams();
  for (const name of Object.keys(NO_FILTERS)) if (filters[name]) params.set(name, filters[name]);
  if (sort && sort !== '-created_at') params.set('sort', sort);
  if (page > 1) params.set('page', page);
  const search = params.toString();
  return `#/${PLACES[place]}${search ? `?${search}` : ''}`;
}

/** The same list from its first page, with some filters changed. */
export function changed(filters, changes) {
  return { ...filters, page: 1, ...changes };
}

/** The query of `GET /assets` for these filters. */
export function listQuery(filters, pageSize, now = Date.now()) {
  const params = new URLSearchParams({ page: filters.page, page_size: pageSize, sort: filters.sort });
  for (const name of ['q', 'tag', 'state', 'visibility', 'owner']) if (filters[name]) params.set(name, filters[name]);
  // Whole minutes, so that the same list is the same address for a while.
  const minute = Math.floor(now / 60_000) * 60_000;
  if (filters.age) params.set('created_after', new Date(minute - filters.age * DAY_MILLISECONDS).toISOString());
  if (filters.place === 'trash') params.set('deleted', 'true');
  if (filters.place === 'shared') params.set('shared', 'true');
  return params.toString();
}

/** True when something is left out of the list. */
export function isNarrowed(filters) {
  return Object.keys(NO_FILTERS).some((name) => filters[name] !== '');
}

/** The filters without any, in the same place and order. */
export function cleared(filters) {
  return changed(filters, NO_FILTERS);
}
