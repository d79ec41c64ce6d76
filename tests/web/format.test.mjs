import assert from 'node:assert/strict';
import test from 'node:test';

import * as format from '../../mediaflow/web/static/lib/format.js';

const table = (name, call, rows) =>
  test(name, () => {
    for (const [input, expected] of rows) assert.equal(call(...[input].flat()), expected, `${name}(${input})`);
  });

table('sizes are in decimal units', format.bytes, [
  [0, '0 bytes'],
  [999, '999 bytes'],
  [1000, '1 kB'],
  [1_536_000, '1.5 MB'],
  [20 * 1024 ** 3, '21.5 GB'],
  [5e15, '5,000 TB'],
]);

table('progress is never rounded up', format.percent, [
  [0, '0%'],
  [0.29, '29%'],
  [0.999, '99%'],
  [1, '100%'],
  [1.2, '100%'],
  [-1, '0%'],
]);

table('durations read like a clock', format.clock, [
  [0, '0:00'],
  [65.9, '1:05'],
  [3725, '1:02:05'],
]);

table('the time left is about right', format.timeLeft, [
  [2, 'a few seconds left'],
  [41, 'about 40 seconds left'],
  [58, 'about a minute left'],
  [200, 'about 3 minutes left'],
  [7500, 'about 2 h 5 min left'],
  [Infinity, ''],
  [Number.NaN, ''],
]);

test('recent times are relative, older ones are dates', () => {
  const now = Date.parse('2026-03-10T12:00:00Z');
  assert.equal(format.when('2026-03-10T11:59:50Z', now), 'just now');
  assert.equal(format.when('2026-03-10T11:57:00Z', now), '3 minutes ago');
  assert.equal(format.when('2026-03-09T11:00:00Z', now), 'yesterday');
  assert.match(format.when('2026-01-02T11:00:00Z', now), /Jan.* 2026/);
  assert.equal(format.when('no time', now), '');
});

table('levels are named by their short side', format.levelName, [
  [{ width: 1280, height: 720 }, '720p'],
  [{ width: 720, height: 1280 }, '720p'],
  [{ width: 0, height: 0, bitrate: 192_000 }, 'Audio, 192 kbit/s'],
]);

test('a title is never empty', () => {
  assert.equal(format.titleOf({ title: ' ', filename: 'a.mp4' }), 'a.mp4');
  assert.equal(format.titleOf({ title: '' }), 'Untitled');
});

test('a failed asset says what the service said, or at least what to do', () => {
  assert.equal(format.failure({ state: 'rejected', error: { detail: 'It is encrypted.' } }), 'It is encrypted.');
  assert.match(format.failure({ state: 'rejected', error: null }), /another copy/);
  assert.match(format.failure({ state: 'failed', error: null }), /again/);
});

table('progress in words', format.progressSentence, [
  [{ state: 'stored' }, 'In the queue'],
  [{ state: 'processing', progress: 0.42, eta_seconds: 20 }, 'Processing · 42% · about 20 seconds left'],
  [{ state: 'processing', progress: 0.42, eta_seconds: null }, 'Processing · 42%'],
  [{ state: 'ready', progress: 1 }, 'Ready'],
]);
