import { byCode, listsOf, placeInWords, runningInWords } from '../../mediaflow/web/static/jobs/jobwords.js';
import assert from 'node:assert/strict';
import test from 'node:test';

import { withAdded, withNames } from '../../mediaflow/web/static/library/chips.js';
import { changed, cleared, isNarrowed, listQuery, readHash, writeHash } from '../../mediaflow/web/static/library/filters.js';
import { actionInWords, factsOf, healthRows, healthSentence, span, usageInWords } from '../../mediaflow/web/static/admin/healthwords.js';
import { changesOf, conflicts, merged } from '../../mediaflow/web/static/library/merging.js';
import { sorted } from '../../mediaflow/web/static/lib/problems.js';
import { Selection } from '../../mediaflow/web/static/library/selection.js';
import {
  browserInWords, goneWhen, isRestorable, languageName, scopesInWords, secondsOf, timeText, userInWords, videos,
} from '../../mediaflow/web/static/lib/words.js';

// The address and the query

for (const [hash, expected] of [
  ['', { place: 'library', page: 1 }],
  ['#/', { place: 'library', sort: '-created_at' }],
  ['#/?q=a%20b&tag=x%2Cy&page=3', { place: 'library', q: 'a b', tag: 'x,y', page: 3 }],
  ['#/trash?sort=title', { place: 'trash', sort: 'title' }],
  ['#/shared', { place: 'shared' }],
  ['#/?state=ready&visibility=public&age=7', { state: 'ready', visibility: 'public', age: '7' }],
  // what no list knows is left out
  ['#/?state=nonsense&sort=owner&page=-2&age=8', { state: '', sort: '-created_at', page: 1, age: '' }],
  ['#/?page=1e99&sort=constructor', { page: 1, sort: '-created_at' }],
]) {
  test(`the address ${hash || 'of nothing'} is read`, () => {
    const filters = readHash(hash);
    for (const [name, value] of Object.entries(expected)) assert.equal(filters[name], value, name);
  });
}

test('other addresses are not lists', () => {
  for (const hash of ['#/watch/0123', '#/keys', '#/trash/x', '#/constructor']) assert.equal(readHash(hash), null, hash);
});

test('what is written is read again, and says nothing that goes without saying', () => {
  for (const hash of ['#/', '#/trash', '#/shared?q=sea', '#/?q=a%26b%3D%23&tag=%C3%BC&state=failed&sort=title&page=2']) {
    assert.deepEqual(readHash(writeHash(readHash(hash))), readHash(hash));
  }
  assert.equal(writeHash(readHash('#/?page=1&q=&sort=-created_at')), '#/');
});

test('a change of a filter begins at the first page, and clearing keeps place and order', () => {
  const filters = readHash('#/trash?q=sea&sort=title&page=4');
  assert.equal(writeHash(changed(filters, { tag: 'x' })), '#/trash?q=sea&tag=x&sort=title');
  assert.equal(writeHash(cleared(filters)), '#/trash?sort=title');
  assert.equal(isNarrowed(filters), true);
  assert.equal(isNarrowed(cleared(filters)), false);
});

test('the query of the API', () => {
  const now = Date.parse('2026-03-10T12:00:30Z');
  assert.equal(listQuery(readHash('#/'), 24, now), 'page=1&page_size=24&sort=-created_at');
  const params = new URLSearchParams(listQuery(readHash('#/trash?q=a b&tag=c&age=1&page=2'), 24, now));
  assert.deepEqual(Object.fromEntries(params), {
    page: '2', page_size: '24', sort: '-created_at', q: 'a b', tag: 'c', deleted: 'true',
    created_after: '2026-03-09T12:00:00.000Z',
  });
  assert.match(listQuery(readHash('#/shared'), 24), /shared=true/);
});

// Selecting

function selection(...order) {
  const made = new Selection();
  made.keep(order);
  return made;
}

test('shift takes all between the last one and this one, in either direction', () => {
  const chosen = selection('a', 'b', 'c', 'd', 'e');
  chosen.set('d', true);
  chosen.set('b', true, { range: true });
  assert.deepEqual(chosen.ids, ['b', 'c', 'd']);
  chosen.set('c', false);
  chosen.set('e', true, { range: true });
  assert.deepEqual(chosen.ids, ['b', 'c', 'd', 'e']);
  assert.equal(chosen.isAll, false);
  chosen.all();
  assert.equal(chosen.isAll, true);
});

test('shift without a last one takes that one only', () => {
  const chosen = selection('a', 'b', 'c');
  chosen.set('c', true, { range: true });
  assert.deepEqual(chosen.ids, ['c']);
});

test('what left the page is not selected, and each change is told once', () => {
  const chosen = selection('a', 'b', 'c');
  let told = 0;
  chosen.addEventListener('change', () => (told += 1));
  chosen.set('a', true);
  chosen.set('c', true);
  chosen.keep(['a', 'b']);
  assert.deepEqual(chosen.ids, ['a']);
  chosen.keep(['a', 'b', 'c']);
  assert.deepEqual(chosen.ids, ['a']);
  chosen.clear();
  chosen.clear();
  assert.equal(told, 4);
});

// Editing

const base = { id: '1', title: 'A', description: '', tags: ['x'], visibility: 'private' };

test('only what was changed is sent', () => {
  assert.deepEqual(changesOf(base, { ...base }), {});
  assert.deepEqual(changesOf(base, { ...base, title: 'B', tags: ['x'] }), { title: 'B' });
  assert.deepEqual(changesOf(base, { ...base, tags: ['x', 'y'] }), { tags: ['x', 'y'] });
});

test('a conflict tells what they changed, and what of it I changed to something else', () => {
  const theirs = { ...base, title: 'B', tags: [] };
  const mine = { ...base, title: 'C', description: 'mine' };
  assert.deepEqual(conflicts(base, theirs, mine), [
    { field: 'title', name: 'Title', before: '“A”', after: '“B”', mine: '“C”' },
    { field: 'tags', name: 'Tags', before: '“x”', after: 'nothing', mine: null },
  ]);
  assert.deepEqual(conflicts(base, { ...base }, mine), []);
  assert.equal(conflicts(base, theirs, { ...base, title: 'B' })[0].mine, null);
});

test('keeping mine keeps theirs where I changed nothing', () => {
  const theirs = { ...base, title: 'B', visibility: 'public' };
  const mine = { ...base, title: 'C', description: 'mine' };
  assert.deepEqual(merged(base, theirs, mine), { title: 'C', description: 'mine', tags: ['x'], visibility: 'public' });
});

test('errors go to their fields', () => {
  const { byField, rest } = sorted(
    [
      { pointer: '/title', detail: 'must not be empty' },
      { pointer: '/tags/0', detail: 'is too long' },
      { pointer: '/tags/3', detail: 'is too long' },
      { pointer: '/other', detail: 'Is wrong.' },
      { pointer: '', detail: 'all of it' },
    ],
    ['title', 'tags'],
  );
  assert.deepEqual(byField, { title: ['Must not be empty.'], tags: ['Is too long.'] });
  assert.deepEqual(rest, ['Is wrong.', 'All of it.']);
});

test('chips: commas and lines part, spaces and repeats do not count', () => {
  assert.deepEqual(withAdded(['Sea'], ' sun , sea,,\nlong  walk'), ['Sea', 'sun', 'long walk']);
  assert.deepEqual(withAdded(['a'], '  '), ['a']);
  assert.deepEqual(withNames(['Bob'], ' bob\nCN=Ann, OU=x '), ['Bob', 'bob', 'CN=Ann, OU=x']);
});

// Words

const table = (name, call, rows) =>
  test(name, () => {
    for (const [input, expected] of rows) assert.equal(call(input), expected, `${name}(${JSON.stringify(input)})`);
  });

table('counts', videos, [[0, '0 videos'], [1, '1 video'], [1200, '1,200 videos']]);

const now = Date.parse('2026-03-10T12:00:00Z');
table('when what is deleted goes', (purge) => goneWhen({ purge_at: purge }, now), [
  ['2026-04-09T11:59:00Z', 'Gone for ever in 30 days'],
  ['2026-03-11T13:00:00Z', 'Gone for ever in 1 day'],
  ['2026-03-10T14:10:00Z', 'Gone for ever in 2 h'],
  ['2026-03-10T12:20:00Z', 'Gone for ever within an hour'],
  ['2026-03-10T11:59:59Z', 'Being removed for ever'],
  [null, 'In the trash'],
  [undefined, 'In the trash'],
]);

test('what is being removed can’t be restored', () => {
  assert.equal(isRestorable({ purge_at: '2026-03-10T12:00:01Z' }, now), true);
  assert.equal(isRestorable({ purge_at: '2026-03-10T12:00:00Z' }, now), false);
  assert.equal(isRestorable({ purge_at: null }, now), true);
});

table('times are read as people write them', secondsOf, [
  ['1:05', 65], ['65', 65], ['0:00', 0], ['1:02:03.5', 3723.5], [' 2,5 ', 2.5], ['1:5', 65],
  ['', null], ['-1', null], ['1:75', null], ['a', null], ['1:2:3:4', null],
]);
table('and written so', timeText, [[0, '0:00'], [65, '1:05'], [65.54, '1:05.5'], [3723.5, '1:02:03.5'], [59.97, '1:00']]);
table('users are told as people know them', userInWords, [
  ['ann', 'ann'],
  ['~ann', '~ann'],
  ['~issuer.example.3207597b9bf0~ann', 'ann (issuer.example)'],
  ['~issuer.example.3207597b9bf0~auth0=7C5f7c', 'auth0|5f7c (issuer.example)'],
  ['~issuer.example.3207597b9bf0~=C3=A9', 'é (issuer.example)'],
  ['~issuer.example.3207597b9bf0~=C3', '~issuer.example.3207597b9bf0~=C3'],
  [`~issuer.example.3207597b9bf0~=:${'0123456789abcdef'.repeat(4)}`, '01234567… (issuer.example)'],
]);

table('browsers are told by what they say', browserInWords, [
  [null, 'A browser'],
  ['Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', 'Firefox on Linux'],
  ['Mozilla/5.0 (Windows NT 10.0; Win64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0', 'Edge on Windows'],
  ['curl/8.1', 'A browser'],
]);

table('languages have names', languageName, [['de', 'German'], ['pt-BR', 'Brazilian Portuguese'], ['???', '???']]);
table('what a key may', scopesInWords, [
  [{ scopes: ['assets:read', 'uploads:write'], role: 'user' }, 'look, upload'],
  [{ scopes: ['assets:read', 'admin'], role: 'admin' }, 'look, administer (as admin)'],
  [{ scopes: [], role: 'user' }, 'nothing'],
]);

// Health, usage, audit

table('spans of time', span, [[40, '40 s'], [720, '12 min'], [7500, '2 h 5 min'], [273_600, '3 days 4 h']]);

test('health in words', () => {
  const health = {
    state: 'warning', version: '1.2', uptime_seconds: 60,
    dependencies: [{ name: 'database', state: 'ok', latency_ms: 0.42, detail: '' }],
    disks: [{ kind: 'data', state: 'warning', free_bytes: 2e9, total_bytes: 1e11 }],
    memory: { process_bytes: 1e8, available_bytes: null, total_bytes: null },
    work: { workers: 1, running_tasks: 1, pending_tasks: 2, oldest_pending_seconds: 5 },
  };
  assert.deepEqual(healthRows(health), [
    { name: 'Database', state: 'ok', words: 'Works', latency: '0.4 ms', detail: '' },
    { name: 'Disk of the data directory', state: 'warning', words: 'Little room', latency: '', detail: '2 GB free of 100 GB' },
  ]);
  assert.equal(healthSentence(health).tone, 'is-warning');
  const facts = Object.fromEntries(factsOf(health));
  assert.equal(facts.Work, '1 worker is there, 1 task running, 2 tasks waiting, the oldest for 5 s');
  const work = (change) => Object.fromEntries(factsOf({ ...health, work: { ...health.work, pending_tasks: 0, ...change } })).Work;
  assert.equal(work({ workers: 2, running_tasks: 0 }), '2 workers are there, nothing is being done, nothing waits');
  assert.equal(work({ workers: 0, running_tasks: 0 }), 'No worker is there, nothing waits');
  assert.equal('Memory of the machine' in facts, false);
});

test('usage with and without limits', () => {
  const none = { assets: { used: 1, limit: null }, bytes: { used: 1_500_000, limit: null } };
  assert.deepEqual(usageInWords(none), { text: '1 video, 1.5 MB', fraction: null });
  const limits = { assets: { used: 5, limit: 10 }, bytes: { used: 2e9, limit: 20e9 } };
  assert.deepEqual(usageInWords(limits), { text: '5 of 10 videos, 2 GB of 20 GB', fraction: 0.5 });
});

table('what was done, in words', actionInWords, [
  [{ action: 'updateAsset', detail: { fields: ['tags', 'title'] } }, 'Update asset: tags, title'],
  [{ action: 'createSession', detail: { code: 'auth.bad_token' } }, 'Create session: auth.bad_token'],
  [{ action: 'deleteAsset', detail: {} }, 'Delete asset'],
]);

test('a job says how far it is, or what goes before it', () => {
  assert.equal(runningInWords({ kind: 'process', progress: 0.42, eta_seconds: 170 }), '42% · about 3 minutes left');
  assert.equal(runningInWords({ kind: 'poster', progress: null, eta_seconds: null }), 'Making a new picture');
  const place = (own, others, mine = true, progress = 0.01) => placeInWords({ waiting: { own, others }, progress }, mine);
  assert.equal(place(0, 0), 'Next in line');
  assert.equal(place(1, 0), 'About 1 task of yours goes first');
  assert.equal(place(3, 2), 'About 3 tasks of yours and 2 of others go first');
  assert.equal(place(3, 0, false), 'About 3 tasks of the same owner go first');
  assert.equal(place(0, 1, true, 0.5), '50% done · About 1 task of others goes first');
});

test('jobs are listed as people know them, and those that failed alike together', () => {
  const waits = (id, own, others) => ({ id, waiting: { own, others } });
  const active = { items: [waits('c', 2, 2), { id: 'a', waiting: null }, waits('b', 0, 1)] };
  const failed = { items: [
    { id: 'd', is_newest: true, error: { code: 'job.poison' } }, { id: 'e', is_newest: false }, { id: 'f', is_newest: true, error: null },
  ] };
  const lists = listsOf(active, failed);
  assert.deepEqual(Object.values(lists).map((list) => list.map(({ id }) => id)), [['a'], ['b', 'c'], ['d', 'f']]);
  assert.deepEqual([...byCode(lists.failed).keys()], ['job.poison']);
});
