/**
 * The token in a stream's addresses ends after a while, and at once when the video's privacy changes. Here it is renewed under
 * a playing video: the player goes on asking for the addresses that it knows, and what leaves the page bears the newest token.
 */

import { NetworkError, assets, sleep } from '../lib/api.js';

const TOKEN = /(\/stream\/)([^/]+)(?=\/)/;
const REFUSED = [401, 403, 404, 410];
// A change of privacy ends tokens at once, and may reach another of the server's processes up to ten seconds later.
const WAITS_MILLISECONDS = [0, 1000, 3000, 8000];
const RENEW_BEFORE_MILLISECONDS = 60_000;
const SHORTEST_TIMER_MILLISECONDS = 3000;
const LONGEST_TIMER_MILLISECONDS = 2 ** 31 - 1;
const AWAY_MILLISECONDS = 5000;

/** The token in a stream's address, or null when it is none. */
export function tokenOf(url) {
  return TOKEN.exec(url)?.[2] ?? null;
}

/** The same address with another token. */
export function withToken(url, token) {
  return url.replace(TOKEN, (_, before) => before + token);
}

/** When to renew a token that ends in so many milliseconds: in good time, but not all the time; null for never. */
export function renewalWait(milliseconds) {
  // A clock that runs ahead of the server's must not lead to a renewal a second: what is refused renews all the same.
  if (!Number.isFinite(milliseconds) || milliseconds <= 0) return null;
  const wait = Math.max(milliseconds / 2, milliseconds - RENEW_BEFORE_MILLISECONDS);
  return Math.min(LONGEST_TIMER_MILLISECONDS, Math.max(SHORTEST_TIMER_MILLISECONDS, wait));
}

/** Says `renewed` when there is a new playback document, `refused` (`detail` is the error) when there will be none. */
export class StreamAddress extends EventTarget {
  /** The newest answer of the playback operation, or null. */
  playback = null;
  #assetId;
  #closing = new AbortController();
  #pending = null;
  #timer = null;

  constructor(assetId) {
    super();
    this.#assetId = assetId;
  }

  get token() {
    return this.playback?.token ?? null;
  }

  /** Get new addresses; several who ask at the same time get one answer. */
  renew() {
    this.#pending ??= this.#renew().finally(() => (this.#pending = null));
    return this.#pending;
  }

  /** The address as it is valid now. */
  current(url) {
    return this.token === null ? url : withToken(url, this.token);
  }

  /** After the token was refused for the time `tries` (from 0): resolves when it is worth trying again. */
  async refused(token, tries) {
    // Several segments may be refused in the same moment: one of them renews for all.
    if (token === this.token) await this.renew();
    const wait = token === this.token ? WAITS_MILLISECONDS[Math.max(1, tries)] : WAITS_MILLISECONDS[tries];
    if (wait === undefined) return false;
    await sleep(wait, this.#closing.signal);
    return true;
  }

  close() {
    this.#closing.abort();
    clearTimeout(this.#timer);
  }

  async #renew() {
    clearTimeout(this.#timer);
    try {
      this.playback = await assets.playback(this.#assetId, this.#closing.signal);
    } catch (error) {
      if (error instanceof NetworkError) this.#renewIn(AWAY_MILLISECONDS);
      else if (!this.#closing.signal.aborted) this.dispatchEvent(new CustomEvent('refused', { detail: error }));
      throw error;
    }
    this.#renewIn(renewalWait(new Date(this.playback.expires_at).getTime() - Date.now()));
    this.dispatchEvent(new Event('renewed'));
  }

  #renewIn(milliseconds) {
    if (milliseconds === null || this.#closing.signal.aborted) return;
    // What goes wrong is told by the event, or tried again.
    this.#timer = setTimeout(() => this.renew().catch(() => null), milliseconds);
  }
}

/**
 * A loader for hls.js (its documented interface) on top of its own: it asks with the newest token, and asks again with a newer
 * one when that is refused. hls.js sees nothing but a slower answer.
 */
export function renewingLoader(Loader, address) {
  return class {
    context = null;
    #inner;
    #config;
    #over = false;

    constructor(config) {
      this.#config = config;
      this.#inner = new Loader(config);
      this.stats = this.#inner.stats;
    }

    load(context, config, callbacks) {
      this.context = context;
      this.#try(context, config, callbacks, 0);
    }

    abort() {
      this.#over = true;
      this.#inner.abort();
    }

    destroy() {
      this.#over = true;
      this.#inner.destroy();
    }

    getCacheAge() {
      return this.#inner.getCacheAge();
    }

    getResponseHeader(name) {
      return this.#inner.getResponseHeader(name);
    }

    #try(context, config, callbacks, tries) {
      const url = address.current(context.url);
      // hls.js knows its request by its context: it gets the one back that it gave.
      const back = (call) => call && ((first, second, _, details) => call(first, second, context, details));
      this.#inner.load({ ...context, url }, config, {
        onSuccess: back(callbacks.onSuccess),
        onProgress: callbacks.onProgress && ((stats, _, data, details) => callbacks.onProgress(stats, context, data, details)),
        onTimeout: (stats, _, details) => callbacks.onTimeout(stats, context, details),
        onAbort: (stats, _, details) => callbacks.onAbort?.(stats, context, details),
        onError: async (error, _, details, stats) => {
          const verdict = REFUSED.includes(error.code) ? await this.#verdict(tokenOf(url), tries) : 'as it is';
          if (this.#over) return;
          if (verdict === 'again') this.#tryAnew(context, config, callbacks, tries + 1);
          // What could not be renewed because the network is away is no refusal.
          else callbacks.onError(verdict === 'away' ? { code: 0, text: '' } : error, context, details, stats);
        },
      });
    }

    async #verdict(token, tries) {
      try {
        return (await address.refused(token, tries)) ? 'again' : 'refused';
      } catch (error) {
        return error instanceof NetworkError ? 'away' : 'refused';
      }
    }

    #tryAnew(context, config, callbacks, tries) {
      // A loader of hls.js loads once. The figures stay the same object, which hls.js holds already.
      Object.assign(this.stats.loading, { start: 0, first: 0, end: 0 });
      this.#inner.destroy();
      this.#inner = new Loader(this.#config);
      this.#inner.stats = this.stats;
      this.#try(context, config, callbacks, tries);
    }
  };
}
