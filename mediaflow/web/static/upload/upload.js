/** One file on its way: begin or find again, send, pause, wait for the network, go on, cancel. No DOM in here. */

import { ApiError, BASE, NetworkError, WRITE_HEADERS, events, parseProblem, retryAfter, sentenceOf } from '../lib/api.js';
import { claim, discard, fingerprint, isElsewhere, pathOf, remembered, tus } from './memory.js';
import { recentSpeed, retryDelay } from './patience.js';
import { Source } from './source.js';

/** What a connection that breaks may lose, and a chunk of the service. */
const CHUNK_BYTES = 1024 * 1024;
/** A pause lets go of what is being sent when that is all there, or after so long. */
const LAST_MILLISECONDS = 1000;
const STALL_MILLISECONDS = 30_000;
const SPEED_WINDOW_MILLISECONDS = 6000;
const NEVER_AGAIN = [-1, 400, 404, 410, 413, 415, 422];

/**
 * `state` is waiting, starting, uploading, paused, away (it waits until the service can be reached, and goes on by itself), done,
 * failed or cancelled; each change of state or progress says `change`. `sentBytes`, `bytesPerSecond` and `secondsLeft` are for
 * display; `error` is a sentence when it failed.
 */
export class Upload extends EventTarget {
  state = 'waiting';
  error = null;
  /** False when the server refused the file itself: sending it again can't help. */
  canRetry = true;
  assetId = null;
  sentBytes = 0;
  note = '';

  #entry;
  #tus = null;
  #source;
  #release = null;
  #samples = [];
  #tries = 0;
  #again;
  #stall;
  #stopping;

  /** `entry` is what is remembered of it, where that is known: else it is looked for. */
  constructor(file, entry = null) {
    super();
    this.file = file;
    this.#source = new Source(file);
    this.#entry = entry;
  }

  get active() {
    return ['starting', 'uploading', 'away'].includes(this.state);
  }

  /** Whether it is what is remembered there. */
  isOf({ uploadUrl }) {
    const url = this.#tus?.url ?? this.#entry?.uploadUrl;
    return Boolean(url) && pathOf(url) === pathOf(uploadUrl);
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
    if (this.#stopping) {
      // what was being sent when it was paused still is
      this.#stopping = clearTimeout(this.#stopping);
      this.#become('uploading');
      return;
    }
    this.#become('starting');
    if (this.file.size === 0) {
      this.#fail(new ApiError(-1, { detail: 'This file is empty: there is nothing in it to play.' }));
      return;
    }
    if (this.#tus === null) await this.#prepare();
    if (this.state === 'starting') this.#go();
  }

  pause() {
    const sending = this.state === 'uploading';
    this.#become('paused');
    clearTimeout(this.#again);
    if (sending) this.#stopping = setTimeout(() => this.#stop(), LAST_MILLISECONDS);
    else this.#stop();
  }

  /** Don't wait any longer. */
  tryNow() {
    if (this.state !== 'away') return;
    clearTimeout(this.#again);
    this.#go();
  }

  /** The network is gone: what is being sent will not arrive. */
  lose() {
    if (!['starting', 'uploading'].includes(this.state)) return;
    this.#stop();
    this.#failed(new NetworkError());
  }

  /** Stop for good; the server drops what it has. */
  async cancel() {
    this.#become('cancelled');
    clearTimeout(this.#again);
    this.#quiet();
    try {
      if (this.#tus?.url) await this.#tus.abort(true);
      else if (this.#entry !== null) await discard(this.#entry);
    } catch {
      // Gone already, or out of reach: then the server's own expiry removes it.
    }
    this.#letGo();
  }

  /** Stop, and leave all as it is: the same file goes on here or in another tab. */
  leave() {
    clearTimeout(this.#again);
    this.#stop();
    this.#letGo();
  }

  async #prepare() {
    const { file } = this;
    const upload = new tus.Upload(file, {
      endpoint: `${BASE}/tus`,
      chunkSize: CHUNK_BYTES,
      headers: { ...WRITE_HEADERS },
      metadata: { filename: file.name, ...(file.type ? { filetype: file.type } : {}) },
      fileReader: { openFile: () => this.#source.openFile() },
      fingerprint,
      retryDelays: null,
      removeFingerprintOnSuccess: true,
      onBeforeRequest: (request) => this.#before(request),
      onAfterResponse: (_, response) => this.#after(response),
      onUploadUrlAvailable: () => this.#found(),
      onProgress: (sent) => this.#count(sent),
      onChunkComplete: () => this.#kept(),
      onSuccess: () => this.#finished(),
      onError: (error) => this.#failed(asApiError(error)),
    });
    this.#entry ??= await this.#lastTime();
    if (this.#entry !== null) upload.resumeFromPreviousUpload({ ...this.#entry, uploadUrl: pathOf(this.#entry.uploadUrl) });
    this.#tus = upload;
  }

  /** The last time that this file was sent, if it did not end and no other tab goes on with it. */
  async #lastTime() {
    const print = await fingerprint(this.file);
    for (const entry of await remembered()) {
      const same = entry.urlStorageKey.startsWith(`tus::${print}::`);
      if (same && !(await isElsewhere(entry.uploadUrl))) return entry;
    }
    return null;
  }

  #go() {
    this.#become('starting');
    this.#watch();
    this.#tus.start();
  }

  #before(request) {
    // judged at once, as nobody wants to wait for the end of a film to hear that it is a letter
    if (request.getMethod() === 'POST') request.setHeader('Prefer', 'handling=strict');
    if (request.getMethod() === 'PATCH' && this.#source.checksum) {
      request.setHeader('Upload-Checksum', this.#source.checksum);
    }
  }

  #after(response) {
    this.assetId = response.getHeader('Mediaflow-Asset-Id') ?? this.assetId;
  }

  async #found() {
    this.#tus.url = pathOf(this.#tus.url);
    const { url } = this.#tus;
    if (this.#release === null) this.#release = (await claim(url)) ?? (() => {});
  }

  #count(sent) {
    this.#watch();
    if (this.state === 'starting' || this.state === 'away') this.#become('uploading');
    if (!['uploading', 'paused'].includes(this.state)) return;
    this.sentBytes = Math.min(sent, this.file.size);
    const now = performance.now();
    this.#samples = this.#samples.filter(([time]) => now - time < SPEED_WINDOW_MILLISECONDS);
    this.#samples.push([now, sent]);
    this.dispatchEvent(new Event('change'));
  }

  #kept() {
    this.#tries = 0;
    if (this.state === 'paused') this.#stop();
  }

  #finished() {
    this.#quiet();
    this.#letGo();
    this.sentBytes = this.file.size;
    this.#become('done');
  }

  #failed(error) {
    if (!this.active) return;
    this.#quiet();
    const wait = retryDelay(error, this.#tries);
    if (wait === null) {
      this.#fail(error);
      return;
    }
    this.#tries += 1;
    this.#become('away');
    this.note = error.status === 0 ? 'Waiting for the connection' : 'The server is busy';
    this.#again = setTimeout(() => this.#go(), wait);
    this.dispatchEvent(new Event('change'));
  }

  #fail(error) {
    if (error.status === 401) events.dispatchEvent(new Event('signed-out'));
    this.error = sentenceOf(error);
    this.canRetry = !NEVER_AGAIN.includes(error.status);
    if (!this.canRetry) this.#letGo();
    this.#become('failed');
  }

  #become(state) {
    const before = this.state;
    this.state = state;
    this.note = '';
    if (state !== before) this.#samples = [];
    this.dispatchEvent(new Event('change'));
  }

  /** From here on something has to move within a while. */
  #watch() {
    clearTimeout(this.#stall);
    this.#stall = setTimeout(() => this.lose(), STALL_MILLISECONDS);
  }

  #quiet() {
    clearTimeout(this.#stall);
    this.#stopping = clearTimeout(this.#stopping);
  }

  #stop() {
    this.#quiet();
    this.#tus?.abort();
  }

  #letGo() {
    this.#release?.();
    this.#release = null;
  }
}

/** What tus-js-client says that went wrong, as the rest of the page knows errors. */
function asApiError(error) {
  if (error instanceof ApiError) return error;
  if (error.causingError instanceof ApiError) return error.causingError;
  const response = error.originalResponse;
  if (error.originalRequest === undefined) return error;
  if (!response || response.getStatus() === 0) return new NetworkError();
  const wait = retryAfter(response.getHeader('Retry-After'));
  return new ApiError(response.getStatus(), parseProblem(response.getBody()), wait);
}
