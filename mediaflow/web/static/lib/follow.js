/** Follow an asset until nothing more happens to it by itself. */

import { assets, sleep } from './api.js';
import { isSettled } from './format.js';
import { live } from './live.js';

const POLL_MILLISECONDS = 1000;
const AWAY_MILLISECONDS = 4000;
// Where news come by themselves, only in case that one was lost.
const LISTENING_MILLISECONDS = 60_000;

/**
 * Tell `onUpdate(asset)` how it is, again with each news of it, and return the settled asset. Where no news come, it is
 * asked for each second. A server that is away for a while is waited for; an asset that is gone, or an error that
 * `onUpdate` throws, ends it, and an aborted signal with its reason.
 */
export async function followAsset(id, { signal, onUpdate, until = isSettled }) {
  const news = newsOf(id, signal);
  let asset = null;
  for (;;) {
    let wait = POLL_MILLISECONDS;
    try {
      const progress = asset === null ? null : news.progress();
      asset = progress === null ? await assets.read(id, signal) : { ...asset, ...progress };
      signal.throwIfAborted();
      await onUpdate(asset);
      if (until(asset)) return asset;
      if (live.covers(asset)) wait = LISTENING_MILLISECONDS;
    } catch (error) {
      const away = error.status === 0 || error.status >= 500;
      if (signal.aborted || !away) throw error;
      wait = AWAY_MILLISECONDS;
      asset = null;
    }
    await news.next(wait, signal);
  }
}

/** What is told of an asset from now on. */
function newsOf(id, signal) {
  let heard = [];
  let wake = () => {};
  const onNews = ({ detail }) => {
    if (detail.name !== 'reset' && detail.data.asset_id !== id) return;
    heard.push(detail);
    wake();
  };
  live.addEventListener('news', onNews, { signal });
  live.addEventListener('change', () => wake(), { signal });
  return {
    /** How far it is now, when that is all that there is to know; null: it is to be asked for. */
    progress: () => {
      const told = heard;
      heard = [];
      const last = told.at(-1)?.data;
      const enough = told.length > 0 && told.every(({ name }) => name === 'asset.progress') && !isSettled(last);
      return enough ? progressOf(last) : null;
    },
    next: async (milliseconds, until) => {
      if (heard.length > 0) return;
      const woken = new AbortController();
      wake = () => woken.abort();
      until.addEventListener('abort', wake, { once: true });
      await sleep(milliseconds, woken.signal).catch(() => null);
      until.removeEventListener('abort', wake);
      until.throwIfAborted();
    },
  };
}

/** The fields of an asset that `asset.progress` tells. */
export function progressOf({ state, progress, eta_seconds, playable }) {
  return { state, progress, eta_seconds, playable };
}
