/** For admins: how the service is, and who did what. */

import { admin, sentenceOf, sleep } from '../lib/api.js';
import { byId, setText, showText } from '../lib/dom.js';
import { when } from '../lib/format.js';
import { actionInWords, factsOf, healthRows, healthSentence } from './healthwords.js';
import { pageLink } from '../library/library.js';
import { fillRows, labelled, timeOf } from '../lib/table.js';
import { userInWords } from '../lib/words.js';

const POLL_MILLISECONDS = 10_000;
const AUDIT_PAGE_SIZE = 50;

export class HealthView {
  title = 'Health';
  #visible = new AbortController();

  show() {
    this.hide();
    this.#visible = new AbortController();
    this.#keepFresh(this.#visible.signal);
  }

  hide() {
    this.#visible.abort();
  }

  reset() {
    this.hide();
    byId('health-table').hidden = true;
    byId('health-facts').replaceChildren();
    for (const id of ['health-summary', 'health-error']) showText(byId(id), '');
  }

  async #keepFresh(signal) {
    while (!signal.aborted) {
      if (!document.hidden) await this.#refresh(signal);
      await sleep(POLL_MILLISECONDS, signal).catch(() => null);
    }
  }

  async #refresh(signal) {
    try {
      const health = await admin.health(signal);
      if (signal.aborted) return;
      showText(byId('health-error'), '');
      const { text, tone } = healthSentence(health);
      showText(byId('health-summary'), text);
      byId('health-summary').className = `notice ${tone}`;
      byId('health-table').hidden = false;
      fillRows(byId('health-rows'), healthRows(health).map(({ name, state, words, latency, detail }) => [
        name, labelled('span', words, { className: 'state', data: { state } }), latency, detail,
      ]));
      byId('health-facts').replaceChildren(...factsOf(health).flatMap(([name, value]) => [
        labelled('dt', name), labelled('dd', value),
      ]));
    } catch (error) {
      if (!signal.aborted && error.status !== 401) showText(byId('health-error'), sentenceOf(error));
    }
  }
}

export class AuditView {
  title = 'Audit log';
  #visible = new AbortController();

  async show(params) {
    this.hide();
    this.#visible = new AbortController();
    const { signal } = this.#visible;
    const page = Math.max(1, Number.parseInt(params.get('page') ?? '1', 10) || 1);
    try {
      const listed = await admin.audit(page, AUDIT_PAGE_SIZE, signal);
      if (signal.aborted) return;
      showText(byId('audit-error'), '');
      byId('audit-table').hidden = listed.items.length === 0;
      byId('audit-none').hidden = listed.items.length > 0;
      fillRows(byId('audit-rows'), listed.items.map(auditRow));
      showPages(listed);
    } catch (error) {
      if (!signal.aborted && error.status !== 401) showText(byId('audit-error'), sentenceOf(error));
    }
  }

  hide() {
    this.#visible.abort();
  }

  reset() {
    this.hide();
    byId('audit-table').hidden = true;
    byId('audit-rows').replaceChildren();
  }
}

function auditRow(entry) {
  return [
    timeOf(entry.at, when),
    entry.user === '' ? 'Nobody' : `${userInWords(entry.user)}${entry.role === 'admin' ? ' (admin)' : ''}`,
    actionInWords(entry),
    subjectOf(entry),
    String(entry.status),
    entry.address ?? '',
  ];
}

/** What it was done to: a link to the video, where it is one, or the id. */
function subjectOf({ subject, asset_id: asset }) {
  if (asset === null) return subject === null ? null : labelled('code', subject);
  const link = labelled('a', asset.slice(0, 8));
  link.href = `#/watch/${asset}`;
  link.title = `The video ${asset}`;
  return link;
}

function showPages({ page, pages }) {
  byId('audit-pages').hidden = pages <= 1;
  setText(byId('audit-now'), `Page ${page} of ${pages}`);
  for (const [id, target] of [['audit-previous', page - 1], ['audit-next', page + 1]]) {
    pageLink(byId(id), target >= 1 && target <= pages ? `#/audit?page=${target}` : null);
  }
}
