/** The dialog in which an asset's words, visibility and shares are changed. Nothing typed is lost unless one says so. */

import { assets, sentenceOf, tell } from '../lib/api.js';
import { Chips, withNames } from './chips.js';
import { byId, confirmed, setText, toast } from '../lib/dom.js';
import { Extras } from './extras.js';
import { titleOf } from '../lib/format.js';
import { changesOf, conflicts, merged } from './merging.js';
import { clearProblems, showProblems } from '../lib/problems.js';

const INPUTS = {
  title: 'edit-title',
  description: 'edit-description',
  tags: 'edit-tags',
  visibility: 'edit-visibility',
  users: 'edit-shares',
};

export class Editor {
  #dialog = byId('editor');
  #tags = new Chips(byId('edit-tags-box'), byId('edit-tags'));
  #shares = new Chips(byId('edit-shares-box'), byId('edit-shares'), withNames);
  #extras = new Extras(() => this.#refreshTag());
  #id = null;
  #base = null;
  #baseShares = null;
  #etag = null;
  #theirs = null;
  #busy = false;
  #suspendedFor = null;

  constructor() {
    byId('editor-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#save();
    });
    byId('editor-keep').addEventListener('click', () => this.#keepMine());
    byId('editor-reload').addEventListener('click', () => this.#takeTheirs());
    for (const id of ['editor-close', 'editor-cancel']) byId(id).addEventListener('click', () => this.#leave());
    this.#listenForClosing();
    addEventListener('beforeunload', (event) => {
      if (this.#dialog.open && this.dirty) event.preventDefault();
    });
  }

  /** True while closing would lose something. */
  get dirty() {
    if (this.#base === null) return false;
    return Object.keys(changesOf(this.#base, this.#values())).length > 0 || this.#sharesChanged();
  }

  async open(id) {
    if (this.#dialog.open) return;
    this.#reset(id);
    this.#dialog.showModal();
    try {
      const [{ body, etag }, shares] = await Promise.all([assets.readTagged(id), this.#readShares(id)]);
      if (this.#id !== id) return;
      this.#adopt(body, etag);
      this.#fill(this.#base);
      this.#fillShares(shares);
      byId('editor-loading').hidden = true;
      byId('editor-fields').hidden = false;
      byId('editor-save').disabled = false;
      byId('edit-title').focus();
      this.#extras.show(body);
    } catch (error) {
      byId('editor-loading').hidden = true;
      this.#say(error.status === 404 ? 'There is no such video any more.' : sentenceOf(error));
    }
  }

  /** Nobody is signed in any more: out of the way, but keep what `user` typed. */
  suspend(user) {
    if (!this.#dialog.open) return;
    if (this.dirty) this.#suspendedFor = user;
    this.#dialog.close();
  }

  /** `user` has signed in: go on, unless it is somebody else. */
  resume(user) {
    if (this.#suspendedFor === user && this.#base !== null) this.#dialog.showModal();
    else if (this.#suspendedFor !== null) this.#reset(null);
    this.#suspendedFor = null;
  }

  // Opening and closing

  #listenForClosing() {
    const dialog = this.#dialog;
    let pressedOutside = false;
    dialog.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || event.isComposing) return;
      // Browsers let a page refuse the `cancel` of Escape only once in a row.
      event.preventDefault();
      this.#leave();
    });
    dialog.addEventListener('cancel', (event) => {
      // The file chooser's own `cancel` bubbles up to here.
      if (event.target !== dialog) return;
      event.preventDefault();
      this.#leave();
    });
    // A text that is selected with the mouse may end outside: only what begins there, too, is a click on the backdrop.
    dialog.addEventListener('pointerdown', (event) => {
      pressedOutside = event.target === dialog;
    });
    dialog.addEventListener('click', (event) => {
      if (event.target === dialog && pressedOutside) this.#leave();
    });
  }

  async #leave() {
    if (this.#busy) return;
    if (this.dirty) {
      const yes = await confirmed({
        title: 'Throw your changes away?',
        text: 'What you changed here is not saved yet.',
        action: 'Throw away',
        otherwise: 'Go on editing',
      });
      if (!yes) return;
    }
    this.#dialog.close();
    this.#reset(null);
  }

  #reset(id) {
    this.#id = id;
    this.#base = null;
    this.#etag = null;
    this.#theirs = null;
    this.#extras.hide();
    setText(byId('editor-title'), 'Edit');
    for (const hidden of ['editor-error', 'editor-conflict', 'editor-fields']) byId(hidden).hidden = true;
    byId('editor-loading').hidden = false;
    byId('editor-save').disabled = true;
    clearProblems(INPUTS);
  }

  // The fields

  #adopt(asset, etag) {
    this.#base = asset;
    this.#etag = etag;
    setText(byId('editor-title'), `Edit “${titleOf(asset)}”`);
  }

  #fill(values) {
    byId('edit-title').value = values.title;
    byId('edit-description').value = values.description;
    this.#tags.values = values.tags;
    byId(`edit-${values.visibility}`).checked = true;
  }

  #values() {
    return {
      title: byId('edit-title').value,
      description: byId('edit-description').value,
      tags: this.#tags.values,
      visibility: this.#dialog.querySelector('[name=visibility]:checked').value,
    };
  }

  async #readShares(id) {
    try {
      return await assets.shares(id);
    } catch (error) {
      if (error.status === 404) return null;
      throw error;
    }
  }

  #fillShares(users) {
    this.#baseShares = users;
    this.#shares.values = users ?? [];
    byId('edit-shares-field').hidden = users === null;
  }

  #sharesChanged() {
    if (this.#baseShares === null) return false;
    return JSON.stringify([...this.#shares.values].sort()) !== JSON.stringify([...this.#baseShares].sort());
  }

  // Saving

  async #save() {
    if (this.#busy || this.#base === null) return;
    this.#setBusy(true);
    clearProblems(INPUTS);
    byId('editor-error').hidden = true;
    try {
      await this.#send();
      this.#dialog.close();
      toast('Saved.');
      tell('asset-changed', this.#base);
      this.#reset(null);
    } catch (error) {
      if (error.status === 412) await this.#askAboutConflict();
      else showProblems(error, INPUTS, byId('editor-error'));
    } finally {
      this.#setBusy(false);
    }
  }

  async #send() {
    const changes = changesOf(this.#base, this.#values());
    if (Object.keys(changes).length > 0) {
      const { body, etag } = await assets.change(this.#id, changes, this.#etag);
      this.#adopt(body, etag);
    }
    if (this.#sharesChanged()) {
      const users = await assets.setShares(this.#id, this.#shares.values);
      this.#fillShares(users);
    }
  }

  #setBusy(busy) {
    this.#busy = busy;
    byId('editor-save').disabled = busy;
    setText(byId('editor-save'), busy ? 'Saving…' : 'Save');
  }

  #say(sentence) {
    setText(byId('editor-error'), sentence);
    byId('editor-error').hidden = false;
  }

  // Somebody else was faster

  async #askAboutConflict() {
    try {
      this.#theirs = await assets.readTagged(this.#id);
    } catch (error) {
      this.#say(error.status === 404 ? 'This video was deleted meanwhile. Restore it from the trash to go on.' : sentenceOf(error));
      return;
    }
    const found = conflicts(this.#base, this.#theirs.body, this.#values());
    if (found.length === 0) {
      // Only what is not in this form changed, the captions say.
      this.#etag = this.#theirs.etag;
      this.#setBusy(false);
      await this.#save();
      return;
    }
    byId('editor-conflict-list').replaceChildren(...found.map(conflictItem));
    byId('editor-conflict').hidden = false;
    byId('editor-keep').focus();
  }

  async #keepMine() {
    const { body, etag } = this.#theirs;
    const values = merged(this.#base, body, this.#values());
    byId('editor-conflict').hidden = true;
    this.#adopt(body, etag);
    this.#fill(values);
    await this.#save();
  }

  #takeTheirs() {
    const { body, etag } = this.#theirs;
    byId('editor-conflict').hidden = true;
    this.#adopt(body, etag);
    this.#fill(this.#base);
    byId('edit-title').focus();
  }

  /** After a change that was made at once: its new revision is ours, unless somebody changed what is in the form. */
  async #refreshTag() {
    const id = this.#id;
    const { body, etag } = await assets.readTagged(id);
    if (this.#id === id && this.#base !== null && conflicts(this.#base, body, this.#base).length === 0) this.#etag = etag;
    tell('asset-changed', body);
    return body;
  }
}

function conflictItem({ name, before, after, mine }) {
  const item = document.createElement('li');
  setText(item, `${name}: was ${before}, is now ${after}${mine === null ? '' : `; yours is ${mine}`}.`);
  return item;
}
