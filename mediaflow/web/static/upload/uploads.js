/** The list of files on their way, from the drop to the finished video. */

import { sentenceOf } from '../lib/api.js';
import { announce, byId, fromTemplate, setProgress, setText, showText } from '../lib/dom.js';
import { followAsset } from '../lib/follow.js';
import { bytes, failure, isSettled, percent, progressSentence, speed, timeLeft, titleOf } from '../lib/format.js';
import { Ghost, abandoned } from './ghost.js';
import { forget, remembered } from './memory.js';
import { Upload } from './upload.js';

// Two at a time: a small file need not wait behind a film, and the first one is still done early.
const PARALLEL_FILES = 2;

/** What going on is called, from each state in which it does not go on by itself or not at once. */
const GOING_ON = { paused: 'Continue', away: 'Try now', failed: 'Try again' };

/** Says `changed` when an asset appeared or settled, `progress` when the overall fraction (or null) changed. */
export class UploadList extends EventTarget {
  #rows = [];
  #ghosts = [];

  constructor() {
    super();
    addEventListener('online', () => this.#each((upload) => upload.tryNow()));
    addEventListener('offline', () => this.#each((upload) => upload.lose()));
  }

  async add(files) {
    for (const file of files) {
      const ghosts = await Promise.all(this.#ghosts.map((ghost) => ghost.isOf(file)));
      const ghost = this.#ghosts[ghosts.indexOf(true)];
      if (ghost) this.#drop(ghost);
      this.#append(file, ghost?.entry);
    }
    this.#arrange();
    this.#startNext();
  }

  /** Show what was begun in this browser before, and did not end. */
  async recall() {
    let found = [];
    try {
      found = await abandoned();
    } catch {
      return; // out of reach; what is remembered stays
    }
    for (const each of found) {
      const known = this.#ghosts.some(({ entry }) => entry.urlStorageKey === each.entry.urlStorageKey);
      if (known || this.#rows.some(({ upload }) => upload.isOf(each.entry))) continue;
      const ghost = new Ghost(each, {
        chosen: (file) => this.add([file]),
        gone: () => {
          this.#drop(ghost);
          this.dispatchEvent(new Event('changed'));
        },
      });
      this.#ghosts.push(ghost);
      byId('uploads').append(ghost.root);
    }
    this.#arrange();
  }

  #append(file, entry) {
    const row = new Row(file, entry, (changed) => this.#changed(changed));
    this.#rows.push(row);
    byId('uploads').append(row.root);
  }

  #drop(ghost) {
    ghost.root.remove();
    this.#ghosts = this.#ghosts.filter((other) => other !== ghost);
    this.#arrange();
  }

  #arrange() {
    byId('uploads-panel').hidden = this.#rows.length + this.#ghosts.length === 0;
  }

  #each(act) {
    for (const { upload } of this.#rows) act(upload);
  }

  /** True while leaving the page would lose something. */
  get busy() {
    return this.#rows.some((row) => row.sending);
  }

  /** Hold everything, for whoever signs in again to go on with. */
  pause() {
    for (const row of this.#rows) row.pause();
  }

  /** Nobody is signed in: what was begun is looked for when somebody is. */
  hideGhosts() {
    for (const ghost of [...this.#ghosts]) this.#drop(ghost);
  }

  /** Stop sending and forget all: somebody else may sign in. */
  async clear() {
    for (const row of this.#rows) row.dispose();
    this.#rows = [];
    this.hideGhosts();
    for (const entry of await remembered()) await forget(entry);
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
      this.#arrange();
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

  constructor(file, entry, changed) {
    const { root, parts } = fromTemplate('upload-template');
    this.root = root;
    this.#parts = parts;
    this.#changed = changed;
    this.upload = new Upload(file, entry);
    this.upload.addEventListener('change', () => this.#show());
    setText(parts.name, file.name);
    for (const [part, verb] of [['pause', 'Pause'], ['cancel', 'Cancel'], ['dismiss', 'Dismiss']]) {
      parts[part].setAttribute('aria-label', `${verb}: ${file.name}`);
    }
    parts.progress.setAttribute('aria-label', `Progress of ${file.name}`);
    parts.pause.addEventListener('click', () => this.upload.pause());
    parts.resume.addEventListener('click', () => (this.upload.state === 'away' ? this.upload.tryNow() : this.start()));
    parts.cancel.addEventListener('click', () => this.#cancel());
    parts.dismiss.addEventListener('click', () => this.#leave());
    this.#show();
  }

  get sending() {
    return this.upload.active || ['waiting', 'paused'].includes(this.upload.state);
  }

  start() {
    return this.upload.start();
  }

  pause() {
    if (this.sending) this.upload.pause();
  }

  dispose() {
    this.#following.abort();
    this.upload.leave();
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
      if (upload.state === 'done') this.#follow();
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
    if (upload.state === 'away') return `${upload.note} · ${percent(upload.fraction)} of ${size}`;
    const parts = [`Uploading ${percent(upload.fraction)} of ${size}`];
    if (upload.bytesPerSecond) parts.push(speed(upload.bytesPerSecond), timeLeft(upload.secondsLeft));
    return parts.filter(Boolean).join(' · ');
  }

  #buttons() {
    const { state, canRetry } = this.upload;
    const ended = state === 'done' || (state === 'failed' && !canRetry);
    this.#parts.pause.hidden = state !== 'uploading';
    this.#parts.resume.hidden = !(state in GOING_ON) || ended;
    const goOn = GOING_ON[state] ?? '';
    setText(this.#parts.resume, goOn);
    this.#parts.resume.setAttribute('aria-label', `${goOn}: ${this.upload.file.name}`);
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
      const asset = await followAsset(this.upload.assetId, { signal, onUpdate: (seen) => this.#showAsset(seen) });
      announce(asset.state === 'ready' ? `${titleOf(asset)} is ready to watch` : `${titleOf(asset)}: ${failure(asset)}`);
    } catch (error) {
      if (signal.aborted) return;
      this.#showFailure(error.status === 404 ? 'This video was deleted.' : sentenceOf(error));
    }
    this.milestone = true;
    this.#changed(this);
  }

  #showAsset(asset) {
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

  #showFailure(sentence) {
    this.root.dataset.state = 'failed';
    setText(this.#parts.status, 'Stopped');
    this.#parts.progress.hidden = true;
    showText(this.#parts.error, sentence);
    announce(`${this.upload.file.name}: ${sentence}`);
  }
}
