/** What this browser remembers for its viewer. Storage that is full, switched off or damaged is no error: then nothing is remembered. */

const PREFIX = 'mediaflow.';

/** The browser's storage, or null: already looking at it throws where a viewer has blocked it. */
export function browserStorage() {
  try {
    return globalThis.localStorage ?? null;
  } catch {
    return null;
  }
}

/** The remembered value, or `fallback` when there is none that can be read. */
export function recall(name, fallback = null, storage = browserStorage()) {
  try {
    return JSON.parse(storage.getItem(PREFIX + name)) ?? fallback;
  } catch {
    return fallback;
  }
}

/** Remember a value (anything that JSON can hold); null forgets it. */
export function remember(name, value, storage = browserStorage()) {
  try {
    if (value === null) storage.removeItem(PREFIX + name);
    else storage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // It counts for this visit all the same.
  }
}
