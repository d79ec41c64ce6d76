import assert from 'node:assert/strict';
import test from 'node:test';

import { Places, isMiddle } from '../../mediaflow/web/static/watch/places.js';
import { recall, remember } from '../../mediaflow/web/static/watch/preferences.js';

/** What a browser's storage does, in memory. */
function storage() {
  const items = new Map();
  return {
    getItem: (name) => items.get(name) ?? null,
    setItem: (name, text) => items.set(name, String(text)),
    removeItem: (name) => items.delete(name),
  };
}

/** As a browser's where the viewer forbids it, or where it is full. */
const broken = {
  getItem() {
    throw new Error('SecurityError');
  },
  setItem() {
    throw new Error('QuotaExceededError');
  },
  removeItem() {
    throw new Error('SecurityError');
  },
};

test('what was remembered is recalled, null forgets it', () => {
  const kept = storage();
  remember('quality', '720p', kept);
  assert.equal(recall('quality', 'auto', kept), '720p');
  remember('quality', null, kept);
  assert.equal(recall('quality', 'auto', kept), 'auto');
});

test('storage that throws, is not there or holds rubbish is as good as empty', () => {
  const rubbish = storage();
  rubbish.setItem('mediaflow.quality', '{"');
  rubbish.setItem('mediaflow.places', '{"no":"list"}');
  for (const bad of [broken, null, rubbish]) {
    assert.equal(recall('quality', 'auto', bad), 'auto');
    remember('else', 1, bad);
    const places = new Places('ann', bad);
    places.note('a', 60, 600);
    assert.ok([null, 60].includes(places.read('a')));
  }
});

test('only the middle of a video is worth to go on from', () => {
  for (const [at, duration, expected] of [
    [9.9, 3600, false],
    [10, 3600, true],
    [3400, 3600, true],
    [3420, 3600, false],
    [84, 100, true],
    [85, 100, false],
    [5, 20, false],
    [60, Number.NaN, false],
    [60, Infinity, false],
  ]) {
    assert.equal(isMiddle(at, duration), expected, `${at} of ${duration}`);
  }
});

test('each viewer has a place of their own in each video', () => {
  const kept = storage();
  const [ann, ben] = [new Places('ann', kept), new Places('ben', kept)];
  ann.note('a', 61.7, 600);
  ann.note('b', 100, 600);
  ben.note('a', 200, 600);
  assert.deepEqual([ann.read('a'), ann.read('b'), ben.read('a'), ben.read('b')], [61, 100, 200, null]);
  ann.note('a', 70, 600);
  assert.equal(new Places('ann', kept).read('a'), 70);
});

test('a place is forgotten at the end, at the beginning, and when one says so', () => {
  const places = new Places('ann', storage());
  for (const leave of [() => places.note('a', 599, 600), () => places.note('a', 3, 600), () => places.forget('a')]) {
    places.note('a', 300, 600);
    assert.equal(places.read('a'), 300);
    leave();
    assert.equal(places.read('a'), null);
  }
});

test('the oldest places make room', () => {
  const kept = storage();
  const places = new Places('ann', kept);
  for (let number = 0; number < 250; number += 1) places.note(`video ${number}`, 60, 600);
  places.note('video 60', 90, 600);
  assert.equal(JSON.parse(kept.getItem('mediaflow.places')).length, 200);
  assert.equal(places.read('video 49'), null);
  assert.equal(places.read('video 249'), 60);
  for (let number = 0; number < 199; number += 1) places.note(`other ${number}`, 60, 600);
  assert.equal(places.read('video 60'), 90, 'it was looked at last');
});
