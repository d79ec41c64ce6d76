/** API keys for programs: make one (its text is shown once), see which there are, revoke. */

import { keys, sentenceOf } from '../lib/api.js';
import { byId, confirmed, copyText, setText, showText, toast } from '../lib/dom.js';
import { when } from '../lib/format.js';
import { isAdmin } from '../lib/me.js';
import { clearProblems, showProblems } from '../lib/problems.js';
import { fillRows, labelled, timeOf } from '../lib/table.js';
import { scopesInWords, userInWords } from '../lib/words.js';

const DAY_SECONDS = 86_400;
const EXPIRIES = { 1: 'For a day', 30: 'For 30 days', 90: 'For 90 days', 365: 'For a year' };
/** What most programs need, by what they do; the first is the least. */
const OFFERS = [
  { text: 'Look only', scopes: ['assets:read'] },
  { text: 'Upload', scopes: ['assets:read', 'uploads:write'] },
  { text: 'Upload and change', scopes: ['assets:read', 'assets:write', 'uploads:write'] },
];
const ADMIN_OFFER = { text: 'All that an admin may', role: 'admin' };
const INPUTS = { name: 'keys-name' };

export class KeysView {
  title = 'API keys';
  #visible = new AbortController();
  #offers = OFFERS;

  constructor() {
    this.#visible.abort();
    byId('keys-expiry').append(...Object.entries(EXPIRIES).map(([days, text]) => new Option(text, days)));
    byId('keys-expiry').value = '90';
    byId('keys-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#make();
    });
    byId('keys-others').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#revokeAllOf(byId('keys-user').value.trim());
    });
    byId('keys-copy').addEventListener('click', () => copySecret());
    byId('keys-seen').addEventListener('click', () => this.#forgetSecret());
    byId('keys-secret').addEventListener('focus', (event) => event.target.select());
  }

  show() {
    this.hide();
    this.#visible = new AbortController();
    this.#offers = isAdmin() ? [...OFFERS, ADMIN_OFFER] : OFFERS;
    byId('keys-scopes').replaceChildren(...this.#offers.map(({ text }, index) => new Option(text, index)));
    byId('keys-scopes').value = '1';
    byId('keys-others').hidden = !isAdmin();
    this.#refresh();
  }

  hide() {
    this.#visible.abort();
    this.#forgetSecret();
  }

  reset() {
    this.hide();
    byId('keys-name').value = '';
    byId('keys-user').value = '';
    byId('keys-table').hidden = true;
    clearProblems(INPUTS);
    showText(byId('keys-error'), '');
  }

  async #refresh() {
    const { signal } = this.#visible;
    try {
      const all = await keys.list(signal);
      if (signal.aborted) return;
      byId('keys-table').hidden = all.length === 0;
      byId('keys-none').hidden = all.length > 0;
      fillRows(byId('keys-rows'), all.map((key) => this.#row(key)));
    } catch (error) {
      if (!signal.aborted && error.status !== 401) showText(byId('keys-error'), sentenceOf(error));
    }
  }

  #row(key) {
    const over = key.revoked_at !== null || Date.parse(key.expires_at) <= Date.now();
    return [
      key.name,
      scopesInWords(key),
      timeOf(key.created_at, when),
      key.last_used_at === null ? 'never' : timeOf(key.last_used_at, when),
      endOf(key),
      over ? null : this.#revokeButton(key),
    ];
  }

  #revokeButton(key) {
    const button = labelled('button', 'Revoke', { className: 'button is-small' });
    button.type = 'button';
    button.setAttribute('aria-label', `Revoke ${key.name}`);
    button.addEventListener('click', () => this.#revoke(key));
    return button;
  }

  async #make() {
    const days = Number(byId('keys-expiry').value);
    const { scopes, role } = this.#offers[Number(byId('keys-scopes').value)];
    clearProblems(INPUTS);
    showText(byId('keys-error'), '');
    const wanted = {
      name: byId('keys-name').value.trim(),
      ...(scopes ? { scopes } : {}),
      ...(role ? { role } : {}),
      // The server's clock counts, not this one's.
      expires_in_seconds: days * DAY_SECONDS,
    };
    try {
      const made = await keys.make(wanted);
      byId('keys-name').value = '';
      setText(byId('keys-new-text'), `This is the key “${made.name}”. It is shown only now: keep it in a safe place.`);
      byId('keys-secret').value = made.key;
      byId('keys-new').hidden = false;
      byId('keys-copy').focus();
      await this.#refresh();
    } catch (error) {
      showProblems(error, INPUTS, byId('keys-error'));
    }
  }

  async #revoke(key) {
    const yes = await confirmed({
      title: 'Revoke this key?',
      text: `Programs that use “${key.name}” can’t do anything any more, at once. It can’t be taken back.`,
      action: 'Revoke',
    });
    if (!yes) return;
    try {
      await keys.revoke(key.id);
      toast(`“${key.name}” was revoked.`);
      byId('keys-title').focus();
    } catch (error) {
      toast(sentenceOf(error), { error: true });
    }
    await this.#refresh();
  }

  async #revokeAllOf(user) {
    const yes = await confirmed({
      title: 'Revoke all these keys?',
      text: `Programs that use any key of “${userInWords(user)}” can’t do anything any more, at once. It can’t be taken back.`,
      action: 'Revoke all',
    });
    if (!yes) return;
    try {
      const count = await keys.revokeAllOf(user);
      byId('keys-user').value = '';
      toast(count === 0 ? `“${userInWords(user)}” has no keys.` : `${keysInWords(count)} of “${userInWords(user)}” revoked.`);
    } catch (error) {
      toast(sentenceOf(error), { error: true });
    }
    await this.#refresh();
  }

  #forgetSecret() {
    byId('keys-new').hidden = true;
    byId('keys-secret').value = '';
  }
}

function endOf(key) {
  if (key.revoked_at !== null) return labelled('span', `Revoked ${when(key.revoked_at)}`, { className: 'muted' });
  const over = Date.parse(key.expires_at) <= Date.now();
  return timeOf(key.expires_at, (at) => `${over ? 'Ended ' : ''}${new Date(at).toLocaleDateString()}`);
}

const keysInWords = (count) => (count === 1 ? '1 key' : `${count} keys`);

async function copySecret() {
  if (await copyText(byId('keys-secret').value)) {
    toast('The key is on your clipboard.');
  } else {
    byId('keys-secret').focus();
    toast('Copy the marked key by hand.');
  }
}
