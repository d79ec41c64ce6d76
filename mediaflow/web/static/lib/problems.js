/** The errors of a problem document at the fields of a form that they are about. */

import { byId, setText, showText } from './dom.js';
import { ApiError, sentenceOf } from './api.js';

/** "must not be empty" -> "Must not be empty."; whole sentences stay. */
export function asSentence(detail) {
  const text = detail.charAt(0).toUpperCase() + detail.slice(1);
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}

/** `{field: [sentences]}` of the errors that point to one of `fields` ("/tags/3" is of `tags`), and `rest`, all others. */
export function sorted(errors, fields) {
  const byField = {};
  const rest = [];
  for (const { pointer, detail } of errors) {
    const field = (pointer ?? '').split('/')[1] ?? '';
    if (fields.includes(field)) (byField[field] ??= new Set()).add(asSentence(detail));
    else rest.push(asSentence(detail));
  }
  return { byField: Object.fromEntries(Object.entries(byField).map(([name, said]) => [name, [...said]])), rest };
}

/** Forget what was wrong; `inputs` as in `showProblems`. */
export function clearProblems(inputs) {
  for (const id of Object.values(inputs)) {
    showText(byId(`${id}-error`), '');
    byId(id).removeAttribute?.('aria-invalid');
  }
}

/**
 * Say what is wrong: at its field where it has one (`inputs`: field -> id of its input, whose error is at `{id}-error`), and
 * the rest in `notice`. The first wrong field gets the focus.
 */
export function showProblems(error, inputs, notice) {
  const errors = error instanceof ApiError ? error.errors : [];
  const { byField, rest } = sorted(errors, Object.keys(inputs));
  for (const [field, sentences] of Object.entries(byField)) {
    showText(byId(`${inputs[field]}-error`), sentences.join(' '));
    byId(inputs[field]).setAttribute('aria-invalid', 'true');
  }
  const [first] = Object.keys(inputs).filter((field) => field in byField);
  if (first === undefined) setText(notice, sentenceOf(error));
  else setText(notice, rest.join(' '));
  notice.hidden = notice.textContent === '';
  if (first !== undefined) byId(inputs[first]).focus();
}
