/** Keep where the viewer is in a video, and ask the next time whether to go on from there. */

import { byId, setText } from '../lib/dom.js';
import { clock } from '../lib/format.js';
import { Places } from './places.js';

const NOTE_EVERY_MILLISECONDS = 5000;

export class Resume {
  #video;
  #assetId = null;
  #places = null;
  #last = null;
  #notedAt = -Infinity;
  #answer = null;

  constructor(video) {
    this.#video = video;
    byId('resume-continue').addEventListener('click', () => this.#close('continue'));
    byId('resume-restart').addEventListener('click', () => this.#close('restart'));
    byId('resume').addEventListener('keydown', (event) => {
      if (event.key === 'Escape') this.#close('nothing');
    });
    // Whoever presses play has answered.
    video.addEventListener('play', () => this.#close('nothing'));
    video.addEventListener('timeupdate', () => this.#look());
    video.addEventListener('pause', () => this.#note());
    video.addEventListener('ended', () => this.#end());
    addEventListener('pagehide', () => this.#note());
  }

  /** Follow this viewer (empty: not signed in) in this video; the seconds where they stopped, or null. */
  begin(user, assetId) {
    this.end();
    this.#places = new Places(user);
    this.#assetId = assetId;
    return this.#places.read(assetId);
  }

  /** Ask whether to go on at that time; resolves to `continue`, `restart`, or `nothing` when the viewer does something else. */
  ask(at) {
    setText(byId('resume-text'), `Continue at ${clock(at)}?`);
    byId('resume').hidden = false;
    byId('resume-continue').focus();
    return new Promise((resolve) => (this.#answer = resolve));
  }

  end() {
    this.#note();
    this.#close('nothing');
    this.#assetId = null;
    this.#last = null;
  }

  #close(answer) {
    byId('resume').hidden = true;
    if (answer === 'restart') this.#places.forget(this.#assetId);
    this.#answer?.(answer);
    this.#answer = null;
  }

  /** While another source is being loaded, the element says that it is at the beginning: it is believed when it shows a picture. */
  #look() {
    const { readyState, seeking, currentTime, duration } = this.#video;
    if (this.#assetId === null || this.#answer !== null) return;
    if (readyState < HTMLMediaElement.HAVE_CURRENT_DATA || seeking) return;
    this.#last = { at: currentTime, duration };
    if (performance.now() - this.#notedAt > NOTE_EVERY_MILLISECONDS) this.#note();
  }

  #note() {
    if (this.#assetId === null || this.#last === null) return;
    this.#notedAt = performance.now();
    this.#places.note(this.#assetId, this.#last.at, this.#last.duration);
  }

  #end() {
    if (this.#assetId === null) return;
    this.#last = null;
    this.#places.forget(this.#assetId);
  }
}
