/** Some silent seconds of a video over its picture, while somebody points at its card or has the focus on it. */

import { onThisOrigin } from '../lib/api.js';

/** Who only passes by fetches nothing. */
const AFTER_MS = 250;

export class Preview {
  #picture;
  #url = null;
  #video = null;
  #timer = 0;

  /** `link` is what is pointed at, `picture` what the preview is shown over. */
  constructor(link, picture) {
    this.#picture = picture;
    link.addEventListener('pointerenter', (event) => {
      // A finger that comes to the card scrolls or opens it.
      if (event.pointerType !== 'touch') this.#soon();
    });
    link.addEventListener('focus', () => {
      if (link.matches(':focus-visible')) this.#soon();
    });
    for (const name of ['pointerleave', 'blur']) link.addEventListener(name, () => this.#end());
  }

  /** Its address as it is valid now, or null. */
  set url(given) {
    this.#url = onThisOrigin(given);
    if (this.#url === null) this.#end();
  }

  #soon() {
    clearTimeout(this.#timer);
    if (this.#url === null || this.#video !== null || !isWelcome()) return;
    this.#timer = setTimeout(() => this.#begin(), AFTER_MS);
  }

  #begin() {
    const video = document.createElement('video');
    Object.assign(video, { muted: true, loop: true, playsInline: true, disablePictureInPicture: true, src: this.#url });
    // It says nothing that title and picture don't.
    video.setAttribute('aria-hidden', 'true');
    video.tabIndex = -1;
    video.hidden = true;
    video.addEventListener('playing', () => {
      video.hidden = false;
    });
    video.addEventListener('error', () => this.#end());
    this.#video = video;
    this.#picture.after(video);
    // Refused where the browser allows no motion by itself, or when it is over before it began.
    video.play().catch(() => {});
  }

  #end() {
    clearTimeout(this.#timer);
    this.#video?.remove();
    this.#video?.removeAttribute('src');
    this.#video = null;
  }
}

/** Not for who wants no motion, nor for who pays for each byte. */
function isWelcome() {
  return !matchMedia('(prefers-reduced-motion: reduce)').matches && navigator.connection?.saveData !== true;
}
