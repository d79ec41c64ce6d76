/** Play a video: hls.js where it works, else the browser's own HLS; get over what ends, breaks or is away, and say the rest. */

import { NetworkError, onThisOrigin, sentenceOf } from '../lib/api.js';
import { awayInWords } from './away.js';
import { HlsEngine, loadHls } from './engine.js';
import { AUTOMATIC } from './quality.js';
import { Retry } from './retry.js';
import { StreamAddress, renewingLoader, tokenOf, withToken } from './stream.js';

// An error of decoding this soon after the last one was mended is no accident.
const MENDED_JUST_NOW_MILLISECONDS = 10_000;
// hls.js tries a damaged segment again and again, without a pause (seen), and says twice each time that it can't be read.
const MOST_UNREADABLE = 12;
const GONE = [401, 403, 404, 410];

/**
 * Says `levels` and `tracks` as its engine does, `playback` when the service told where the video plays, and `trouble` when
 * `trouble` changed: null while all is well, else `{kind, text, final}`, final when nothing more is tried by itself. Kinds:
 * `away` (network or server), `gone` (deleted, or no right any more), `missing` (a part of it), `decode`, `unsupported`,
 * `nothing` (not processed yet), `unknown`.
 */
export class Player extends EventTarget {
  trouble = null;
  /** The HlsEngine, or null while there is none and where the browser plays HLS itself. */
  engine = null;

  #video;
  #address;
  #renditions;
  #wishes;
  #source = null;
  #closed = false;
  #starts = 0;
  #retry = new Retry();
  #mendedAt = -Infinity;
  /** How often segments of a type (`main`, `audio`) could not be read since one could. */
  #unreadable = new Map();
  /** What to say of the network if it is not back before the buffer ends, or null. */
  #away = null;
  #lastPlace = 0;
  /** What the viewer pressed while a source was being loaded, which loading itself undoes: true, false or null. */
  #pressed = null;

  /** `renditions` are the asset's (for names); `wishes` is what the viewer chose before: `{quality, captions, audio}`. */
  constructor(video, assetId, { renditions = [], wishes = {} } = {}) {
    super();
    this.#video = video;
    this.#renditions = renditions;
    this.#wishes = { quality: AUTOMATIC, captions: null, audio: null, ...wishes };
    this.#address = new StreamAddress(assetId);
    this.#address.addEventListener('renewed', () => this.#onRenewed());
    this.#address.addEventListener('refused', ({ detail }) => this.#onRefused(detail));
    for (const [name, call] of this.#listeners()) video.addEventListener(name, call);
    addEventListener('online', this.#onOnline);
  }

  /** What the service said last about where the video plays, or null. */
  get playback() {
    return this.#address.playback;
  }

  /** Ask for the stream's addresses and play, from `at` seconds. Also used to move to another presentation, and to try again. */
  async start({ at = 0, paused = false } = {}) {
    this.#retry.stop();
    this.#pressed = null;
    if (this.trouble?.final) this.#tryAfresh();
    this.#starts += 1;
    const start = this.#starts;
    const isOver = () => this.#closed || start !== this.#starts;
    // So that the answer is not taken for another presentation, which would load itself.
    this.#source = null;
    try {
      await this.#address.renew();
      if (isOver()) return;
      this.#source = this.#wanted();
      if (this.#source === null) {
        this.#say('nothing', 'This video has nothing to play yet.', true);
        return;
      }
      this.#video.poster = onThisOrigin(this.playback.thumbnail_url) ?? '';
      await this.#attach(this.#source, at);
      if (!isOver() && (this.#pressed ?? !paused)) await this.play();
    } catch (error) {
      if (isOver()) return;
      if (error instanceof NetworkError) this.#tryLater(0, () => this.start({ at, paused }));
      else if (!this.trouble?.final) this.#say('unknown', sentenceOf(error), true);
    }
  }

  /** Load the presentation anew, at the place and in the state that the viewer is in. */
  async reload() {
    const at = this.#place();
    await this.start({ at, paused: this.engine !== null && this.#video.paused && at > 0 });
  }

  /** Ask anew where the video plays; when that is another presentation than before, it is moved to. */
  async renew({ renditions = this.#renditions } = {}) {
    this.#renditions = renditions;
    // What goes wrong is said, or tried again later.
    await this.#address.renew().catch(() => null);
  }

  /** Play from the beginning, wherever the video is or is being loaded. */
  async restart() {
    if (this.#video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) {
      await this.start();
      return;
    }
    this.#video.currentTime = 0;
    await this.play();
  }

  async play() {
    this.#pressed = true;
    try {
      await this.#video.play();
    } catch (error) {
      // The browser wants a click first, or another load came between: the controls are there for both.
      if (!['NotAllowedError', 'AbortError'].includes(error.name)) throw error;
    }
  }

  /** Choose a level by its index, -1 for automatic. After trouble that is a way to try again. */
  chooseLevel(index) {
    const isStuck = this.trouble?.final;
    this.engine?.chooseLevel(index);
    if (isStuck) this.reload();
  }

  close() {
    this.#closed = true;
    this.#retry.stop();
    this.#address.close();
    for (const [name, call] of this.#listeners()) this.#video.removeEventListener(name, call);
    removeEventListener('online', this.#onOnline);
    this.#detach();
    this.#video.removeAttribute('src');
    this.#video.removeAttribute('poster');
    this.#video.load();
  }

  #listeners() {
    return Object.entries({
      error: this.#onVideoError,
      playing: this.#onPlaying,
      play: this.#onPress,
      pause: this.#onPress,
      waiting: this.#sayWhenFelt,
    });
  }

  #onPlaying = () => this.#well();

  #onPress = ({ type }) => {
    this.#pressed = type === 'play';
  };

  #onOnline = () => {
    if (this.trouble?.kind !== 'away') return;
    this.#retry.reset();
    this.#goOn();
  };

  #onVideoError = () => {
    // hls.js reports its own media errors; without it the address may have expired, which a new one mends.
    if (this.engine !== null || !this.#video.getAttribute('src')) return;
    if (this.#mayMend()) this.reload();
    else this.#say('decode', 'This browser can’t play this video, or a part of it is missing.', true);
  };

  #wanted() {
    return onThisOrigin(this.playback.hls_url);
  }

  #onRenewed() {
    this.dispatchEvent(new Event('playback'));
    if (this.#closed) return;
    if (this.#source === null) return;
    const wanted = this.#wanted() ?? '';
    const isSame = withToken(wanted, '') === withToken(this.#source, '');
    // The browser's own player knows the old token only.
    if (!isSame || (this.engine === null && tokenOf(wanted) !== tokenOf(this.#source))) this.reload();
  }

  #onRefused(error) {
    const hasPlayed = this.#place() > 0;
    this.#detach();
    this.#video.pause();
    if (![403, 404].includes(error.status)) this.#say('unknown', sentenceOf(error), true);
    else if (hasPlayed) this.#say('gone', 'This video was deleted, or its owner made it private.', true);
    else this.#say('gone', 'There is no such video, or it is not yours to watch.', true);
  }

  async #attach(url, at) {
    const Hls = await loadHls();
    if (this.#closed) return;
    this.#detach();
    if (Hls?.isSupported()) this.#attachEngine(Hls, url, at);
    else if (this.#video.canPlayType('application/vnd.apple.mpegurl')) this.#attachNative(url, at);
    else if (Hls) this.#say('unsupported', 'This browser can’t play HLS video. Try a current Firefox, Chrome, Edge or Safari.', true);
    else this.#say('unsupported', 'The player is not installed on this server. Run `python -m mediaflow.web.vendor` there.', true);
  }

  #attachNative(url, at) {
    this.#video.src = url;
    if (at > 0) this.#video.addEventListener('loadedmetadata', () => (this.#video.currentTime = at), { once: true });
  }

  #attachEngine(Hls, url, at) {
    const loader = renewingLoader(Hls.DefaultConfig.loader, this.#address);
    const engine = new HlsEngine(Hls, this.#video, { url, at, loader, renditions: this.#renditions, wishes: this.#wishes });
    this.engine = engine;
    for (const name of ['levels', 'tracks']) engine.addEventListener(name, () => this.dispatchEvent(new Event(name)));
    engine.addEventListener('buffered', ({ detail }) => {
      this.#unreadable.delete(detail.type);
      this.#away = null;
      this.#retry.reset();
      this.#well();
    });
    engine.addEventListener('error', ({ detail }) => this.#onEngineError(Hls.ErrorTypes, detail));
  }

  #onEngineError(types, error) {
    const status = error.response?.code ?? 0;
    // It was hls.js itself that needs the segment no more.
    if (error.details === 'aborted' || this.trouble?.final) return;
    const unreadable = error.type === types.MEDIA_ERROR ? this.#countUnreadable(error.frag) : 0;
    if (error.type === types.NETWORK_ERROR) this.#onNetworkError(status, error);
    else if (!error.fatal && unreadable < MOST_UNREADABLE) return;
    else if (error.fatal && error.type === types.MEDIA_ERROR && this.#mayMend()) this.engine.recover();
    else {
      this.engine.stopLoad();
      this.#say('decode', 'This browser can’t decode this video. Try another quality, or another browser.', true);
    }
  }

  #onNetworkError(status, { frag, details, networkDetails }) {
    // Without its captions, a video still plays.
    if (frag?.type === 'subtitle' || details.startsWith('subtitle')) return;
    if (GONE.includes(status)) {
      this.engine.stopLoad();
      this.#say('missing', 'A part of this video is missing on the server.', true);
    } else this.#tryLater(awayInWords(status, networkDetails), () => this.#goOn());
  }

  /** hls.js gives up soon, and of a level that was chosen it does not even say so. */
  #tryLater(sentence, again) {
    this.#away = sentence;
    if (this.#retry.later(again)) this.#sayWhenFelt();
    else this.#say('away', 'The connection to the server was lost. Check it, and try again.', true);
  }

  /** While the network is away, what is buffered still plays: it is said when that ends. */
  #sayWhenFelt = () => {
    const isFelt = this.#video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA;
    if (isFelt && this.#away !== null && !this.trouble?.final) this.#say('away', this.#away);
  };

  #countUnreadable(frag) {
    const count = (this.#unreadable.get(frag?.type) ?? 0) + 1;
    this.#unreadable.set(frag?.type, count);
    return count;
  }

  #mayMend() {
    const isFirst = performance.now() - this.#mendedAt > MENDED_JUST_NOW_MILLISECONDS;
    if (isFirst) this.#mendedAt = performance.now();
    return isFirst;
  }

  /** Load on after the network was away, without losing what is buffered where there is something. */
  #goOn() {
    this.#retry.stop();
    if (!this.engine?.levels.length || this.trouble?.final) this.reload();
    else this.engine.startLoad();
  }

  /** Where the viewer is, in seconds; a video element without its source says 0. */
  #place() {
    if (this.#video.currentTime > 0) this.#lastPlace = this.#video.currentTime;
    return this.#lastPlace;
  }

  #detach() {
    this.#place();
    this.engine?.destroy();
    this.engine = null;
  }

  #tryAfresh() {
    this.#retry.reset();
    this.#mendedAt = -Infinity;
    this.#unreadable.clear();
    this.#set(null);
  }

  #well() {
    if (this.trouble !== null && !this.trouble.final) this.#set(null);
  }

  #say(kind, text, final = false) {
    const before = this.trouble;
    if (before?.kind !== kind || before.text !== text || before.final !== final) this.#set({ kind, text, final });
  }

  #set(trouble) {
    this.trouble = trouble;
    this.dispatchEvent(new Event('trouble'));
  }
}
