/**
 * What happens, as the service tells it: one connection for all tabs. The tab that holds the lock listens, and tells the
 * others. Where a browser has no locks (plain http on a LAN address), or nothing comes, `open` is false: ask, then.
 */

import { BASE } from './api.js';
import { isAdmin, isOwn } from './me.js';

const AGAIN_MILLISECONDS = 20_000;
// A stream ends after some minutes, and the browser connects again by itself: nothing is missed meanwhile.
const LOST_MILLISECONDS = 6000;

/** All names of the log (mediaflow/domain/events.py), for an EventSource hears only what it is told to. */
export const NAMES = [
  'asset.created', 'asset.processing', 'asset.playable', 'asset.ready', 'asset.failed', 'asset.rejected', 'asset.updated',
  'asset.captioned', 'asset.shared', 'asset.deleted', 'asset.restored', 'asset.purged', 'upload.stored', 'upload.failed',
  'upload.aborted', 'upload.expired', 'original.changed', 'task.failed', 'job.done', 'job.failed', 'job.cancelled',
];

/** Says `news` (detail: `{name, data}`; `reset`: read anew what you show), and `change` when `open` is another. */
class Live extends EventTarget {
  open = false;
  #stopped = new AbortController();
  #channel = null;
  #leads = false;
  #last = null;

  /** Listen for this user, until `stop()`. */
  start(user) {
    this.stop();
    if (!navigator.locks || !window.BroadcastChannel) return;
    this.#stopped = new AbortController();
    const { signal } = this.#stopped;
    const name = `mediaflow-events:${user}`;
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = ({ data }) => this.#hear(data);
    this.#channel.postMessage({ isOpen: null });
    navigator.locks.request(name, { signal }, () => this.#lead(signal)).catch((error) => {
      if (!signal.aborted) throw error;
    });
  }

  stop() {
    this.#stopped.abort();
    this.#channel?.close();
    this.#channel = null;
    this.#last = null;
    this.#become(false);
  }

  /** True when whatever happens to the asset is told. */
  covers(asset) {
    return this.open && (isAdmin() || isOwn(asset));
  }

  /** Holds the lock as long as this page is there and the same user signed in. */
  #lead(signal) {
    this.#leads = true;
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => {
        this.#leads = false;
        resolve();
      });
      this.#listen(signal);
    });
  }

  #listen(signal) {
    if (signal.aborted) return;
    const since = this.#last;
    const source = new EventSource(since === null ? `${BASE}/events` : `${BASE}/events?last_event_id=${since}`);
    signal.addEventListener('abort', () => source.close());
    let losing = null;
    source.onopen = () => {
      clearTimeout(losing);
      losing = null;
      this.#say({ isOpen: true });
      // What happened before nobody heard.
      if (since === null && this.#last === null) this.#say({ name: 'reset', data: {} });
    };
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) {
        this.#say({ isOpen: false });
        setTimeout(() => this.#listen(signal), AGAIN_MILLISECONDS);
      } else {
        losing ??= setTimeout(() => this.#say({ isOpen: false }), LOST_MILLISECONDS);
      }
    };
    for (const name of [...NAMES, 'asset.progress', 'reset']) {
      source.addEventListener(name, ({ data, lastEventId }) => this.#say({ name, data: JSON.parse(data), last: lastEventId }));
    }
  }

  /** To this tab and to the others. */
  #say(message) {
    if (this.#stopped.signal.aborted) return;
    this.#channel.postMessage(message);
    this.#hear(message);
  }

  #hear({ name, data, last, isOpen }) {
    if (isOpen === null) {
      if (this.#leads) this.#channel.postMessage({ isOpen: this.open });
    } else if (isOpen !== undefined) {
      this.#become(isOpen);
    } else {
      this.#last = last || this.#last;
      this.dispatchEvent(new CustomEvent('news', { detail: { name, data } }));
    }
  }

  #become(open) {
    if (this.open === open) return;
    this.open = open;
    this.dispatchEvent(new Event('change'));
  }
}

export const live = new Live();
