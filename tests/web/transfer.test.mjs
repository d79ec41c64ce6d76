import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import test from 'node:test';

import { ApiError, NetworkError, parseProblem, retryAfter, sentenceOf, sleep } from '../../mediaflow/web/static/lib/api.js';
import { contentDigest, retryDelay } from '../../mediaflow/web/static/upload/chunks.js';
import { missingIndexes, recentSpeed } from '../../mediaflow/web/static/upload/upload.js';

// Node 18, which Debian 12 has, does not offer it by itself as browsers do
globalThis.crypto ??= webcrypto;

const failed = (status, code = null, wait = null) => new ApiError(status, { code, detail: 'No.' }, wait);
const still = () => 0;

for (const [name, error, tries, expected] of [
  ['a lost connection is tried again soon', new NetworkError(), 0, 500],
  ['and later each time', new NetworkError(), 4, 8000],
  ['but never waits longer than half a minute', new NetworkError(), 7, 30_000],
  ['and is given up after eight tries', new NetworkError(), 8, null],
  ['a busy server says itself when', failed(503, null, 7), 0, 7000],
  ['a busy server is waited for longer than a broken one', failed(429, null, 1), 12, 1000],
  ['a chunk that another request is writing is waited for', failed(409, 'upload.chunk_busy', 1), 0, 1000],
  ['a chunk with other bytes is not sent again', failed(409, 'upload.chunk_differs'), 0, null],
  ['damaged bytes are sent again', failed(422, 'upload.digest_mismatch'), 0, 500],
  ['but not for ever', failed(422, 'upload.digest_mismatch'), 3, null],
  ['a refused chunk is refused for good', failed(422, 'upload.chunk_length'), 0, null],
  ['an unknown upload is gone for good', failed(404, 'upload.not_found'), 0, null],
  ['an unreadable file stays unreadable', failed(-1, 'file.unreadable'), 0, null],
  ['a fault of this page is not hidden', new TypeError('x'), 0, null],
]) {
  test(name, () => assert.equal(retryDelay(error, tries, still), expected));
}

test('an error names each thing that is wrong, once', () => {
  const problem = {
    title: 'Unprocessable',
    detail: 'Two fields are wrong',
    errors: [
      { pointer: '/size_bytes', detail: 'must be at least 1 byte' },
      { pointer: '/size_bytes', detail: 'must be at least 1 byte' },
      { pointer: '/colour', detail: 'Unknown field.' },
      { pointer: null, detail: 'Two fields are wrong' },
    ],
  };
  const words = 'Two fields are wrong. Size bytes must be at least 1 byte. Unknown field.';
  assert.equal(new ApiError(422, problem).sentence, words);
});

test('an answer without a problem document still becomes a sentence', () => {
  assert.equal(new ApiError(502, parseProblem('<html>Bad gateway</html>')).sentence, 'The server answered with status 502.');
  assert.match(sentenceOf(new TypeError('x is not a function')), /x is not a function/);
});

test('Retry-After is seconds or a date', () => {
  assert.equal(retryAfter('7'), 7);
  assert.equal(retryAfter('Tue, 10 Mar 2026 12:00:05 GMT', Date.parse('2026-03-10T12:00:00Z')), 5);
  assert.equal(retryAfter('soon'), null);
  assert.equal(retryAfter(null), null);
});

test('missing ranges are inclusive', () => {
  assert.deepEqual(missingIndexes([[0, 2], [5, 5]]), [0, 1, 2, 5]);
  assert.deepEqual(missingIndexes([]), []);
});

test('the speed is that of the last seconds, and unknown at first', () => {
  assert.equal(recentSpeed([[0, 0]]), null);
  assert.equal(recentSpeed([[0, 0], [100, 50]]), null);
  assert.equal(recentSpeed([[1000, 500], [3000, 2500]]), 1000);
});

test('the digest is that of RFC 9530', async () => {
  const digest = await contentDigest(new TextEncoder().encode('hello').buffer);
  assert.equal(digest, 'sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:');
});

test('a wait ends at once when it is called off', async () => {
  const controller = new AbortController();
  const waiting = sleep(60_000, controller.signal);
  controller.abort(new Error('called off'));
  await assert.rejects(waiting, /called off/);
});
