/** Where somebody is signed in: which browsers, since when, and signing them out from here. */

import { sentenceOf, sessions } from '../lib/api.js';
import { byId, showText, toast } from '../lib/dom.js';
import { when } from '../lib/format.js';
import { fillRows, labelled, timeOf } from '../lib/table.js';
import { browserInWords } from '../lib/words.js';

export class SessionsView {
  title = 'Signed-in browsers';
  #visible = new AbortController();

  constructor() {
    this.#visible.abort();
    byId('sessions-end').addEventListener('click', () => this.#end(() => sessions.endOthers(), 'All others are signed out.'));
  }

  show() {
    this.hide();
    this.#visible = new AbortController();
    this.#refresh();
  }

  hide() {
    this.#visible.abort();
  }

  reset() {
    this.hide();
    byId('sessions-table').hidden = true;
    showText(byId('sessions-error'), '');
  }

  async #refresh() {
    const { signal } = this.#visible;
    try {
      const all = await sessions.list(signal);
      if (signal.aborted) return;
      byId('sessions-table').hidden = false;
      byId('sessions-end').hidden = all.every(({ current }) => current);
      fillRows(byId('sessions-rows'), all.map((session) => this.#row(session)));
    } catch (error) {
      if (!signal.aborted && error.status !== 401) showText(byId('sessions-error'), sentenceOf(error));
    }
  }

  #row(session) {
    const name = labelled('span', browserInWords(session.agent));
    name.title = session.agent ?? '';
    return [
      name,
      session.address ?? '',
      timeOf(session.created_at, when),
      timeOf(session.expires_at, (at) => new Date(at).toLocaleString()),
      session.current ? labelled('span', 'This one', { className: 'muted' }) : this.#endButton(session),
    ];
  }

  #endButton(session) {
    const button = labelled('button', 'Sign out', { className: 'button is-small' });
    button.type = 'button';
    button.setAttribute('aria-label', `Sign out ${browserInWords(session.agent)}, ${when(session.created_at)}`);
    button.addEventListener('click', () => this.#end(() => sessions.end(session.id), 'That browser is signed out.'));
    return button;
  }

  async #end(ask, said) {
    try {
      await ask();
      toast(said);
      byId('sessions-title').focus();
    } catch (error) {
      toast(sentenceOf(error), { error: true });
    }
    await this.#refresh();
  }
}
