/** One asset in a list: its picture, what state it is in, and what can be done with it. */

import { onThisOrigin } from '../lib/api.js';
import { fromTemplate, setProgress, setText, showText } from '../lib/dom.js';
import { clock, failure, percent, progressSentence, stateName, timeLeft, titleOf, when } from '../lib/format.js';
import { VISIBILITIES, changed, writeHash } from './filters.js';
import { menu } from '../lib/menu.js';
import { isOwn, mayChange } from '../lib/me.js';
import { goneWhen, isRestorable, userInWords } from '../lib/words.js';
import { Preview } from './preview.js';

const TAGS_SHOWN = 3;

export class Card {
  #parts;
  #thumbnail = null;
  #preview;
  #tags = null;

  /** `actions`: `select(id, on, range)`, and `edit`, `copy`, `remove`, `restore`, `purge`, each with the asset. */
  constructor(id, actions) {
    const { root, parts } = fromTemplate('card-template');
    this.root = root;
    this.#parts = parts;
    parts.image.addEventListener('error', () => {
      parts.image.hidden = true;
    });
    this.#preview = new Preview(parts.link, parts.image);
    parts.check.addEventListener('click', (event) => actions.select(id, parts.check.checked, event.shiftKey));
    for (const name of ['edit', 'copy', 'remove', 'restore', 'purge']) {
      parts[name].addEventListener('click', () => actions[name](this.asset));
    }
    menu(parts.button, parts.menu);
  }

  set selected(on) {
    this.#parts.check.checked = on;
    this.root.classList.toggle('is-selected', on);
  }

  /** `filters` are those of the list that the card is in. */
  show(asset, filters) {
    this.asset = asset;
    const { root } = this;
    const parts = this.#parts;
    const title = titleOf(asset);
    root.dataset.state = asset.state;
    setText(parts.title, title);
    parts.title.title = title;
    showText(parts.duration, asset.duration_seconds && asset.state !== 'rejected' ? clock(asset.duration_seconds) : '');
    showText(parts.badge, asset.state === 'ready' ? '' : asset.playable ? 'Plays already' : stateName(asset.state));
    showText(parts.error, ['failed', 'rejected'].includes(asset.state) ? failure(asset) : '');
    this.#showControls(asset, title, filters.place);
    this.#showFacts(asset, filters);
    this.#showProgress(asset);
    this.#showTags(asset.tags, filters);
    this.#showThumbnail(onThisOrigin(asset.thumbnail_url));
    this.#preview.url = asset.preview_url ?? null;
  }

  #showControls(asset, title, place) {
    const parts = this.#parts;
    const mine = mayChange(asset);
    const deleted = place === 'trash';
    // A deleted video has no page: a link without href leads nowhere, and is not focusable.
    if (deleted) parts.link.removeAttribute('href');
    else parts.link.href = `#/watch/${asset.id}`;
    const there = !deleted || isRestorable(asset);
    parts.check.hidden = !mine || !there;
    parts.trash.hidden = !deleted || !there;
    parts.more.hidden = deleted;
    parts.edit.hidden = !mine;
    parts.remove.hidden = !mine;
    parts.check.setAttribute('aria-label', `Select ${title}`);
    parts.button.setAttribute('aria-label', `More for ${title}`);
    parts.restore.setAttribute('aria-label', `Restore ${title}`);
    parts.purge.setAttribute('aria-label', `Delete ${title} for ever`);
  }

  #showFacts(asset, filters) {
    const parts = this.#parts;
    const deleted = filters.place === 'trash';
    setText(parts.when, deleted ? goneWhen(asset) : when(asset.created_at));
    parts.when.dateTime = (deleted ? asset.purge_at : null) ?? asset.created_at;
    showText(parts.visibility, deleted || asset.visibility === 'private' ? '' : VISIBILITIES[asset.visibility]);
    showText(parts.owner, isOwn(asset) ? '' : userInWords(asset.owner));
    parts.owner.href = writeHash(changed(filters, { owner: asset.owner }));
    parts.owner.title = `Only what ${userInWords(asset.owner)} owns`;
  }

  #showProgress(asset) {
    const parts = this.#parts;
    const processing = asset.state === 'processing' && asset.deleted_at === null;
    parts.progress.hidden = !(processing || (asset.state === 'stored' && asset.deleted_at === null));
    setProgress(parts.progress, processing ? (asset.progress ?? 0) : null);
    parts.progress.setAttribute('aria-label', progressSentence(asset));
    parts.when.hidden = processing;
    const known = asset.eta_seconds !== null && asset.eta_seconds !== undefined;
    const words = [percent(asset.progress ?? 0), known ? timeLeft(asset.eta_seconds) : ''].filter(Boolean);
    showText(parts.eta, processing ? words.join(' · ') : '');
  }

  #showTags(tags, filters) {
    const key = JSON.stringify([tags, writeHash(filters)]);
    if (key === this.#tags) return;
    this.#tags = key;
    const links = tags.slice(0, TAGS_SHOWN).map((tag) => tagLink(tag, filters));
    this.#parts.tags.hidden = tags.length === 0;
    if (tags.length > TAGS_SHOWN) {
      const more = document.createElement('li');
      setText(more, `+${tags.length - TAGS_SHOWN}`);
      more.title = tags.slice(TAGS_SHOWN).join(', ');
      links.push(more);
    }
    this.#parts.tags.replaceChildren(...links);
  }

  #showThumbnail(url) {
    if (url === this.#thumbnail) return;
    this.#thumbnail = url;
    this.#parts.image.hidden = url === null;
    if (url !== null) this.#parts.image.src = url;
  }
}

function tagLink(tag, filters) {
  const item = document.createElement('li');
  const link = document.createElement('a');
  link.href = writeHash(changed(filters, { tag }));
  link.title = `Only what is tagged ${tag}`;
  setText(link, tag);
  item.append(link);
  return item;
}
