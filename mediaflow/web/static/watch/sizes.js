/** The sizes of a video under its player: when each is made, how much of it is there, and where to keep it as a file. */

import { assets, onThisOrigin, sleep } from '../lib/api.js';
import { byId, fromTemplate, setProgress, setText } from '../lib/dom.js';
import { isWhole, shareOf, sizeInWords, sizesInWords } from './sizewords.js';

const RENEW_MILLISECONDS = 5000;

export class Sizes {
  #box = byId('watch-sizes');
  #renditions = [];

  /** Show those of the asset; nothing of one that has none. */
  show({ renditions }) {
    this.#renditions = renditions ?? [];
    this.#box.hidden = this.#renditions.length === 0;
    setText(byId('watch-sizes-summary'), sizesInWords(this.#renditions));
    byId('watch-sizes-list').replaceChildren(...this.#renditions.map(row));
  }

  hide() {
    this.#renditions = [];
    this.#box.hidden = true;
  }

  /**
   * Look again and again until the signal is aborted, while it is open and something is still to come: no news tell of
   * pieces that are watched. An asset that is gone has no sizes; a server that is away is waited for.
   */
  async follow(id, signal) {
    while (!signal.aborted) {
      try {
        await sleep(RENEW_MILLISECONDS, signal);
        if (document.hidden || !this.#box.open || this.#renditions.every(isWhole)) continue;
        this.show(await assets.read(id, signal));
      } catch (error) {
        if (error.status >= 400 && error.status < 500) this.hide();
      }
    }
  }
}

function row(rendition) {
  const { root, parts } = fromTemplate('size-template');
  setText(parts.name, rendition.name);
  setText(parts.words, sizeInWords(rendition));
  setProgress(parts.bar, shareOf(rendition));
  parts.bar.setAttribute('aria-label', `${rendition.name}: how much of it is there`);
  const kept = onThisOrigin(rendition.mp4_url);
  parts.keep.hidden = kept === null;
  if (kept !== null) parts.keep.href = kept;
  parts.keep.setAttribute('aria-label', `Download ${rendition.name} as a file`);
  return root;
}
