/** Jobs in words, and in the lists that people know. Pure: tests/web/library.test.mjs runs this module in node. */

import { percent, timeLeft } from '../lib/format.js';

/** What runs, what waits (first what is served first), and what failed and can be tried again. */
export function listsOf(active, failed) {
  const before = ({ waiting }) => waiting.own + waiting.others;
  return {
    running: active.items.filter(({ waiting }) => waiting === null),
    waiting: active.items.filter(({ waiting }) => waiting !== null).sort((one, other) => before(one) - before(other)),
    failed: failed.items.filter((job) => job.is_newest),
  };
}

/** The jobs by the code that they failed with. */
export function byCode(failed) {
  const codes = new Map();
  for (const job of failed) {
    const code = job.error?.code;
    if (code) codes.set(code, [...(codes.get(code) ?? []), job]);
  }
  return codes;
}

/** "42 % · about 3 minutes left" */
export function runningInWords({ kind, progress, eta_seconds: eta }) {
  if (progress === null) return kind === 'poster' ? 'Making a new picture' : 'Running';
  return [percent(progress), eta === null ? '' : timeLeft(eta)].filter(Boolean).join(' · ');
}

/** "About 3 tasks of yours and 2 of others go first"; the place is an estimate, for owners take turns. */
export function placeInWords({ waiting: { own, others }, progress }, mine) {
  const begun = progress > 0.02 ? `${percent(progress)} done · ` : '';
  if (own + others === 0) return `${begun}Next in line`;
  const parts = [];
  if (own > 0) parts.push(`${own} of ${mine ? 'yours' : 'the same owner'}`);
  if (others > 0) parts.push(`${others} of ${mine ? 'others' : 'other owners'}`);
  const [first, ...rest] = parts;
  const counted = own || others;
  const words = [first.replace(' of', ` ${counted === 1 ? 'task' : 'tasks'} of`), ...rest].join(' and ');
  return `${begun}About ${words} ${own + others === 1 ? 'goes' : 'go'} first`;
}
