/** Play an HLS presentation in a video element: hls.js where it works, else the browser's own HLS. */

import { assets, onThisOrigin, sentenceOf } from './api.js';

const RENEW_BEFORE_MILLISECONDS = 60_000;
const LONGEST_TIMER_MILLISECONDS = 2 ** 31 - 1;
// A stream URL that is refused this soon after it was given is refused for good.
const RENEWED_JUST_NOW_MILLISECONDS = 10_000;
const NETWORK_TRIES = 6;
const GONE = [401, 403, 404, 410];

/** hls.js, or null when the page was set up without it. */
async function loadHls() {
  try {
    return (await import('./vendor/hls.js/hls.min.mjs')).default;
  } catch {
    return null;
  }
}

/**
 * Says `levels` when `levels` (of hls.js: width, height, bitrate) or `level` (index, -1 = automatic) or `autoLevel` changed,
 * `trouble` when `message` changed (null: all well; `final` when nothing more will be tried by itself).
 */
export class Player extends EventTarget {
  levels = [];
  level = -1;
  autoLevel = -1;
  message = null;
  final = false;
  /** True when what plays is the early presentation of a video that is still being processed. */
  early = false;

  #video;
  #assetId;
  #hls = null;
  #closed = false;
  #renewTimer = null;
  #retryTimer = null;
  #renewedAt = -Infinity;
  #networkTries = 0;
  #recoveredAt = -Infinity;
  #nudgeFor = null;
  #lastPlace = 0;
  /** What the viewer pressed while a source was being loaded, which loading itself undoes: true, false or null. */
  #pressed = null;

  constructor(video, assetId) {
    super();
    this.#video = video;
    this.#assetId = assetId;
    video.addEventListener('error', this.#onVideoError);
    video.addEventListener('playing', this.#onPlaying);
    video.addEventListener('play', this.#onPress);
    video.addEventListener('pause', this.#onPress);
    addEventListener('online', this.#onOnline);
  }

  /** Ask for the stream's URLs and play, from `at` seconds. Also used to move to the final presentation, and to try again. */
  async start({ at = 0, paused = false } = {}) {
    clearTimeout(this.#renewTimer);
    clearTimeout(this.#retryTimer);
    this.#pressed = null;
    try {
      const playback = await assets.playback(this.#assetId);
      if (this.#closed) return;
      const url = onThisOrigin(playback.hls_url ?? playback.early_hls_url);
      if (url === null) {
        this.#say('This video has nothing to play yet.', true);
        return;
      }
      this.early = !playback.hls_url;
      this.#video.poster = onThisOrigin(playback.thumbnail_url) ?? '';
      this.#renewedAt = performance.now();
      this.#renewAt(playback.expires_at);
      await this.#attach(url, at);
      if ((this.#pressed ?? !paused) && !this.#closed) await this.#play();
    } catch (error) {
      if (!this.#closed) this.#say(sentenceOf(error), true);
    }
  }

  /** Load the presentation anew, at the place and in the state that the viewer is in. */
  async reload() {
    const at = this.#place();
    await this.start({ at, paused: this.#hls !== null && this.#video.paused && at > 0 });
  }

  chooseLevel(index) {
    this.level = index;
    // At once, for a viewer who chose is looking; the automatic choice changes at the next segment.
    if (this.#hls && index >= 0) this.#switchNow(index);
    else if (this.#hls) this.#hls.nextLevel = -1;
    this.dispatchEvent(new Event('levels'));
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#renewTimer);
    clearTimeout(this.#retryTimer);
    this.#video.removeEventListener('error', this.#onVideoError);
    this.#video.removeEventListener('playing', this.#onPlaying);
    this.#video.removeEventListener('play', this.#onPress);
    this.#video.removeEventListener('pause', this.#onPress);
    removeEventListener('online', this.#onOnline);
    this.#detach();
    this.#video.removeAttribute('src');
    this.#video.removeAttribute('poster');
    this.#video.load();
  }

  #onPlaying = () => {
    this.#networkTries = 0;
    this.#say(null);
  };

  #onPress = ({ type }) => {
    this.#pressed = type === 'play';
  };

  #onOnline = () => {
    if (this.message !== null && !this.final) this.#hls?.startLoad();
  };

  #onVideoError = () => {
    // hls.js reports its own media errors; without it the URL may have expired, which one renewal mends.
    if (this.#hls === null && this.#video.getAttribute('src')) this.#renew();
  };

  async #attach(url, at) {
    const Hls = await loadHls();
    if (this.#closed) return;
    this.#detach();
    if (Hls?.isSupported()) this.#attachHls(Hls, url, at);
    else if (this.#video.canPlayType('application/vnd.apple.mpegurl')) this.#attachNative(url, at);
    else if (Hls === null) this.#say('The player is not installed on this server. Run `python -m mediaflow.web.vendor` there.', true);
    else this.#say('This browser can’t play HLS video. Try a current Firefox, Chrome, Edge or Safari.', true);
  }

  #attachNative(url, at) {
    this.#video.src = url;
    if (at > 0) this.#video.addEventListener('loadedmetadata', () => (this.#video.currentTime = at), { once: true });
  }

  #attachHls(Hls, url, at) {
    const hls = new Hls({
      workerPath: new URL('./vendor/hls.js/hls.worker.js', import.meta.url).href,
      // Without -1 hls.js begins at the start; a reload begins where the viewer is.
      startPosition: at > 0 ? at : -1,
      // No more pixels than the element shows; full screen raises it by itself.
      capLevelToPlayerSize: true,
    });
    this.#hls = hls;
    hls.on(Hls.Events.MANIFEST_PARSED, () => this.#onManifest());
    hls.on(Hls.Events.LEVEL_SWITCHED, (_, { level }) => {
      this.autoLevel = level;
      this.dispatchEvent(new Event('levels'));
    });
    hls.on(Hls.Events.FRAG_BUFFERED, (_, { frag }) => {
      this.#nudge(frag);
      this.#networkTries = 0;
      if (!this.final) this.#say(null);
    });
    hls.on(Hls.Events.ERROR, (_, error) => this.#onHlsError(Hls, error));
    hls.loadSource(url);
    hls.attachMedia(this.#video);
  }

  #onManifest() {
    this.levels = this.#hls.levels;
    if (this.level >= this.levels.length) this.level = -1;
    if (this.level >= 0) this.#hls.loadLevel = this.level;
    this.dispatchEvent(new Event('levels'));
  }

  #switchNow(index) {
    if (this.#hls.currentLevel === index) {
      this.#hls.loadLevel = index;
      return;
    }
    this.#hls.currentLevel = index;
    this.#nudgeFor = index;
  }

  /** The decoder goes on with what it was fed until the next key frame, seconds away (measured); a seek on the spot starts it anew. */
  #nudge({ type, level, start, end }) {
    const now = this.#video.currentTime;
    if (type !== 'main' || level !== this.#nudgeFor || now < start - 0.1 || now >= end) return;
    this.#nudgeFor = null;
    this.#video.currentTime = now;
  }

  #onHlsError(Hls, error) {
    const status = error.response?.code;
    if (error.type === Hls.ErrorTypes.NETWORK_ERROR && GONE.includes(status)) this.#renew();
    else if (!error.fatal) return;
    else if (error.type === Hls.ErrorTypes.NETWORK_ERROR) this.#retryNetwork();
    else if (error.type === Hls.ErrorTypes.MEDIA_ERROR && performance.now() - this.#recoveredAt > 10_000) {
      this.#recoveredAt = performance.now();
      this.#hls.recoverMediaError();
    } else this.#say('This browser can’t decode this video. Try another quality, or another browser.', true);
  }

  #retryNetwork() {
    this.#networkTries += 1;
    if (this.#networkTries > NETWORK_TRIES) {
      this.#say('The connection to the server was lost.', true);
      return;
    }
    this.#say('Connection lost, trying again…');
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.reload(), 1000 * Math.min(15, 2 ** (this.#networkTries - 1)));
  }

  #renew() {
    if (performance.now() - this.#renewedAt < RENEWED_JUST_NOW_MILLISECONDS) {
      this.#detach();
      this.#say('Part of this video is missing on the server, or it was deleted.', true);
      return;
    }
    // Set before the answer is there: several segments may be refused in the same moment.
    this.#renewedAt = performance.now();
    this.reload();
  }

  #renewAt(expiresAt) {
    const wait = new Date(expiresAt).getTime() - Date.now() - RENEW_BEFORE_MILLISECONDS;
    // A clock that runs ahead of the server's must not lead to a renewal a second; refused segments still renew.
    if (!Number.isFinite(wait) || wait <= 0) return;
    this.#renewTimer = setTimeout(() => this.reload(), Math.min(wait, LONGEST_TIMER_MILLISECONDS));
  }

  async #play() {
    try {
      await this.#video.play();
    } catch (error) {
      // The browser wants a click first, or another load came between: the controls are there for both.
      if (!['NotAllowedError', 'AbortError'].includes(error.name)) throw error;
    }
  }

  /** Where the viewer is, in seconds; a video element without its source says 0. */
  #place() {
    if (this.#video.currentTime > 0) this.#lastPlace = this.#video.currentTime;
    return this.#lastPlace;
  }

  #detach() {
    this.#place();
    this.#hls?.destroy();
    this.#hls = null;
  }

  #say(message, final = false) {
    if (message === this.message && final === this.final) return;
    this.message = message;
    this.final = final;
    this.dispatchEvent(new Event('trouble'));
  }
}
