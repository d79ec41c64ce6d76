/** The part of the edit dialog that says where the file itself is, and has it brought elsewhere. */

import { assets, sentenceOf } from '../lib/api.js';
import { byId, confirmed, setText, showText, toast } from '../lib/dom.js';

const WORDS = {
  stored: 'It is in the storage.',
  linked: 'It stays where it was found, and is read there.',
  archived: 'It is in the archive, and is read there.',
  deleted: 'It was deleted: what was made of it plays, and nothing else can be made.',
  gone: 'It was linked, and is not there any more as it was: what was made of it plays.',
  arriving: 'It is on its way.',
};
const MOVING = {
  stored: 'It is being brought to the storage.',
  archived: 'It is being brought to the archive.',
  deleted: 'It is being deleted.',
};

/** What can be wished for, where it is: `[state, button]` each. */
function wishes({ state, wanted }) {
  if (wanted !== null) return [[state, 'Leave it where it is']];
  if (state === 'stored') return [['archived', 'Archive'], ['deleted', 'Delete the file']];
  if (state === 'archived') return [['stored', 'Bring it back'], ['deleted', 'Delete the file']];
  return state === 'linked' ? [['stored', 'Copy it here']] : [];
}

export class Original {
  #asset = null;
  #reread;

  /** `reread()` gets the asset again after a change, and tells the others. */
  constructor(reread) {
    this.#reread = reread;
  }

  hide() {
    this.#asset = null;
    byId('edit-original-field').hidden = true;
    showText(byId('edit-original-error'), '');
  }

  show(asset) {
    this.#asset = asset;
    const { original } = asset;
    byId('edit-original-field').hidden = !original || asset.state !== 'ready';
    if (!original) return;
    setText(byId('edit-original-hint'), original.wanted === null ? WORDS[original.state] : MOVING[original.wanted]);
    const link = byId('edit-original-get');
    link.href = `/api/v1/assets/${asset.id}/original`;
    link.hidden = ['deleted', 'gone', 'arriving'].includes(original.state);
    // A wish for a place where it is takes any other back; of a linked one there is no such place.
    const buttons = wishes(original).filter(([state]) => state !== 'linked').map(([state, words]) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.className = 'button';
      button.textContent = words;
      button.addEventListener('click', () => this.#wish(state, original.wanted === null));
      return button;
    });
    byId('edit-original-wishes').replaceChildren(...buttons);
  }

  async #wish(state, isNew) {
    const asset = this.#asset;
    if (state === 'deleted' && isNew && !(await confirmed({
      title: 'Delete the file itself?',
      text: 'What was made of it plays on, but it can’t be processed again, and gets no other picture. The file can’t be brought back.',
      action: 'Delete',
    }))) return;
    showText(byId('edit-original-error'), '');
    try {
      await assets.moveOriginal(asset.id, state);
      const fresh = await this.#reread();
      if (this.#asset?.id === asset.id && fresh) this.show(fresh);
      toast(isNew ? MOVING[state] : 'It stays where it is.');
    } catch (error) {
      showText(byId('edit-original-error'), sentenceOf(error));
    }
  }
}
