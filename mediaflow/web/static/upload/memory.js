/** Uploads that this browser began and did not end: where they are, and whose. What tus-js-client keeps in localStorage. */

import '../vendor/tus-js-client/tus.min.js';

import { BASE, WRITE_HEADERS } from '../lib/api.js';
import { me } from '../lib/me.js';

export const { tus } = globalThis;
const HEADERS = { 'Tus-Resumable': '1.0.0', ...WRITE_HEADERS };

/** What the key of an upload begins with, so that nobody sees another's on the same browser. */
function ours() {
  return `mediaflow|${me?.user ?? ''}|`;
}

/** The same for the same file of the same user. */
export async function fingerprint({ name, size, type, lastModified }) {
  return ours() + [name, size, type, lastModified].join('|');
}

/** Entries of this user: `{size, metadata, uploadUrl, urlStorageKey}`. */
export async function remembered() {
  const all = await tus.defaultOptions.urlStorage.findAllUploads();
  return all.filter(({ urlStorageKey, uploadUrl }) => uploadUrl && urlStorageKey.startsWith(`tus::${ours()}`));
}

export function forget({ urlStorageKey }) {
  return tus.defaultOptions.urlStorage.removeUpload(urlStorageKey);
}

/** How many bytes of it are there; null when it is over, or nobody's. Rejects when that can't be told now. */
export async function offsetOf({ uploadUrl, size }) {
  const answer = await fetch(pathOf(uploadUrl), { method: 'HEAD', headers: HEADERS, credentials: 'same-origin', cache: 'no-store' });
  if ([403, 404, 410].includes(answer.status)) return null;
  const offset = Number(answer.headers.get('Upload-Offset') ?? NaN);
  if (!answer.ok || Number.isNaN(offset)) throw new Error(`The server answered with status ${answer.status}.`);
  return offset < size ? offset : null;
}

/** Give it up, with all that is there. */
export async function discard(entry) {
  await tus.Upload.terminate(pathOf(entry.uploadUrl), { headers: WRITE_HEADERS, retryDelays: null });
  await forget(entry);
}

/** On this page's origin: a service behind a tunnel or proxy may know itself by another name. */
export function pathOf(url) {
  return `${BASE}/tus/${url.replace(/\/$/, '').split('/').pop()}`;
}

/**
 * Says to other tabs that an upload goes on in this one, until the function that it gives is called. `null` when it goes on in
 * another one. Without Web Locks (insecure contexts) nobody is asked.
 */
export async function claim(url) {
  if (!navigator.locks) return () => {};
  return new Promise((resolve) => {
    navigator.locks.request(lockOf(url), { ifAvailable: true }, (lock) => {
      if (lock === null) return resolve(null);
      return new Promise((release) => resolve(release));
    });
  });
}

export async function isElsewhere(url) {
  if (!navigator.locks) return false;
  const { held } = await navigator.locks.query();
  return held.some(({ name }) => name === lockOf(url));
}

function lockOf(url) {
  return `mediaflow upload ${pathOf(url)}`;
}
