/** The work: what runs and how far it is, what waits and what goes before it, what failed, why, and trying it again. */

import { jobs, sentenceOf, sleep } from '../lib/api.js';
import { byId, confirmed, fromTemplate, setProgress, setText, showText, toast } from '../lib/dom.js';
import { when } from '../lib/format.js';
import { me } from '../lib/me.js';
import { live } from '../lib/live.js';
import { userInWords, videos } from '../lib/words.js';
import { byCode, listsOf, placeInWords, runningInWords } from './jobwords.js';

const POLL_MILLISECONDS = 3000;
// What others have before it is not told; it is asked for now and then.
const PLACE_POLLS = 5;
const NEWS_MILLISECONDS = 500;
const LISTS = { running: 'Running', waiting: 'Waiting', failed: 'Failed' };

export class JobsView {
  title = 'Jobs';
  #visible = new AbortController();
  #rows = new Map();
  #soon = null;

  constructor() {
    this.#visible.abort();
    live.addEventListener('news', ({ detail }) => this.#visible.signal.aborted || this.#hear(detail));
  }

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
    this.#render({ running: [], waiting: [], failed: [] }, null);
    byId('jobs-none').hidden = true;
    byId('jobs-loading').hidden = false;
  }

  async #keepFresh(signal) {
    for (let polls = 0; !signal.aborted; polls += 1) {
      const due = polls === 0 || !live.open || (byId('jobs-waiting').childElementCount > 0 && polls % PLACE_POLLS === 0);
      if (due && !document.hidden) await this.#refresh(signal);
      await sleep(POLL_MILLISECONDS, signal).catch(() => null);
    }
  }

  #hear({ name, data }) {
    const row = [...this.#rows.values()].find(({ job }) => job.asset_id === data.asset_id && job.list === 'running');
    if (name !== 'asset.progress') this.#refreshSoon();
    else if (row === undefined || data.state !== 'processing') this.#refreshSoon();
    else row.show({ ...row.job, progress: data.progress, eta_seconds: data.eta_seconds });
  }

  #refreshSoon() {
    const { signal } = this.#visible;
    this.#soon ??= setTimeout(() => {
      this.#soon = null;
      if (!document.hidden) this.#refresh(signal);
    }, NEWS_MILLISECONDS);
  }

  async #refresh(signal) {
    try {
      const [active, failed] = await Promise.all([jobs.list('active', signal), jobs.list('failed', signal)]);
      if (signal.aborted) return;
      showText(byId('jobs-error'), '');
      this.#render(listsOf(active, failed), active.paused);
      const unlisted = active.total - active.items.length + failed.total - failed.items.length;
      showText(byId('jobs-more'), unlisted > 0 ? `${unlisted.toLocaleString('en')} older ones are not listed.` : '');
    } catch (error) {
      if (!signal.aborted && error.status !== 401) showText(byId('jobs-error'), sentenceOf(error));
    }
  }

  #render(lists, paused) {
    const why = paused?.reason ? `: ${paused.reason}` : '';
    showText(byId('jobs-paused'), paused ? `All work is paused since ${when(paused.since)}${why}` : '');
    byId('jobs-loading').hidden = true;
    const listed = new Set(Object.values(lists).flat().map(({ id }) => id));
    byId('jobs-none').hidden = listed.size > 0;
    for (const [id, row] of this.#rows) {
      if (listed.has(id)) continue;
      row.root.remove();
      this.#rows.delete(id);
    }
    for (const [name, items] of Object.entries(lists)) this.#renderList(name, items);
    this.#renderAgain(lists.failed);
  }

  #renderList(name, items) {
    const list = byId(`jobs-${name}`);
    list.parentElement.hidden = items.length === 0;
    setText(byId(`jobs-${name}-title`), `${LISTS[name]} (${items.length})`);
    items.forEach((job, index) => {
      if (!this.#rows.has(job.id)) this.#rows.set(job.id, new Row(job.id, (work, said) => this.#act(work, said)));
      const row = this.#rows.get(job.id);
      row.show({ ...job, list: name });
      // Moving a node that is in place already would take the focus from it.
      if (list.children[index] !== row.root) list.insertBefore(row.root, list.children[index] ?? null);
    });
  }

  /** A button for each reason that several failed for. */
  #renderAgain(failed) {
    const several = [...byCode(failed)].filter(([, items]) => items.length > 1);
    byId('jobs-again').hidden = several.length === 0;
    byId('jobs-again').replaceChildren(...several.map(([code, items]) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.className = 'button is-small';
      setText(button, `Retry all ${items.length} that failed with ${code}`);
      button.addEventListener('click', () => this.#retryAll(code));
      return button;
    }));
  }

  async #retryAll(code) {
    await this.#act(async () => {
      const { begun, refused, reason } = await jobs.retryAll(code);
      if (begun > 0) toast(`${videos(begun)} processed again.`);
      if (refused > 0) toast(`${videos(refused)} can’t be repeated now: ${reason}`, { error: true });
    });
  }

  async #act(work, said = '') {
    try {
      await work();
      if (said) toast(said);
    } catch (error) {
      toast(sentenceOf(error), { error: true });
    }
    byId('jobs-title').focus();
    await this.#refresh(this.#visible.signal);
  }
}

/** One job. `job` is what it shows, `job.list` where. */
class Row {
  job = null;
  #parts;

  constructor(id, act) {
    const { root, parts } = fromTemplate('job-template');
    this.root = root;
    this.#parts = parts;
    parts.cancel.addEventListener('click', async () => {
      const question = { title: 'Cancel this job?', text: 'What was made of it so far is lost.', action: 'Cancel the job', otherwise: 'Go on' };
      if (await confirmed(question)) act(() => jobs.cancel(id), 'The job is cancelled.');
    });
    parts.retry.addEventListener('click', () => act(() => jobs.retry(id), 'It is processed again.'));
  }

  show(job) {
    this.job = job;
    const parts = this.#parts;
    const { list } = job;
    const title = job.title ?? 'A deleted video';
    setText(parts.title, title);
    parts.title.href = `#/watch/${job.asset_id}`;
    parts.title.title = title;
    for (const [name, verb, shown] of [['cancel', 'Cancel', list !== 'failed'], ['retry', 'Retry', list === 'failed']]) {
      parts[name].hidden = !shown;
      parts[name].setAttribute('aria-label', `${verb}: ${title}`);
    }
    parts.progress.hidden = list !== 'running';
    setProgress(parts.progress, job.progress);
    parts.progress.setAttribute('aria-label', `Progress of ${title}`);
    const owner = job.owner === me.user ? '' : userInWords(job.owner);
    setText(parts.status, [owner, this.#status(job)].filter(Boolean).join(' · '));
    showText(parts.error, list === 'failed' ? job.error?.detail : '');
  }

  #status(job) {
    if (job.list === 'running') return runningInWords(job);
    if (job.list === 'waiting') return placeInWords(job, job.owner === me.user);
    return [job.error?.code, when(job.finished_at)].filter(Boolean).join(' · ');
  }
}
