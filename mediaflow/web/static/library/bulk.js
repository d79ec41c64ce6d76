/** What is done with several assets at once: the bar that shows while cards are selected, and its dialog for tags. */

import { assets, sentenceOf, tell } from '../lib/api.js';
import { Chips } from './chips.js';
import { byId, setText, showText, toast } from '../lib/dom.js';
import { VISIBILITIES } from './filters.js';
import { menu } from '../lib/menu.js';
import { deleteAssets, purgeAssets, restoreAssets } from './trash.js';
import { videos } from '../lib/words.js';

export class BulkBar {
  #selection;
  #assetOf;
  #tagger;

  /** `assetOf(id)` is the selected asset as the list knows it. */
  constructor(selection, assetOf) {
    this.#selection = selection;
    this.#assetOf = assetOf;
    this.#tagger = new Tagger((add, remove) => this.#changeTags(add, remove));
    byId('bulk-all').addEventListener('click', () => selection.all());
    byId('bulk-clear').addEventListener('click', () => {
      selection.clear();
      // The bar is gone, and the focus with it.
      byId('library-title').focus();
    });
    byId('bulk-delete').addEventListener('click', () => this.#run(deleteAssets));
    byId('bulk-restore').addEventListener('click', () => this.#run(restoreAssets));
    byId('bulk-purge').addEventListener('click', () => this.#run(purgeAssets));
    byId('bulk-tags').addEventListener('click', () => this.#tagger.open(this.#chosen()));
    menu(byId('bulk-visibility-button'), byId('bulk-visibility-menu'));
    for (const button of byId('bulk-visibility-menu').querySelectorAll('button')) {
      button.addEventListener('click', () => this.#changeVisibility(button.dataset.visibility));
    }
  }

  show(place) {
    const { size, isAll } = this.#selection;
    const deleted = place === 'trash';
    byId('bulk').hidden = size === 0;
    setText(byId('bulk-count'), size === 0 ? '' : `${videos(size)} selected`);
    byId('bulk-all').hidden = isAll;
    for (const id of ['bulk-tags', 'bulk-visibility', 'bulk-delete']) byId(id).hidden = deleted;
    for (const id of ['bulk-restore', 'bulk-purge']) byId(id).hidden = !deleted;
  }

  #chosen() {
    return this.#selection.ids.map(this.#assetOf).filter(Boolean);
  }

  /** What was done is not on the page any more; what could not be done stays selected. */
  async #run(work) {
    await work(this.#chosen());
    tell('list-changed');
  }

  async #changeVisibility(visibility) {
    try {
      await this.#change([['update', { changes: { visibility } }]], `now ${VISIBILITIES[visibility].toLowerCase()}`);
    } catch (error) {
      toast(sentenceOf(error), { error: true });
    }
  }

  async #changeTags(add, remove) {
    const steps = [['add_tags', { tags: add }], ['remove_tags', { tags: remove }]];
    await this.#change(steps.filter(([, { tags }]) => tags.length > 0), 'tagged anew');
  }

  /** Each step on all that are selected; what failed once is not counted as done. */
  async #change(steps, became) {
    const ids = this.#chosen().map((asset) => asset.id);
    const failed = new Map();
    for (const [action, more] of steps) {
      for (const failure of (await assets.bulk(action, ids, more)).failed) failed.set(failure.id, failure);
    }
    const done = ids.length - failed.size;
    if (failed.size > 0) toast(`${videos(failed.size)}: ${[...failed.values()][0].detail}`, { error: true });
    if (done > 0) toast(`${videos(done)} ${done === 1 ? 'is' : 'are'} ${became}.`);
    if (failed.size === 0) this.#selection.clear();
    tell('list-changed');
  }
}

/** Asks which tags to add and to take away. */
class Tagger {
  #change;
  #add = new Chips(byId('tagger-add-box'), byId('tagger-add'));
  #remove = new Chips(byId('tagger-remove-box'), byId('tagger-remove'));

  /** `change(add, remove)` does it, and throws when it can't: then the dialog stays, with what was typed. */
  constructor(change) {
    this.#change = change;
    byId('tagger-cancel').addEventListener('click', () => byId('tagger').close());
    byId('tagger-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  open(list) {
    setText(byId('tagger-title'), `Tags of ${videos(list.length)}`);
    this.#add.values = [];
    this.#remove.values = [];
    showText(byId('tagger-error'), '');
    byId('tagger').showModal();
    byId('tagger-add').focus();
  }

  async #submit() {
    const [add, remove] = [this.#add.values, this.#remove.values];
    if (add.length === 0 && remove.length === 0) {
      showText(byId('tagger-error'), 'Name at least one tag to add or to take away.');
      byId('tagger-add').focus();
      return;
    }
    try {
      await this.#change(add, remove);
      byId('tagger').close();
    } catch (error) {
      showText(byId('tagger-error'), sentenceOf(error));
    }
  }
}
