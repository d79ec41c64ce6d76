/** An upload that was begun in this browser and did not end: its file has to be chosen again, or it is given up. */

import { sentenceOf } from '../lib/api.js';
import { announce, fromTemplate, setProgress, setText, showText } from '../lib/dom.js';
import { bytes, percent } from '../lib/format.js';
import { discard, fingerprint, forget, isElsewhere, offsetOf, remembered } from './memory.js';

/** Those that can be gone on with, with the bytes that are there. What is over is forgotten. Rejects when none can be asked. */
export async function abandoned() {
  const found = [];
  for (const entry of await remembered()) {
    if (await isElsewhere(entry.uploadUrl)) continue;
    const offset = await offsetOf(entry);
    if (offset === null) await forget(entry);
    else found.push({ entry, offset });
  }
  return found;
}

/** Its row. `chosen(file, entry)` is called with its file, `gone()` when the row is to go. */
export class Ghost {
  #parts;
  #told;

  constructor({ entry, offset }, told) {
    const { root, parts } = fromTemplate('ghost-template');
    this.root = root;
    this.entry = entry;
    this.#parts = parts;
    this.#told = told;
    const { filename } = entry.metadata;
    setText(parts.name, filename);
    setProgress(parts.progress, offset / entry.size);
    parts.progress.setAttribute('aria-label', `Progress of ${filename}`);
    parts.discard.setAttribute('aria-label', `Discard: ${filename}`);
    setText(parts.status, `Stopped at ${percent(offset / entry.size)} of ${bytes(entry.size)}. Choose the file again to go on.`);
    parts.continue.setAttribute('aria-label', `Continue: choose ${filename} again`);
    parts.continue.addEventListener('click', () => parts.file.click());
    parts.file.addEventListener('change', () => this.#choose(parts.file.files[0]));
    parts.discard.addEventListener('click', () => this.#discard());
  }

  /** Whether it is this file's. */
  async isOf(file) {
    return this.entry.urlStorageKey.startsWith(`tus::${await fingerprint(file)}::`);
  }

  async #choose(file) {
    if (!file) return;
    this.#parts.file.value = '';
    if (await this.isOf(file)) {
      this.#told.chosen(file, this.entry);
      return;
    }
    const { filename } = this.entry.metadata;
    const same = file.name === filename && file.size === this.entry.size;
    const why = same ? 'it was changed since' : `that is ${file.name} of ${bytes(file.size)}`;
    showText(this.#parts.error, `This is not the file that was begun with (${filename} of ${bytes(this.entry.size)}): ${why}.`);
  }

  async #discard() {
    this.#parts.discard.disabled = true;
    try {
      await discard(this.entry);
      announce(`${this.entry.metadata.filename}: discarded`);
      this.#told.gone();
    } catch (error) {
      this.#parts.discard.disabled = false;
      showText(this.#parts.error, sentenceOf(error));
    }
  }
}
