/** One file on its way: announce, send the chunks in parallel, pause, resume, cancel. No DOM in here. */

import { ApiError, events, sentenceOf, sleep, uploads } from '../lib/api.js';
import { contentDigest, putChunk, readSlice, retryDelay } from './chunks.js';

const PARALLEL_CHUNKS = 3;
const SPEED_WINDOW_MILLISECONDS = 6000;

/** Indexes of the missing chunks, from the server's inclusive ranges. */
export function missingIndexes(ranges) {
  return ranges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, offset) => first + offset));
}

/** Bytes a second over the last few seconds, from [milliseconds, bytes] samples; null until it is known. */
export function recentSpeed(samples) {
  if (samples.length < 2) return null;
  const [firstTime, firstBytes] = samples[0];
  const [lastTime, lastBytes] = samples[samples.length - 1];
  if (lastTime - firstTime < 400) return null;
  return Math.max(0, (1000 * (lastBytes - firstBytes)) / (lastTime - firstTime));
}

/**
 * `state` is waiting, starting, uploading, paused, done, failed or cancelled; each change of state or progress says
 * `change`. `sentBytes`, `bytesPerSecond` and `secondsLeft` are for display; `error` is a sentence when it failed.
 */
export class Upload extends EventTarget {
  state = 'waiting';
  error = null;
  /** False when the server refused the file itself: sending it again can't help. */
  canRetry = true;
  assetId = null;
  sentBytes = 0;
  note = '';

  #uploadId = null;
  #chunkSize = 0;
  #chunkCount = 0;
  #todo = [];
  #received = new Set();
  #inFlight = new Map();
  #samples = [];
  #controller = new AbortController();

  constructor(file) {
    super();
    this.file = file;
  }

  get uploadId() {
    return this.#uploadId;
  }

  get active() {
    return ['starting', 'uploading'].includes(this.state);
  }

  get fraction() {
    return this.file.size === 0 ? 0 : this.sentBytes / this.file.size;
  }

  get bytesPerSecond() {
    return recentSpeed(this.#samples);
  }

  get secondsLeft() {
    const rate = this.bytesPerSecond;
    return rate ? (this.file.size - this.sentBytes) / rate : null;
  }

  /** Start, or go on after a pause or a failure: what the server already has is not sent again. */
  async start() {
    this.error = null;
    this.#controller = new AbortController();
    const { signal } = this.#controller;
    this.#become('starting');
    try {
      await (this.#uploadId === null ? this.#announce(signal) : this.#catchUp(signal));
      this.#become('uploading');
      await Promise.all(Array.from({ length: PARALLEL_CHUNKS }, () => this.#lane(signal)));
      this.#become('done');
    } catch (error) {
      if (signal.aborted) return;
      this.#controller.abort();
      if (error.status === 401) events.dispatchEvent(new Event('signed-out'));
      this.error = sentenceOf(error);
      this.canRetry = ![-1, 400, 404, 410, 413, 415, 422].includes(error.status);
      this.#become('failed');
    } finally {
      this.#inFlight.clear();
    }
  }

  pause() {
    this.#become('paused');
    this.#controller.abort();
    this.#inFlight.clear();
    this.#count();
  }

  /** Stop for good; the server drops what it has. */
  async cancel() {
    this.#become('cancelled');
    this.#controller.abort();
    if (this.#uploadId === null) return;
    try {
      await uploads.remove(this.#uploadId);
    } catch (error) {
      // Gone already, or out of reach: then the server's own expiry removes it.
      if (!(error instanceof ApiError)) throw error;
    }
  }

  #become(state) {
    this.state = state;
    this.note = '';
    this.#samples = [];
    this.dispatchEvent(new Event('change'));
  }

  async #announce(signal) {
    const { file } = this;
    const announced = await uploads.create(
      {
        filename: file.name,
        size_bytes: file.size,
        ...(file.type ? { content_type: file.type } : {}),
      },
      signal,
    );
    this.assetId = announced.asset_id;
    this.#uploadId = announced.upload_id;
    this.#chunkSize = announced.chunk_size_bytes;
    this.#chunkCount = announced.deduplicated ? 0 : announced.chunk_count;
    this.#todo = Array.from({ length: this.#chunkCount }, (_, index) => index);
  }

  async #catchUp(signal) {
    const known = await uploads.read(this.#uploadId, signal);
    if (known.state === 'expired') {
      // it waited too long, and what had come is gone; the file is still here
      this.#received = new Set();
      await this.#announce(signal);
      return;
    }
    if (known.state === 'failed' || known.state === 'aborted') {
      throw new ApiError(-1, { detail: known.error?.detail ?? `This upload is ${known.state}. Choose the file again.` });
    }
    this.#todo = missingIndexes(known.missing ?? []);
    const missing = new Set(this.#todo);
    this.#received = new Set(Array.from({ length: this.#chunkCount }, (_, i) => i).filter((i) => !missing.has(i)));
    this.#count();
  }

  async #lane(signal) {
    while (this.#todo.length > 0) {
      signal.throwIfAborted();
      await this.#sendChunk(this.#todo.shift(), signal);
    }
  }

  async #sendChunk(index, signal) {
    const start = index * this.#chunkSize;
    const buffer = await readSlice(this.file.slice(start, start + this.#chunkSize));
    const digest = await contentDigest(buffer);
    const onProgress = (sent) => {
      this.#inFlight.set(index, Math.min(sent, buffer.byteLength));
      this.#count();
    };
    for (let tries = 0; ; tries += 1) {
      try {
        await putChunk(uploads.chunkUrl(this.#uploadId, index), buffer, { digest, signal, onProgress });
        break;
      } catch (error) {
        const wait = signal.aborted ? null : retryDelay(error, tries);
        if (wait === null) throw error;
        this.#inFlight.delete(index);
        this.note = error.status === 0 ? 'Connection lost, trying again…' : 'The server is busy, trying again…';
        this.#count();
        await sleep(wait, signal);
      }
    }
    this.note = '';
    this.#inFlight.delete(index);
    this.#received.add(index);
    this.#count();
  }

  #count() {
    let sent = 0;
    for (const index of this.#received) {
      sent += Math.min(this.#chunkSize, this.file.size - index * this.#chunkSize);
    }
    for (const part of this.#inFlight.values()) sent += part;
    this.sentBytes = sent;
    const now = performance.now();
    this.#samples = this.#samples.filter(([time]) => now - time < SPEED_WINDOW_MILLISECONDS);
    this.#samples.push([now, sent]);
    this.dispatchEvent(new Event('change'));
  }
}
