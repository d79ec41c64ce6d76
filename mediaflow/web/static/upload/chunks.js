/** One chunk over the wire: digest, upload progress, and when a failed try is worth another one. */

import { ApiError, NetworkError, WRITE_HEADERS, parseProblem, retryAfter } from '../lib/api.js';

const STALL_MILLISECONDS = 90_000;
const MAX_TRIES = 8;
const LONGEST_WAIT_SECONDS = 30;
const TRANSIENT = [0, 408, 429, 500, 502, 503, 504];

/** Milliseconds to wait before try number `tries + 1`, or null when trying again can't help. */
export function retryDelay(error, tries, random = Math.random) {
  if (!(error instanceof ApiError)) return null;
  const busy = error.code === 'upload.chunk_busy';
  // Bytes that were damaged on their way are refused by their digest; the next copy is probably whole.
  const damaged = error.status === 422 && /digest/.test(error.code ?? '') && tries < 3;
  if (!(TRANSIENT.includes(error.status) || busy || damaged)) return null;
  // A server that says "later" is alive and will have room; one that fails may not come back.
  const patience = [429, 503].includes(error.status) || busy ? 4 * MAX_TRIES : MAX_TRIES;
  if (tries >= patience) return null;
  const seconds = error.retryAfterSeconds ?? Math.min(LONGEST_WAIT_SECONDS, 0.5 * 2 ** tries);
  // Spread, so that parallel chunks don't all come back in the same instant.
  return 1000 * seconds * (1 + 0.25 * random());
}

/** `Content-Digest` (RFC 9530) of the bytes, or null outside secure contexts, where browsers have no crypto.subtle. */
export async function contentDigest(buffer) {
  if (!globalThis.crypto?.subtle) return null;
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', buffer));
  return `sha-256=:${btoa(String.fromCharCode(...digest))}:`;
}

/** The bytes of a slice. Reading fails when the file was moved, changed or unplugged meanwhile. */
export async function readSlice(blob) {
  try {
    return await blob.arrayBuffer();
  } catch {
    throw new ApiError(-1, {
      code: 'file.unreadable',
      detail: 'The file can no longer be read: it was moved, changed or is no longer connected. Choose it again.',
    });
  }
}

/** PUT one chunk; `onProgress(sentBytes)` as it leaves. fetch() tells nothing of upload progress, so this is an XHR. */
export function putChunk(url, buffer, { digest, signal, onProgress }) {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    let stall;
    const alive = () => {
      clearTimeout(stall);
      stall = setTimeout(() => xhr.abort(), STALL_MILLISECONDS);
    };
    const stop = () => xhr.abort();
    xhr.open('PUT', url);
    for (const [name, value] of Object.entries(WRITE_HEADERS)) xhr.setRequestHeader(name, value);
    xhr.setRequestHeader('Content-Type', 'application/octet-stream');
    if (digest) xhr.setRequestHeader('Content-Digest', digest);
    xhr.upload.onprogress = (event) => {
      alive();
      onProgress(event.loaded);
    };
    xhr.onload = () => {
      if (xhr.status === 200) resolve(parseProblem(xhr.responseText));
      else reject(new ApiError(xhr.status, parseProblem(xhr.responseText), retryAfter(xhr.getResponseHeader('Retry-After'))));
    };
    xhr.onerror = () => reject(new NetworkError());
    xhr.onabort = () => reject(signal.aborted ? signal.reason : new NetworkError('The connection stalled.'));
    xhr.onloadend = () => {
      clearTimeout(stall);
      signal.removeEventListener('abort', stop);
    };
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    signal.addEventListener('abort', stop, { once: true });
    alive();
    xhr.send(buffer);
  });
}
