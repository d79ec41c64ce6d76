/** The library, what is shared with me, and the trash: a page of cards that keep themselves up to date. */

import { assets, events, sentenceOf, sleep, tell } from '../lib/api.js';
import { BulkBar } from './bulk.js';
import { Card } from './card.js';
import { byId, copyText, setText, showText, toast } from '../lib/dom.js';
import { FilterBar } from './filterbar.js';
import { isNarrowed, listQuery, readHash, writeHash } from './filters.js';
import { progressOf } from '../lib/follow.js';
import { isSettled } from '../lib/format.js';
import { live } from '../lib/live.js';
import { mayChange } from '../lib/me.js';
import { Selection } from './selection.js';
import { deleteAssets, emptyTrash, purgeAssets, restoreAssets } from './trash.js';
import { isRestorable, videos } from '../lib/words.js';

const PAGE_SIZE = 24;
const POLL_MILLISECONDS = 2000;
// With nothing under way here, only other windows and programs can change the list.
const IDLE_POLLS = 5;
// Where news come by themselves, only what says how long ago something was gets old.
const MINUTE_POLLS = 30;
const NEWS_MILLISECONDS = 300;

const NOTHING = {
  library: ['Nothing found', 'No video is like that.'],
  shared: ['Nothing is shared with you', 'What others let you watch is listed here.'],
  trash: ['The trash is empty', 'What you delete stays here for a while, and can be restored.'],
};

export class Library {
  #filters = readHash('');
  #cards = new Map();
  #visible = new AbortController();
  #asking = null;
  #bar = new FilterBar();
  #selection = new Selection();
  #asked = 0;
  #soon = null;

  constructor() {
    this.#visible.abort();
    byId('library-retry').addEventListener('click', () => this.refresh());
    byId('trash-empty').addEventListener('click', () => this.#then(emptyTrash()));
    this.#selection.addEventListener('change', () => this.#showSelection());
    this.bulk = new BulkBar(this.#selection, (id) => this.#cards.get(id)?.asset);
    for (const name of ['asset-changed', 'asset-deleted', 'asset-restored', 'list-changed']) {
      events.addEventListener(name, () => this.refresh());
    }
    live.addEventListener('news', ({ detail }) => this.#hear(detail));
    document.addEventListener('visibilitychange', () => this.#soon === 'shown' && this.#refreshSoon());
  }

  get title() {
    return this.#bar.title;
  }

  /** Show this list and keep it fresh until `hide()`. */
  show(filters) {
    this.hide();
    this.#visible = new AbortController();
    const place = filters.place;
    if (place !== this.#filters.place) this.#clear();
    if (writeHash(filters) !== writeHash(this.#filters)) this.#selection.clear();
    this.#filters = filters;
    byId('drop').hidden = place !== 'library';
    this.#bar.show(filters);
    // What is there now is of the list before: dim until the answer is here.
    byId('grid').setAttribute('aria-busy', 'true');
    this.#keepFresh(this.#visible.signal);
  }

  hide() {
    this.#visible.abort();
  }

  /** Forget what is shown: somebody else may sign in. */
  reset() {
    this.hide();
    this.#clear();
  }

  /**
   * Ask for the list again. Calls during a request lead to one more request after it, not to several at once; a list that
   * is no longer wanted is not waited for, so that the latest one wins.
   */
  async refresh() {
    const { signal } = this.#visible;
    if (signal.aborted) return;
    if (this.#asking?.signal === signal) {
      this.#asking.again = true;
    } else {
      const asking = { signal, again: true };
      this.#asking = asking;
      asking.done = this.#ask(asking).finally(() => {
        if (this.#asking === asking) this.#asking = null;
      });
    }
    await this.#asking.done;
  }

  async #ask(asking) {
    const { signal } = asking;
    while (asking.again && !signal.aborted) {
      asking.again = false;
      this.#asked = performance.now();
      try {
        const [listed] = await Promise.all([
          assets.list(listQuery(this.#filters, PAGE_SIZE), signal),
          this.#askTotals(signal),
        ]);
        if (signal.aborted) return;
        byId('library-error').hidden = true;
        this.#render(listed);
      } catch (error) {
        if (signal.aborted || error.status === 401) return;
        setText(byId('library-error-text'), sentenceOf(error));
        byId('library-error').hidden = false;
        byId('library-loading').hidden = true;
        byId('grid').removeAttribute('aria-busy');
      }
    }
  }

  /** Counts are a help: without them the list is as good. */
  async #askTotals(signal) {
    if (this.#filters.place !== 'library') {
      this.#bar.showTotals(null);
      return;
    }
    try {
      const totals = await assets.totals(signal);
      if (!signal.aborted) this.#bar.showTotals(totals);
    } catch (error) {
      if (!signal.aborted && error.status !== 401) this.#bar.showTotals(null);
    }
  }

  async #keepFresh(signal) {
    await this.refresh();
    for (let polls = 1; !signal.aborted; polls += 1) {
      try {
        await sleep(POLL_MILLISECONDS, signal);
      } catch {
        return;
      }
      if (this.#isTold && byId('library-error').hidden) {
        if (polls % MINUTE_POLLS === 0) for (const card of this.#cards.values()) card.show(card.asset, this.#filters);
        continue;
      }
      const waiting = [...this.#cards.values()].some(({ asset }) => !isSettled(asset) && asset.deleted_at === null);
      const due = waiting || !byId('library-error').hidden || polls % IDLE_POLLS === 0;
      if (due && !document.hidden) await this.refresh();
    }
  }

  /** Whatever changes this list is told; of what others share, nothing is. */
  get #isTold() {
    return live.open && this.#filters.place !== 'shared';
  }

  #hear({ name, data }) {
    const card = this.#cards.get(data.asset_id);
    if (name === 'asset.progress' && card?.asset.state === data.state) {
      card.show({ ...card.asset, ...progressOf(data) }, this.#filters);
    } else if (name !== 'asset.progress' ? /^(asset\.|upload\.|reset$)/.test(name) : card !== undefined) {
      this.#refreshSoon();
    }
  }

  /** Once for news that come together, not more often than it would be asked without news, and only while it is seen. */
  #refreshSoon() {
    if (typeof this.#soon === 'number') return;
    if (document.hidden) {
      this.#soon = 'shown';
      return;
    }
    const wait = Math.max(NEWS_MILLISECONDS, this.#asked + POLL_MILLISECONDS - performance.now());
    this.#soon = setTimeout(() => {
      this.#soon = null;
      this.refresh();
    }, wait);
  }

  #clear() {
    for (const card of this.#cards.values()) card.root.remove();
    this.#cards.clear();
    this.#selection.keep([]);
    for (const id of ['library-empty', 'library-none', 'library-error', 'pages', 'library-count', 'trash-empty']) {
      byId(id).hidden = true;
    }
    byId('library-loading').hidden = false;
  }

  #render({ items, page, pages, total }) {
    if (items.length === 0 && page > 1 && pages > 0) {
      location.replace(writeHash({ ...this.#filters, page: pages }));
      return;
    }
    byId('grid').removeAttribute('aria-busy');
    byId('library-loading').hidden = true;
    showText(byId('library-count'), total > 0 ? videos(total) : '');
    byId('trash-empty').hidden = this.#filters.place !== 'trash' || total === 0 || isNarrowed(this.#filters);
    this.#renderNothing(total);
    this.#renderCards(items);
    const selectable = items.filter((asset) => mayChange(asset) && (asset.deleted_at === null || isRestorable(asset)));
    this.#selection.keep(selectable.map((asset) => asset.id));
    this.#renderPages(page, pages);
  }

  #renderNothing(total) {
    const narrowed = isNarrowed(this.#filters);
    const { place } = this.#filters;
    byId('library-empty').hidden = total > 0 || narrowed || place !== 'library';
    byId('library-none').hidden = total > 0 || !byId('library-empty').hidden;
    const [title, text] = NOTHING[narrowed ? 'library' : place];
    setText(byId('library-none-title'), title);
    setText(byId('library-none-text'), narrowed && this.#filters.q ? `No video is like “${this.#filters.q}”.` : text);
    byId('filters-clear').hidden = !narrowed;
    byId('filters').hidden = total === 0 && !narrowed;
  }

  #renderCards(items) {
    const listed = new Set(items.map((asset) => asset.id));
    const lost = this.#removeCards(listed);
    const grid = byId('grid');
    items.forEach((asset, index) => {
      let card = this.#cards.get(asset.id);
      if (card === undefined) {
        card = new Card(asset.id, this.#actions());
        this.#cards.set(asset.id, card);
      }
      card.show(asset, this.#filters);
      // Moving a node that is in place already would take the focus from it.
      if (grid.children[index] !== card.root) grid.insertBefore(card.root, grid.children[index] ?? null);
    });
    if (lost) byId('library-title').focus();
  }

  /** True when the focus was on a card that went: it would be lost at the top of the page. */
  #removeCards(listed) {
    let lost = false;
    for (const [id, card] of this.#cards) {
      if (listed.has(id)) continue;
      lost ||= card.root.contains(document.activeElement);
      card.root.remove();
      this.#cards.delete(id);
    }
    return lost;
  }

  #actions() {
    return {
      select: (id, on, range) => this.#selection.set(id, on, { range }),
      edit: (asset) => tell('edit-asset', asset.id),
      copy: (asset) => copyLink(asset),
      remove: (asset) => this.#then(deleteAssets([asset])),
      restore: (asset) => this.#then(restoreAssets([asset])),
      purge: (asset) => this.#then(purgeAssets([asset])),
    };
  }

  async #then(work) {
    await work;
    await this.refresh();
  }

  #showSelection() {
    for (const [id, card] of this.#cards) card.selected = this.#selection.has(id);
    byId('grid').classList.toggle('is-selecting', this.#selection.size > 0);
    this.bulk.show(this.#filters.place);
  }

  #renderPages(page, pages) {
    byId('pages').hidden = pages <= 1;
    setText(byId('pages-now'), `Page ${page} of ${pages}`);
    for (const [id, target] of [['pages-previous', page - 1], ['pages-next', page + 1]]) {
      pageLink(byId(id), target >= 1 && target <= pages ? writeHash({ ...this.#filters, page: target }) : null);
    }
  }
}

/** A link without href is not focusable, and screen readers say that it is disabled. */
export function pageLink(link, hash) {
  if (hash === null) link.removeAttribute('href');
  else link.href = hash;
  link.setAttribute('aria-disabled', String(hash === null));
}

async function copyLink(asset) {
  const link = `${location.origin}/#/watch/${asset.id}`;
  if (!(await copyText(link))) toast(`Copy this link: ${link}`);
  else if (asset.visibility === 'private') toast('The link is on your clipboard. It is private: only you and those whom you share it with can watch it.');
  else toast('The link is on your clipboard.');
}
