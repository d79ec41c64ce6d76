/** What plays just now, in figures; for viewers who want to know why a video looks as it does. */

import { byId, setText } from '../lib/dom.js';
import { bitrate, bytes } from '../lib/format.js';

const EVERY_MILLISECONDS = 1000;
const decimal = new Intl.NumberFormat(undefined, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const whole = new Intl.NumberFormat();

/** Seconds that can be played from `now` on without another byte; `ranges` is a TimeRanges. */
export function bufferAhead(ranges, now) {
  for (let index = 0; index < ranges.length; index += 1) {
    // Between two segments there may be a gap too small to matter.
    if (now >= ranges.start(index) - 0.1 && now <= ranges.end(index)) return ranges.end(index) - now;
  }
  return 0;
}

/** The rows of the panel, `[label, text]`, from plain figures; what is not known is left out. */
export function rows({ picture, element, ratio, rung, automatic, bps, ahead, frames, bandwidthBps, segment, codecs, engine }) {
  const shown = element ? `${element.width}×${element.height}${ratio > 1 ? ` (at ${decimal.format(ratio)} pixels per point)` : ''}` : null;
  const facts = [
    ['Picture', picture?.width ? `${picture.width}×${picture.height}` : 'none'],
    ['Shown in', shown],
    ['Quality', rung ? `${rung}, chosen ${automatic ? 'automatically' : 'by you'}` : null],
    ['Bit rate', bps ? bitrate(bps) : null],
    ['Buffer', `${decimal.format(ahead)} s ahead`],
    ['Frames dropped', frames ? `${whole.format(frames.dropped)} of ${whole.format(frames.total)}` : null],
    ['Bandwidth', Number.isFinite(bandwidthBps) && bandwidthBps > 0 ? `about ${bitrate(bandwidthBps)}` : null],
    ['Last segment', segment ? segmentSentence(segment) : null],
    ['Codecs', codecs || null],
    ['Player', engine],
  ];
  return facts.filter(([, text]) => text !== null);
}

function segmentSentence({ bytes: size, milliseconds, waitMilliseconds }) {
  return `${bytes(size)} in ${whole.format(Math.round(milliseconds))} ms, first byte after ${whole.format(Math.round(waitMilliseconds))} ms`;
}

/** The figures of a player and its video element, for `rows`. */
export function figures(player, video) {
  const quality = video.getVideoPlaybackQuality?.();
  const box = video.getBoundingClientRect();
  return {
    picture: { width: video.videoWidth, height: video.videoHeight },
    element: { width: Math.round(box.width), height: Math.round(box.height) },
    ratio: globalThis.devicePixelRatio ?? 1,
    ahead: bufferAhead(video.buffered, video.currentTime),
    frames: quality ? { dropped: quality.droppedVideoFrames, total: quality.totalVideoFrames } : null,
    ...(player.engine?.figures() ?? { engine: 'the browser’s own' }),
  };
}

/** The panel. Nothing is measured while it is hidden. */
export class StatisticsPanel {
  #source;
  #timer = null;

  /** `source()` gives the figures, or null when nothing plays. */
  constructor(source) {
    this.#source = source;
    byId('statistics-button').addEventListener('click', () => this.toggle());
    byId('statistics-close').addEventListener('click', () => {
      this.hide();
      byId('statistics-button').focus();
    });
  }

  toggle() {
    if (byId('statistics').hidden) this.#show();
    else this.hide();
  }

  hide() {
    clearInterval(this.#timer);
    this.#timer = null;
    byId('statistics').hidden = true;
    byId('statistics-button').setAttribute('aria-pressed', 'false');
  }

  #show() {
    byId('statistics').hidden = false;
    byId('statistics-button').setAttribute('aria-pressed', 'true');
    this.#refresh();
    this.#timer = setInterval(() => this.#refresh(), EVERY_MILLISECONDS);
  }

  #refresh() {
    const known = this.#source();
    const facts = known === null ? [] : rows(known);
    const list = byId('statistics-list');
    // The rows stay the same elements while their labels do, so that a selection survives.
    const labels = [...list.querySelectorAll('dt')].map((term) => term.textContent);
    if (labels.join() !== facts.map(([label]) => label).join()) list.replaceChildren(...facts.map(([label]) => rowOf(label)));
    facts.forEach(([, text], index) => setText(list.children[index].lastChild, text));
  }
}

function rowOf(label) {
  const row = document.createElement('div');
  const term = document.createElement('dt');
  setText(term, label);
  row.append(term, document.createElement('dd'));
  return row;
}
