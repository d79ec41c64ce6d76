/** The list of files on their way, from the drop to the finished video. */

import { ApiError, sentenceOf, uploads } from '../lib/api.js';
import { announce, byId, fromTemplate, setProgress, setText, showText } from '../lib/dom.js';
import { followAsset } from '../lib/follow.js';
import { bytes, failure, isSettled, percent, progressSentence, speed, timeLeft, titleOf } from '../lib/format.js';
import { Upload } from './upload.js';

// Two at a time: a small file need not wait behind a film, and the first one is still done early.
const PARALLEL_FILES = 2;

/** Says `changed` when an asset appeared or settled, `progress` when the overall fraction (or null) changed. */
export class UploadList extends EventTarget {
  #rows = [];

  add(files) {
    for (const file of files) {
      const row = new Row(file, (changed) => this.#changed(changed));
      this.#rows.push(row);
      byId('uploads').append(row.root);
    }
    byId('uploads-panel').hidden = this.#rows.length === 0;
    this.#startNext();
  }

  /** True while leaving the page would lose something. */
  get busy() {
    return this.#rows.some((row) => row.sending);
  }

  /** Hold everything, for whoever signs in again to go on with. */
  pause() {
    for (const row of this.#rows) row.pause();
  }

  /** Stop sending and forget the rows: somebody else may sign in. */
  clear() {
    for (const row of this.#rows) row.dispose();
    this.#rows = [];
    byId('uploads-panel').hidden = true;
  }

  #startNext() {
    for (const row of this.#rows) {
      if (this.#rows.filter((other) => other.upload.active).length >= PARALLEL_FILES) return;
      if (row.upload.state === 'waiting') row.start();
    }
  }

  #changed(row) {
    if (row.gone) {
      this.#rows = this.#rows.filter((other) => other !== row);
      byId('uploads-panel').hidden = this.#rows.length === 0;
    }
    if (row.milestone) {
      row.milestone = false;
      this.dispatchEvent(new Event('changed'));
      this.#startNext();
    }
    const sending = this.#rows.filter((other) => other.sending);
    const total = sending.reduce((sum, other) => sum + other.upload.file.size, 0);
    const sent = sending.reduce((sum, other) => sum + other.upload.sentBytes, 0);
    this.dispatchEvent(new CustomEvent('progress', { detail: total > 0 ? sent / total : null }));
  }
}

/** One file's row. `milestone` is set when the library has something new to show. */
class Row {
  milestone = false;
  gone = false;
  #parts;
  #changed;
  #shownState = '';
  #announced = 0;
  #following = new AbortController();

  constructor(file, changed) {
    const { root, parts } = fromTemplate('upload-template');
    this.root = root;
    this.#parts = parts;
    this.#changed = changed;
    this.upload = new Upload(file);
    this.upload.addEventListener('change', () => this.#show());
    setText(parts.name, file.name);
    for (const [part, verb] of [['pause', 'Pause'], ['resume', 'Continue'], ['cancel', 'Cancel'], ['dismiss', 'Dismiss']]) {
      parts[part].setAttribute('aria-label', `${verb}: ${file.name}`);
    }
    parts.progress.setAttribute('aria-label', `Progress of ${file.name}`);
    parts.pause.addEventListener('click', () => this.upload.pause());
    parts.resume.addEventListener('click', () => this.start());
    parts.cancel.addEventListener('click', () => this.#cancel());
    parts.dismiss.addEventListener('click', () => this.#leave());
    this.#show();
  }

  get sending() {
    return this.upload.active || ['waiting', 'paused'].includes(this.upload.state);
  }

  async start() {
    await this.upload.start();
    if (this.upload.state === 'done') await this.#follow();
  }

  pause() {
    if (this.sending) this.upload.pause();
  }

  dispose() {
    this.#following.abort();
    this.pause();
    this.root.remove();
  }

  async #cancel() {
    this.#leave();
    await this.upload.cancel();
    this.milestone = true;
    this.#changed(this);
  }

  #leave() {
    this.#following.abort();
    this.root.remove();
    this.gone = true;
    this.#changed(this);
  }

  #show() {
    const { upload } = this;
    if (upload.state !== this.#shownState) {
      this.#shownState = upload.state;
      this.milestone = true;
      this.#buttons();
    }
    if (upload.state !== 'done') {
      setProgress(this.#parts.progress, upload.fraction);
      setText(this.#parts.status, this.#status());
      showText(this.#parts.error, upload.state === 'failed' ? upload.error : null);
      this.root.dataset.state = upload.state;
      this.#sayQuarters();
    }
    this.#changed(this);
  }

  #status() {
    const { upload } = this;
    const size = bytes(upload.file.size);
    if (upload.state === 'waiting') return `Waiting · ${size}`;
    if (upload.state === 'starting') return `Starting · ${size}`;
    if (upload.state === 'paused') return `Paused at ${percent(upload.fraction)} of ${size}`;
    if (upload.state === 'failed') return 'Upload stopped';
    if (upload.note) return upload.note;
    const parts = [`Uploading ${percent(upload.fraction)} of ${size}`];
    if (upload.bytesPerSecond) parts.push(speed(upload.bytesPerSecond), timeLeft(upload.secondsLeft));
    return parts.filter(Boolean).join(' · ');
  }

  #buttons() {
    const { state, canRetry } = this.upload;
    const ended = state === 'done' || (state === 'failed' && !canRetry);
    this.#parts.pause.hidden = state !== 'uploading';
    this.#parts.resume.hidden = !['paused', 'failed'].includes(state) || ended;
    setText(this.#parts.resume, state === 'failed' ? 'Try again' : 'Continue');
    this.#parts.cancel.hidden = ended;
    this.#parts.dismiss.hidden = !ended;
    this.#parts.progress.hidden = state === 'failed' && ended;
  }

  #sayQuarters() {
    const quarter = Math.floor(this.upload.fraction * 4);
    if (quarter <= this.#announced || this.upload.state !== 'uploading') return;
    this.#announced = quarter;
    announce(`${this.upload.file.name}: ${quarter * 25} percent uploaded`);
  }

  async #follow() {
    const { signal } = this.#following;
    try {
      const asset = await followAsset(this.upload.assetId, { signal, onUpdate: (seen) => this.#showAsset(seen, signal) });
      announce(asset.state === 'ready' ? `${titleOf(asset)} is ready to watch` : `${titleOf(asset)}: ${failure(asset)}`);
    } catch (error) {
      if (signal.aborted) return;
      this.#showFailure(error.status === 404 ? 'This video was deleted.' : sentenceOf(error));
    }
    this.milestone = true;
    this.#changed(this);
  }

  async #showAsset(asset, signal) {
    if (asset.state === 'created') await this.#checkUpload(signal);
    const failed = ['failed', 'rejected'].includes(asset.state);
    if (this.root.dataset.state !== asset.state) this.milestone = true;
    this.root.dataset.state = asset.state;
    setText(this.#parts.status, progressSentence(asset));
    // Without a figure the bar only says that something goes on.
    setProgress(this.#parts.progress, asset.state === 'processing' ? (asset.progress ?? 0) : null);
    this.#parts.progress.hidden = isSettled(asset);
    showText(this.#parts.error, failed ? failure(asset) : null);
    this.#parts.watch.hidden = !(asset.state === 'ready' || asset.playable);
    this.#parts.watch.href = `#/watch/${asset.id}`;
    this.#changed(this);
  }

  /** An upload that fails after its last chunk (a wrong checksum, a full disk) may leave its asset as it was created. */
  async #checkUpload(signal) {
    const known = await uploads.read(this.upload.uploadId, signal);
    if (known.state === 'failed') {
      throw new ApiError(-1, { detail: known.error?.detail ?? 'The upload could not be stored. Try it again.' });
    }
  }

  #showFailure(sentence) {
    this.root.dataset.state = 'failed';
    setText(this.#parts.status, 'Stopped');
    this.#parts.progress.hidden = true;
    showText(this.#parts.error, sentence);
    announce(`${this.upload.file.name}: ${sentence}`);
  }
}
