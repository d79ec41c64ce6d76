/** A video's address in this page: `#/watch/{id}`, with `?t=90` to begin there. Pure: tests/web/link.test.mjs runs this module in node. */

import { secondsOf } from '../lib/words.js';

const WATCH = /^#\/watch\/([0-9a-f]{32})(?:\?(.*))?$/;
const UNITS = /^(?:(\d{1,4})h)?(?:(\d{1,5})m)?(?:(\d{1,7}(?:\.\d+)?)s?)?$/;

/** `{id, at}` of an address' hash, or null when it is no video's; `at` is null where it does not say when to begin. */
export function watched(hash) {
  const match = WATCH.exec(hash);
  if (match === null) return null;
  return { id: match[1], at: startOf(new URLSearchParams(match[2] ?? '').get('t') ?? '') };
}

/** "90", "90s", "1m30s" and "1:30" are 90 seconds; null for what is no time. */
export function startOf(text) {
  const parts = UNITS.exec(text);
  if (text === '' || parts === null) return secondsOf(text);
  const [hours, minutes, seconds] = parts.slice(1).map((part) => Number(part ?? 0));
  return hours * 3600 + minutes * 60 + seconds;
}

/** The address of a video on this page's address, to give to others. */
export function linkTo(href, id, at = null) {
  const start = at === null ? '' : `?t=${Math.floor(at)}`;
  return `${href.split('#')[0]}#/watch/${id}${start}`;
}
