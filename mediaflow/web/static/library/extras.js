/** The part of the edit dialog that acts at once: the picture, captions, and processing again. */

import { assets, profiles, sentenceOf } from '../lib/api.js';
import { byId, confirmed, setText, showText, toast } from '../lib/dom.js';
import { labelled } from '../lib/table.js';
import { languageName, secondsOf, timeText } from '../lib/words.js';
import { Original } from './original.js';

// As in BCP 47; the service knows which ones there are.
const LANGUAGE = /^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$/;
const CAPTION_TYPES = { vtt: 'text/vtt', srt: 'application/x-subrip' };

export class Extras {
  #asset = null;
  #reread;
  #original;

  /** `reread()` gets the asset again after a change, and tells the others. */
  constructor(reread) {
    this.#reread = reread;
    byId('edit-poster-take').addEventListener('click', () => this.#takePoster());
    byId('edit-poster-auto').addEventListener('click', () => this.#changePoster(null));
    byId('edit-poster').addEventListener('keydown', (event) => {
      if (event.key !== 'Enter') return;
      // It would save the form.
      event.preventDefault();
      this.#takePoster();
    });
    byId('edit-caption-language').addEventListener('keydown', (event) => {
      if (event.key !== 'Enter') return;
      event.preventDefault();
      byId('edit-caption-file').click();
    });
    byId('edit-caption-file').addEventListener('change', () => this.#addCaptions());
    byId('edit-process').addEventListener('click', () => this.#process());
    this.#original = new Original(reread);
  }

  hide() {
    this.#asset = null;
    byId('edit-more').hidden = true;
    this.#original.hide();
    for (const id of ['edit-poster', 'edit-caption-language']) byId(id).value = '';
    this.#forgetErrors();
  }

  async show(asset) {
    this.#asset = asset;
    const hasVideo = (asset.renditions ?? []).some((rendition) => rendition.height);
    byId('edit-poster-field').hidden = !(asset.state === 'ready' && hasVideo);
    byId('edit-captions-field').hidden = !hasVideo && asset.state !== 'processing';
    this.#showPoster();
    this.#showCaptions();
    this.#original.show(asset);
    await this.#showProfiles();
    if (this.#asset?.id !== asset.id) return;
    const fields = ['edit-poster-field', 'edit-captions-field', 'edit-original-field', 'edit-process-field'];
    byId('edit-more').hidden = fields.every((id) => byId(id).hidden);
  }

  #forgetErrors() {
    for (const id of ['edit-poster-error', 'edit-captions-error', 'edit-process-error']) showText(byId(id), '');
  }

  /** Do it; what can't be done is said in the element of that id. True when it was done. */
  async #act(errorId, work) {
    const asset = this.#asset;
    this.#forgetErrors();
    try {
      await work(asset.id);
      const fresh = await this.#reread();
      if (this.#asset?.id === asset.id) this.#asset = fresh;
      return this.#asset !== null;
    } catch (error) {
      showText(byId(errorId), sentenceOf(error));
      return false;
    }
  }

  // The picture

  #showPoster() {
    const seconds = this.#asset.poster_seconds;
    const chosen = seconds !== null && seconds !== undefined;
    if (chosen) byId('edit-poster').value = timeText(seconds);
    byId('edit-poster-auto').hidden = !chosen;
    const end = timeText(Math.floor(this.#asset.duration_seconds ?? 0));
    setText(byId('edit-poster-hint'), `A time in the video, from 0:00 to ${end}. ${chosen ? '' : 'The picture was chosen by itself.'}`);
  }

  async #takePoster() {
    const seconds = secondsOf(byId('edit-poster').value);
    if (seconds === null) {
      showText(byId('edit-poster-error'), 'Write a time as minutes and seconds: 1:05, say.');
      byId('edit-poster').focus();
      return;
    }
    const end = this.#asset.duration_seconds ?? Infinity;
    if (seconds > end) {
      showText(byId('edit-poster-error'), `The video ends at ${timeText(Math.floor(end))}.`);
      byId('edit-poster').focus();
      return;
    }
    await this.#changePoster(seconds);
  }

  async #changePoster(seconds) {
    if (!(await this.#act('edit-poster-error', (id) => assets.setPoster(id, seconds)))) return;
    if (seconds === null) byId('edit-poster').value = '';
    this.#showPoster();
    toast('The new picture is being made.');
  }

  // Captions

  #showCaptions() {
    const items = (this.#asset.captions ?? []).map((caption) => {
      const item = document.createElement('li');
      const name = caption.label;
      const button = labelled('button', 'Delete', { className: 'button is-small is-quiet' });
      button.type = 'button';
      button.setAttribute('aria-label', `Delete the captions in ${name}`);
      button.addEventListener('click', () => this.#removeCaptions(caption.language, name));
      item.append(labelled('span', `${name} (${caption.language})`), button);
      return item;
    });
    byId('edit-captions').replaceChildren(...items);
  }

  async #addCaptions() {
    const input = byId('edit-caption-file');
    const [file] = input.files;
    input.value = '';
    if (file === undefined) return;
    const language = byId('edit-caption-language').value.trim();
    if (!LANGUAGE.test(language)) {
      showText(byId('edit-captions-error'), `Write the language of the captions first: en, de or pt-BR, say${language ? `, not “${language}”` : ''}.`);
      byId('edit-caption-language').focus();
      return;
    }
    const type = CAPTION_TYPES[file.name.split('.').pop().toLowerCase()] ?? 'text/vtt';
    if (!(await this.#act('edit-captions-error', (id) => assets.setCaptions(id, language, file, type)))) return;
    byId('edit-caption-language').value = '';
    this.#showCaptions();
    toast(`There are captions in ${languageName(language)} now.`);
  }

  async #removeCaptions(language, name) {
    const yes = await confirmed({
      title: 'Delete these captions?',
      text: `The captions in ${name} can’t be brought back; you would upload their file again.`,
      action: 'Delete',
    });
    if (!yes) return;
    if (!(await this.#act('edit-captions-error', (id) => assets.removeCaptions(id, language)))) return;
    this.#showCaptions();
    byId('edit-caption-language').focus();
  }

  // Processing

  async #showProfiles() {
    const asset = this.#asset;
    const settled = ['ready', 'failed', 'rejected'].includes(asset.state);
    byId('edit-process-field').hidden = true;
    if (!settled) return;
    try {
      const known = await profiles.list();
      if (this.#asset?.id !== asset.id) return;
      byId('edit-profile').replaceChildren(...known.map(({ name, description }) => {
        return new Option(description ? `${name}: ${description}` : name, name, false, name === asset.profile);
      }));
      byId('edit-process-field').hidden = false;
    } catch (error) {
      // Without the profiles there is no choice to offer; all else works.
      if (error.status === 401) throw error;
    }
  }

  async #process() {
    const profile = byId('edit-profile').value;
    if (!(await this.#act('edit-process-error', (id) => assets.reprocess(id, profile)))) return;
    byId('edit-process-field').hidden = true;
    toast('It is being processed again.');
  }
}
