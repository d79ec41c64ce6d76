import assert from 'node:assert/strict';
import test from 'node:test';

import { tileAt, tilesOf } from '../../mediaflow/web/static/watch/tiles.js';

const TEXT = `WEBVTT

00:00:00.000 --> 00:00:02.000
storyboard-0.jpg#xywh=0,0,160,90

00:00:02.000 --> 01:00:02.500
storyboard-0.jpg#xywh=160,90,160,90
`;

test('a storyboard is read', () => {
  assert.deepEqual(tilesOf(TEXT), [
    { begin: 0, end: 2, sheet: 'storyboard-0.jpg', x: 0, y: 0, width: 160, height: 90 },
    { begin: 2, end: 3602.5, sheet: 'storyboard-0.jpg', x: 160, y: 90, width: 160, height: 90 },
  ]);
  assert.deepEqual(tilesOf(TEXT.replaceAll('\n', '\r\n')), tilesOf(TEXT));
});

test('what is no tile is left out', () => {
  for (const text of ['', 'WEBVTT', '<html>', 'WEBVTT\n\n00:00 --> 00:02\nhello', 'WEBVTT\n\nx --> y\na#xywh=0,0,1,1']) {
    assert.deepEqual(tilesOf(text), [], text);
  }
});

test('a time has the tile that began last', () => {
  const tiles = tilesOf(TEXT);
  for (const [seconds, number] of [[0, 0], [1.99, 0], [2, 1], [9999, 1], [-1, 0]]) {
    assert.equal(tileAt(tiles, seconds), tiles[number], String(seconds));
  }
  assert.equal(tileAt([], 1), null);
});
