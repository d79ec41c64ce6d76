/** When a request that failed is worth another one. */

import { ApiError } from '../lib/api.js';

const MAX_TRIES = 8;
const LONGEST_WAIT_SECONDS = 30;
/** A try costs nothing where there is no network, and the next one may be the one that gets through. */
const LONGEST_WAIT_FOR_NETWORK_SECONDS = 2;
const TRANSIENT = [0, 408, 409, 423, 429, 460, 500, 502, 503, 504];

/** Milliseconds to wait before try number `tries + 1`, or null when trying again can't help. */
export function retryDelay(error, tries, random = Math.random) {
  if (!(error instanceof ApiError) || !TRANSIENT.includes(error.status)) return null;
  if (error.status === 0) return 1000 * Math.min(LONGEST_WAIT_FOR_NETWORK_SECONDS, 0.25 * 2 ** tries);
  // A server that says "later" is alive and will have room; one that fails may not come back.
  if (tries >= ([429, 503].includes(error.status) ? 4 * MAX_TRIES : MAX_TRIES)) return null;
  const seconds = error.retryAfterSeconds ?? Math.min(LONGEST_WAIT_SECONDS, 0.5 * 2 ** tries);
  // Spread, so that several files don't all come back in the same instant.
  return 1000 * seconds * (1 + 0.25 * random());
}

/** Bytes a second over the last few seconds, from [milliseconds, bytes] samples; null until it is known. */
export function recentSpeed(samples) {
  if (samples.length < 2) return null;
  const [firstTime, firstBytes] = samples[0];
  const [lastTime, lastBytes] = samples[samples.length - 1];
  if (lastTime - firstTime < 400) return null;
  return Math.max(0, (1000 * (lastBytes - firstBytes)) / (lastTime - firstTime));
}
