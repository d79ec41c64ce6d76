/** The library: a page of cards that keep themselves up to date. */

import { assets, onThisOrigin, sentenceOf, sleep } from './api.js';
import { byId, confirmed, fromTemplate, setProgress, setText, showText, toast } from './dom.js';
import { clock, failure, isSettled, percent, progressSentence, stateName, timeLeft, titleOf, when } from './format.js';

const PAGE_SIZE = 24;
const POLL_MILLISECONDS = 2000;
// With nothing under way here, only other windows and programs can change the list.
const IDLE_POLLS = 5;

export class Library {
  #page = 1;
  #cards = new Map();
  #visible = new AbortController();
  #refreshing = null;
  #again = false;

  constructor() {
    byId('library-retry').addEventListener('click', () => this.refresh());
  }

  /** Show this page and keep it fresh until `hide()`. */
  show(page) {
    this.hide();
    this.#visible = new AbortController();
    if (page !== this.#page) this.#clear();
    this.#page = page;
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

  /** Ask for the page again. Calls during a request lead to one more request after it, not to several at once. */
  async refresh() {
    this.#again = true;
    this.#refreshing ??= this.#refreshAll().finally(() => {
      this.#refreshing = null;
    });
    await this.#refreshing;
  }

  async #refreshAll() {
    while (this.#again && !this.#visible.signal.aborted) {
      this.#again = false;
      const { signal } = this.#visible;
      try {
        const listed = await assets.list(this.#page, PAGE_SIZE, signal);
        if (signal.aborted) return;
        byId('library-error').hidden = true;
        this.#render(listed);
      } catch (error) {
        if (signal.aborted || error.status === 401) return;
        setText(byId('library-error-text'), sentenceOf(error));
        byId('library-error').hidden = false;
        byId('library-loading').hidden = true;
      }
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
      const waiting = [...this.#cards.values()].some((card) => !isSettled(card.asset));
      const due = waiting || !byId('library-error').hidden || polls % IDLE_POLLS === 0;
      if (due && !document.hidden) await this.refresh();
    }
  }

  #clear() {
    for (const card of this.#cards.values()) card.root.remove();
    this.#cards.clear();
    for (const id of ['library-empty', 'library-error', 'pages', 'library-count']) byId(id).hidden = true;
    byId('library-loading').hidden = false;
  }

  #render({ items, page, pages, total }) {
    if (items.length === 0 && page > 1 && pages > 0) {
      location.replace(`#/?page=${pages}`);
      return;
    }
    byId('library-loading').hidden = true;
    byId('library-empty').hidden = total > 0;
    showText(byId('library-count'), total > 0 ? `${total} ${total === 1 ? 'video' : 'videos'}` : '');
    this.#renderCards(items);
    renderPages(page, pages);
  }

  #renderCards(items) {
    const listed = new Set(items.map((asset) => asset.id));
    for (const [id, card] of this.#cards) {
      if (listed.has(id)) continue;
      card.root.remove();
      this.#cards.delete(id);
    }
    items.forEach((asset, index) => {
      let card = this.#cards.get(asset.id);
      if (card === undefined) {
        card = new Card(asset.id, (removed) => this.#remove(removed));
        this.#cards.set(asset.id, card);
      }
      card.show(asset);
      // Moving a node that is in place already would take the focus from it.
      const grid = byId('grid');
      if (grid.children[index] !== card.root) grid.insertBefore(card.root, grid.children[index] ?? null);
    });
  }

  async #remove(asset) {
    const title = titleOf(asset);
    const yes = await confirmed({
      title: 'Delete this video?',
      text: `“${title}” will no longer be playable for anyone who has its link.`,
      action: 'Delete',
    });
    if (!yes) return;
    try {
      await assets.remove(asset.id);
    } catch (error) {
      toast(sentenceOf(error), { error: true });
      return;
    }
    toast(`“${title}” was deleted.`, { action: 'Undo', onAction: () => this.#restore(asset) });
    byId('library-title').focus();
    await this.refresh();
  }

  async #restore(asset) {
    try {
      await assets.restore(asset.id);
      toast(`“${titleOf(asset)}” is back.`);
    } catch (error) {
      toast(sentenceOf(error), { error: true });
    }
    await this.refresh();
  }
}

class Card {
  #parts;
  #thumbnail = null;

  constructor(id, remove) {
    const { root, parts } = fromTemplate('card-template');
    this.root = root;
    this.#parts = parts;
    parts.link.href = `#/watch/${id}`;
    parts.image.addEventListener('error', () => {
      parts.image.hidden = true;
    });
    parts.remove.addEventListener('click', () => remove(this.asset));
  }

  show(asset) {
    this.asset = asset;
    const { root } = this;
    const parts = this.#parts;
    const title = titleOf(asset);
    root.dataset.state = asset.state;
    setText(parts.title, title);
    parts.title.title = title;
    parts.remove.setAttribute('aria-label', `Delete ${title}`);
    setText(parts.when, when(asset.created_at));
    parts.when.dateTime = asset.created_at;
    showText(parts.duration, asset.duration_seconds && asset.state !== 'rejected' ? clock(asset.duration_seconds) : '');
    showText(parts.badge, asset.state === 'ready' ? '' : stateName(asset.state));
    this.#showProgress(asset);
    showText(parts.error, ['failed', 'rejected'].includes(asset.state) ? failure(asset) : '');
    this.#showThumbnail(onThisOrigin(asset.thumbnail_url));
  }

  #showProgress(asset) {
    const parts = this.#parts;
    const processing = asset.state === 'processing';
    parts.progress.hidden = !(processing || asset.state === 'stored');
    setProgress(parts.progress, processing ? (asset.progress ?? 0) : null);
    parts.progress.setAttribute('aria-label', progressSentence(asset));
    parts.when.hidden = processing;
    const known = asset.eta_seconds !== null && asset.eta_seconds !== undefined;
    const words = [percent(asset.progress ?? 0), known ? timeLeft(asset.eta_seconds) : ''].filter(Boolean);
    showText(parts.eta, processing ? words.join(' · ') : '');
  }

  #showThumbnail(url) {
    if (url === this.#thumbnail) return;
    this.#thumbnail = url;
    this.#parts.image.hidden = url === null;
    if (url !== null) this.#parts.image.src = url;
  }
}

function renderPages(page, pages) {
  byId('pages').hidden = pages <= 1;
  setText(byId('pages-now'), `Page ${page} of ${pages}`);
  for (const [id, target] of [['pages-previous', page - 1], ['pages-next', page + 1]]) {
    const link = byId(id);
    const there = target >= 1 && target <= pages;
    // A link without href is not focusable, and screen readers say that it is disabled.
    if (there) link.href = `#/?page=${target}`;
    else link.removeAttribute('href');
    link.setAttribute('aria-disabled', String(!there));
  }
}
