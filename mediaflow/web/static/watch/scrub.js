/** A seek bar that shows what is where, for videos that have a storyboard: the browsers' own shows no pictures. */

import { onThisOrigin } from '../lib/api.js';
import { byId, setText } from '../lib/dom.js';
import { clock } from '../lib/format.js';
import { withToken } from './stream.js';
import { tileAt, tilesOf } from './tiles.js';

export class Scrub {
  #video;
  #box = byId('scrub');
  #bar = byId('scrub-bar');
  #tile = byId('scrub-tile');
  #time = byId('scrub-time');
  #bubble = byId('scrub-bubble');
  #tiles = [];
  /** The storyboard's address as it is valid now, or null. */
  #url = null;

  constructor(video) {
    this.#video = video;
    for (const name of ['timeupdate', 'durationchange', 'seeking']) video.addEventListener(name, () => this.#follow());
    this.#bar.addEventListener('input', () => {
      video.currentTime = this.#bar.valueAsNumber;
      this.#show(this.#bar.valueAsNumber);
    });
    this.#bar.addEventListener('pointermove', (event) => this.#show(this.#secondsAt(event)));
    for (const name of ['pointerleave', 'pointercancel', 'blur', 'change']) this.#bar.addEventListener(name, () => this.#away());
  }

  /** Take what the service tells of where the video plays. The pictures' addresses are renewed with it. */
  async show({ storyboard_url: given }) {
    const url = onThisOrigin(given);
    const isKnown = url !== null && this.#url !== null && withToken(url, '') === withToken(this.#url, '');
    this.#url = url;
    if (isKnown) return;
    this.#tiles = [];
    this.#box.hidden = true;
    if (url === null) return;
    // Without its pictures a video is still a video.
    const answer = await fetch(url).catch(() => null);
    const text = answer?.ok ? await answer.text().catch(() => '') : '';
    if (this.#url === null || withToken(this.#url, '') !== withToken(url, '')) return;
    this.#tiles = tilesOf(text);
    if (this.#tiles.length === 0) this.#url = null;
    this.#follow();
  }

  hide() {
    this.#url = null;
    this.#tiles = [];
    this.#box.hidden = true;
    this.#away();
  }

  #follow() {
    const { duration, currentTime } = this.#video;
    this.#box.hidden = this.#tiles.length === 0 || !(duration > 0 && Number.isFinite(duration));
    if (this.#box.hidden) return;
    this.#bar.max = String(duration);
    this.#bar.value = String(currentTime);
    this.#bar.setAttribute('aria-valuetext', `${clock(currentTime)} of ${clock(duration)}`);
  }

  #secondsAt({ clientX }) {
    const { left, width } = this.#bar.getBoundingClientRect();
    return Math.min(1, Math.max(0, (clientX - left) / width)) * Number(this.#bar.max);
  }

  #show(seconds) {
    const tile = tileAt(this.#tiles, seconds);
    this.#bubble.hidden = tile === null;
    if (tile === null) return;
    const sheet = new URL(tile.sheet, new URL(this.#url, location.href));
    Object.assign(this.#tile.style, {
      width: `${tile.width}px`,
      height: `${tile.height}px`,
      backgroundImage: `url(${JSON.stringify(sheet.href)})`,
      backgroundPosition: `-${tile.x}px -${tile.y}px`,
    });
    setText(this.#time, clock(seconds));
    const room = this.#box.clientWidth - tile.width;
    const left = (seconds / Number(this.#bar.max)) * this.#box.clientWidth - tile.width / 2;
    this.#bubble.style.left = `${Math.max(0, Math.min(room, left))}px`;
  }

  #away() {
    this.#bubble.hidden = true;
  }
}
