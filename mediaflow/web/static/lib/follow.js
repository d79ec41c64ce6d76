/** Follow an asset until nothing more happens to it by itself. */

import { assets, sleep } from './api.js';
import { isSettled } from './format.js';

const POLL_MILLISECONDS = 1000;
const AWAY_MILLISECONDS = 4000;

/**
 * Ask for the asset each second, tell `onUpdate(asset)`, and return the settled asset. A server that is away for a while
 * is waited for; an asset that is gone, or an error that `onUpdate` throws, ends it, and an aborted signal with its reason.
 */
export async function followAsset(id, { signal, onUpdate, until = isSettled }) {
  for (;;) {
    let wait = POLL_MILLISECONDS;
    try {
      const asset = await assets.read(id, signal);
      signal.throwIfAborted();
      await onUpdate(asset);
      if (until(asset)) return asset;
    } catch (error) {
      const away = error.status === 0 || error.status >= 500;
      if (signal.aborted || !away) throw error;
      wait = AWAY_MILLISECONDS;
    }
    await sleep(wait, signal);
  }
}
