import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import test from 'node:test';

import { ApiError, NetworkError, parseProblem, retryAfter, sentenceOf, sleep } from '../../mediaflow/web/static/lib/api.js';
import { recentSpeed, retryDelay } from '../../mediaflow/web/static/upload/patience.js';
import { Source, checksumOf } from '../../mediaflow/web/static/upload/source.js';

// Node 18, which Debian 12 has, does not offer it by itself as browsers do
globalThis.crypto ??= webcrypto;

const failed = (status, code = null, wait = null) => new ApiError(status, { code, detail: 'No.' }, wait);
const still = () => 0;

for (const [name, error, tries, expected] of [
  ['a lost connection is tried again at once', new NetworkError(), 0, 250],
  ['and never later than after two seconds', new NetworkError(), 4, 2000],
  ['for as long as it takes', new NetworkError(), 400, 2000],
  ['a server that fails is tried again soon', failed(500), 0, 500],
  ['and later each time', failed(500), 4, 8000],
  ['but never after more than half a minute', failed(500), 7, 30_000],
  ['and is given up after eight tries', failed(500), 8, null],
  ['a busy server says itself when', failed(503, null, 7), 0, 7000],
  ['a busy server is waited for longer than a broken one', failed(429, null, 1), 12, 1000],
  ['one that another request has is waited for', failed(423, 'upload.locked', 1), 0, 1000],
  ['one that is further than believed is asked', failed(409, 'upload.offset'), 0, 500],
  ['damaged bytes are sent again', failed(460, 'upload.checksum_mismatch'), 0, 500],
  ['but not for ever', failed(460, 'upload.checksum_mismatch'), 8, null],
  ['a refused file is refused for good', failed(422, 'upload.extension'), 0, null],
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

test('the speed is that of the last seconds, and unknown at first', () => {
  assert.equal(recentSpeed([[0, 0]]), null);
  assert.equal(recentSpeed([[0, 0], [100, 50]]), null);
  assert.equal(recentSpeed([[1000, 500], [3000, 2500]]), 1000);
});

test('the checksum is that of tus', async () => {
  const checksum = await checksumOf(new TextEncoder().encode('hello').buffer);
  assert.equal(checksum, 'sha256 LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=');
});

test('a slice comes with its checksum, and the last one says so', async () => {
  const source = new Source(new Blob(['hello', ' world']));
  const first = await source.slice(0, 5);
  assert.deepEqual([await first.value.text(), first.done], ['hello', false]);
  assert.equal(source.checksum, 'sha256 LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=');
  const last = await source.slice(5, 100);
  assert.deepEqual([await last.value.text(), last.done], [' world', true]);
});

test('a file that can no longer be read is said to be one', async () => {
  const gone = { size: 3, slice: () => ({ arrayBuffer: () => Promise.reject(new Error('NotReadableError')) }) };
  await assert.rejects(new Source(gone).slice(0, 3), { code: 'file.unreadable' });
});

test('a wait ends at once when it is called off', async () => {
  const controller = new AbortController();
  const waiting = sleep(60_000, controller.signal);
  controller.abort(new Error('called off'));
  await assert.rejects(waiting, /called off/);
});
