import assert from 'node:assert/strict';
import test from 'node:test';

import { awayInWords } from '../../mediaflow/web/static/watch/away.js';
import { linkTo, startOf, watched } from '../../mediaflow/web/static/watch/link.js';
import { levelFor, levelLabel, rungNames } from '../../mediaflow/web/static/watch/quality.js';
import { Retry } from '../../mediaflow/web/static/watch/retry.js';
import { commandOf } from '../../mediaflow/web/static/watch/shortcuts.js';
import { shareOf, sizeInWords, sizesInWords } from '../../mediaflow/web/static/watch/sizewords.js';
import { bufferAhead, rows } from '../../mediaflow/web/static/watch/statistics.js';
import { renewalWait, tokenOf, withToken } from '../../mediaflow/web/static/watch/stream.js';
import { choiceOf, trackFor, trackName } from '../../mediaflow/web/static/watch/tracks.js';

const ID = '0123456789abcdef0123456789abcdef';
const level = (name, width, height) => ({ url: [`http://here/stream/t/${ID}/3/${name}.m3u8`], width, height, bitrate: 2_500_000 });

test('a rung has the name of the ladder, not its height', () => {
  const levels = [level('360p', 640, 266), level('720p', 1280, 534)];
  const renditions = [{ name: '720p', width: 1280, height: 534 }, { name: '360p', width: 640, height: 266 }];
  assert.deepEqual(rungNames(levels, renditions), ['360p', '720p']);
  // who may not see the asset has the playlist's name
  assert.deepEqual(rungNames(levels, []), ['360p', '720p']);
  // a name that is none of a ladder is left to the asset, or to the picture's size
  assert.deepEqual(rungNames([level('v0', 1280, 534)], renditions), ['720p']);
  assert.deepEqual(rungNames([level('v0', 1280, 534)], []), ['534p']);
  assert.deepEqual(rungNames([level('90p', 160, 90), level('1280x360', 1280, 360)], []), ['90p', '1280x360']);
  // the same size in other codecs
  assert.deepEqual(rungNames([level('720p-av1', 1280, 534), level('1280x360-hevc', 1280, 360)], []), ['720p-av1', '1280x360-hevc']);
  assert.deepEqual(rungNames([{ ...level('audio-128k'), bitrate: 128_000 }], []), ['Audio, 128 kbit/s']);
});

test('a rung says its bit rate, the average where it is known', () => {
  assert.equal(levelLabel('720p', level('720p', 1280, 360)), '720p · 2.5 Mbit/s');
  assert.equal(levelLabel('720p', { ...level('720p', 1280, 360), averageBitrate: 900_000 }), '720p · 900 kbit/s');
});

test('the quality of another video is found in this one, or what is next to it', () => {
  const names = ['360p', '480p', '720p'];
  for (const [wanted, expected] of [
    ['auto', -1],
    ['480p', 1],
    ['1080p', 2],
    ['540p', 1],
    ['240p', 0],
    ['nonsense', -1],
    [null, -1],
  ]) {
    assert.equal(levelFor(names, wanted), expected, wanted);
  }
  assert.equal(levelFor(['Audio, 128 kbit/s'], '720p'), -1);
});

test('tracks are named for people', () => {
  assert.equal(trackName({ name: 'Director’s commentary', lang: 'en' }), 'Director’s commentary');
  assert.equal(trackName({ name: 'de', lang: 'de' }), 'German');
  assert.equal(trackName({ name: '', lang: 'pt-BR' }), 'Brazilian Portuguese');
  assert.equal(trackName({}), 'Unnamed');
});

test('a language that was chosen before is found again', () => {
  const tracks = [{ name: 'English', lang: 'en' }, { name: 'Deutsch', lang: 'de-AT' }, { name: 'Music' }];
  assert.equal(trackFor(tracks, { lang: 'de' }), tracks[1]);
  assert.equal(trackFor(tracks, { lang: 'EN' }), tracks[0]);
  assert.equal(trackFor(tracks, { lang: 'fr' }), null);
  assert.equal(trackFor(tracks, { name: 'Music' }), tracks[2]);
  for (const none of [null, 'off', {}]) assert.equal(trackFor(tracks, none), null);
  for (const track of tracks) assert.equal(trackFor(tracks, choiceOf(track)), track);
});

test('an address says which video, and when to begin', () => {
  assert.deepEqual(watched(`#/watch/${ID}`), { id: ID, at: null });
  assert.deepEqual(watched(`#/watch/${ID}?t=90`), { id: ID, at: 90 });
  assert.deepEqual(watched(`#/watch/${ID}?x=1&t=1m30s`), { id: ID, at: 90 });
  assert.deepEqual(watched(`#/watch/${ID}?t=soon`), { id: ID, at: null });
  for (const other of ['', '#/', '#/watch/', `#/watch/${ID}/x`, `#/watch/${ID.toUpperCase()}`]) assert.equal(watched(other), null);
});

test('a beginning is read as people write it', () => {
  for (const [text, seconds] of [
    ['0', 0],
    ['90', 90],
    ['90.5', 90.5],
    ['90s', 90],
    ['1m30s', 90],
    ['1h', 3600],
    ['1:30', 90],
    ['1:00:05', 3605],
    ['', null],
    ['-5', null],
    ['1e3', null],
    ['Infinity', null],
  ]) {
    assert.equal(startOf(text), seconds, text);
  }
});

test('a link to give away holds the video and the whole second', () => {
  const here = `https://media.example/#/watch/${ID}?t=3`;
  assert.equal(linkTo(here, ID), `https://media.example/#/watch/${ID}`);
  assert.equal(linkTo(here, ID, 65.9), `https://media.example/#/watch/${ID}?t=65`);
  assert.equal(watched(new URL(linkTo(here, ID, 65.9)).hash).at, 65);
});

/** A key press with the focus on an element of that name. */
function press(key, on = 'body', more = {}) {
  const target = { localName: on, closest: (names) => (names.split(', ').includes(on) ? target : null) };
  return commandOf({ key, target, repeat: false, ...more });
}

test('keys ask for what is written in the list', () => {
  for (const [key, command] of [
    [' ', ['toggle']],
    ['k', ['toggle']],
    ['K', ['toggle']],
    ['ArrowLeft', ['skip', -5]],
    ['ArrowRight', ['skip', 5]],
    ['m', ['mute']],
    ['f', ['fullscreen']],
    ['c', ['captions']],
    ['i', ['statistics']],
    ['0', ['tenth', 0]],
    ['9', ['tenth', 9]],
    ['>', ['speed', 1]],
    ['?', ['help']],
    ['x', null],
    ['Tab', null],
    ['F5', null],
  ]) {
    assert.deepEqual(press(key), command, key);
  }
});

test('keys that belong to what is in focus are left to it', () => {
  for (const field of ['input', 'select', 'textarea', 'dialog']) assert.equal(press('m', field), null, field);
  for (const pressable of ['button', 'a', 'summary']) {
    assert.equal(press(' ', pressable), null, pressable);
    assert.deepEqual(press('m', pressable), ['mute']);
  }
  assert.equal(press(' ', 'video'), null);
  assert.deepEqual(press('ArrowLeft', 'video'), ['skip', -5]);
  for (const held of ['ctrlKey', 'metaKey', 'altKey', 'defaultPrevented']) assert.equal(press('f', 'body', { [held]: true }), null, held);
});

test('a key that is held down skips on, but switches once', () => {
  assert.deepEqual(press('l', 'body', { repeat: true }), ['skip', 10]);
  assert.equal(press('m', 'body', { repeat: true }), null);
});

test('the buffer is what follows without a gap', () => {
  const ranges = (...pairs) => ({ length: pairs.length, start: (i) => pairs[i][0], end: (i) => pairs[i][1] });
  assert.equal(bufferAhead(ranges([0, 10], [20, 30]), 4), 6);
  assert.equal(bufferAhead(ranges([0, 10], [20, 30]), 21), 9);
  assert.equal(bufferAhead(ranges([0, 10], [20, 30]), 15), 0);
  assert.equal(bufferAhead(ranges(), 0), 0);
});

test('figures are shown as far as they are known', () => {
  const known = {
    picture: { width: 1280, height: 360 },
    element: { width: 640, height: 360 },
    ratio: 2,
    rung: '720p',
    automatic: true,
    bps: 1_600_000,
    ahead: 12.34,
    frames: { dropped: 2, total: 1203 },
    bandwidthBps: 35e6,
    segment: { bytes: 360_000, milliseconds: 76.6, waitMilliseconds: 11.2 },
    codecs: 'avc1.64001f, mp4a.40.2',
    engine: 'hls.js 1',
  };
  assert.deepEqual(rows(known), [
    ['Picture', '1280×360'],
    ['Shown in', '640×360 (at 2.0 pixels per point)'],
    ['Quality', '720p, chosen automatically'],
    ['Bit rate', '1.6 Mbit/s'],
    ['Buffer', '12.3 s ahead'],
    ['Frames dropped', '2 of 1,203'],
    ['Bandwidth', 'about 35 Mbit/s'],
    ['Last segment', '360 kB in 77 ms, first byte after 11 ms'],
    ['Codecs', 'avc1.64001f, mp4a.40.2'],
    ['Player', 'hls.js 1'],
  ]);
  const labels = rows({ ahead: 0, bandwidthBps: Number.NaN, engine: 'the browser’s own' }).map(([label]) => label);
  assert.deepEqual(labels, ['Picture', 'Buffer', 'Player']);
});

test('an address keeps all but its token', () => {
  const url = `http://here/stream/aa-Bb_/${ID}/3/720p/seg-1.m4s?x=/stream/no/`;
  assert.equal(tokenOf(url), 'aa-Bb_');
  assert.equal(withToken(url, 'cc-$&'), url.replace('aa-Bb_', () => 'cc-$&'));
  assert.equal(tokenOf('http://here/static/main.js'), null);
  assert.equal(withToken('http://here/static/main.js', 'cc'), 'http://here/static/main.js');
});

test('a token is renewed in good time, but not all the time', () => {
  for (const [left, wait] of [
    [3_600_000, 3_540_000],
    [100_000, 50_000],
    [20_000, 10_000],
    [2000, 3000],
    [0, null],
    [-5000, null],
    [Number.NaN, null],
    [1e12, 2 ** 31 - 1],
  ]) {
    assert.equal(renewalWait(left), wait, left);
  }
});

test('what fails is tried again, once at a time, less often each time, not for ever', async () => {
  const retry = new Retry([0.01, 0.02]);
  const tries = [];
  const soon = () => new Promise((resolve) => setTimeout(resolve, 60));
  assert.ok(retry.later(() => tries.push('first')));
  assert.ok(retry.later(() => tries.push('asked for at the same time')));
  await soon();
  assert.ok(retry.later(() => tries.push('second')));
  await soon();
  assert.equal(retry.later(() => tries.push('never')), false);
  retry.reset();
  assert.ok(retry.later(() => tries.push('third')));
  await soon();
  assert.ok(retry.later(() => tries.push('stopped')));
  retry.stop();
  await soon();
  assert.deepEqual(tries, ['first', 'second', 'third']);
});

for (const [when, ready, words, share] of [
  ['eager', 15, 'Made in any case · all of it is there', 1],
  ['eager', 1, 'Made in any case · 1 of 15 pieces is there', 1 / 15],
  ['on_demand', 0, 'Made where it is watched · nothing is there yet', 0],
  ['on_demand', 3, 'Made where it is watched · 3 of 15 pieces are there', 0.2],
  ['on_demand', 15, 'Made where it is watched · all of it is there', 1],
]) {
  test(`how much of a size is there: ${words}`, () => {
    const rendition = { name: '720p', when, segments: 15, segments_ready: ready };
    assert.equal(sizeInWords(rendition), words);
    assert.equal(shareOf(rendition), share);
  });
}

test('of what an older version made all is there', () => {
  assert.equal(sizeInWords({ when: 'eager', segments: null, segments_ready: null }), 'Made in any case · all of it is there');
});

test('the sizes in one line', () => {
  const size = (when, ready) => ({ when, segments: 4, segments_ready: ready });
  assert.equal(sizesInWords([size('eager', 4)]), '1 size, all there');
  assert.equal(sizesInWords([size('eager', 4), size('eager', 1)]), '2 sizes, still being made');
  assert.equal(sizesInWords([size('on_demand', 4), size('eager', 4)]), '2 sizes, 1 of them made where it is watched');
});

test('a part that is being made is no trouble of the server', () => {
  const body = (code) => new TextEncoder().encode(JSON.stringify({ status: 503, code })).buffer;
  for (const [status, response, expected] of [
    [0, null, /^Connection lost/],
    [404, null, /^Connection lost/],
    [503, body('stream.not_made'), /being made/],
    [503, '{"code":"stream.not_made"}', /being made/],
    [503, body('service.database_unavailable'), /has trouble/],
    [502, new TextEncoder().encode('<html>').buffer, /has trouble/],
    [500, null, /has trouble/],
  ]) {
    assert.match(awayInWords(status, { response }), expected, `${status}`);
  }
  assert.match(awayInWords(503, undefined), /has trouble/);
});
