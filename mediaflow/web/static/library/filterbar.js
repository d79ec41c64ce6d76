/** The controls above a list: search, filters, order, how many there are in each state, and the way out of a filter. */

import { byId, setText } from '../lib/dom.js';
import { AGES, SORTS, STATES, VISIBILITIES, changed, cleared, isNarrowed, readHash, writeHash } from './filters.js';
import { stateName } from '../lib/format.js';
import { userInWords } from '../lib/words.js';

const TYPING_MILLISECONDS = 250;
const TITLES = { library: 'Library', shared: 'Shared with me', trash: 'Trash' };
const SELECTS = {
  'filter-visibility': ['visibility', { '': 'Any visibility', ...VISIBILITIES }],
  'filter-age': ['age', { '': 'Created any time', ...AGES }],
  'filter-sort': ['sort', SORTS],
};

export class FilterBar {
  #filters = readHash('');
  #typing = null;
  #totals = null;

  constructor() {
    for (const [id, [name, choices]] of Object.entries(SELECTS)) {
      byId(id).append(...Object.entries(choices).map(([value, text]) => new Option(text, value)));
      byId(id).addEventListener('change', (event) => this.#go({ [name]: event.target.value }));
    }
    const search = byId('search');
    search.addEventListener('input', () => {
      clearTimeout(this.#typing);
      this.#typing = setTimeout(() => this.#search(), TYPING_MILLISECONDS);
    });
    byId('filters').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#search();
    });
    byId('filters-clear').addEventListener('click', () => {
      clearTimeout(this.#typing);
      search.value = '';
      location.hash = writeHash(cleared(this.#filters));
      search.focus();
    });
    addEventListener('keydown', (event) => this.#slash(event));
  }

  /** The list's name. */
  get title() {
    return TITLES[this.#filters.place];
  }

  show(filters) {
    if (filters.place !== this.#filters.place) this.showTotals(null);
    this.#filters = filters;
    clearTimeout(this.#typing);
    setText(byId('library-title'), this.title);
    for (const [id, [name]] of Object.entries(SELECTS)) byId(id).value = filters[name];
    // While somebody types, the field is ahead of the address.
    const search = byId('search');
    if (search.value.trim() !== filters.q) search.value = filters.q;
    for (const link of byId('places').querySelectorAll('[data-place]')) {
      if (link.dataset.place === filters.place) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
    this.#showChosen();
    this.showTotals(this.#totals);
  }

  /** `{state: count}`, or null when it is not known; a state that has none is not offered. */
  showTotals(totals) {
    this.#totals = totals;
    const box = byId('totals');
    const { state } = this.#filters;
    const all = totals === null ? 0 : Object.values(totals).reduce((sum, count) => sum + count, 0);
    const choices = totals === null ? [] : STATES.filter((name) => totals[name] > 0 || name === state);
    // One state and no choice: nothing to filter.
    box.hidden = choices.length < 2 && state === '';
    // The figures are of the whole library: beside a search they would be of something else than the list.
    const counted = !isNarrowed({ ...this.#filters, state: '' });
    const offers = box.hidden ? [] : [['', 'All', all], ...choices.map((name) => [name, stateName(name), totals[name] ?? 0])];
    this.#fill(box, offers.map(([value, text, count]) => ({
      key: value,
      text: counted ? `${text} ${count.toLocaleString('en')}` : text,
      pressed: value === state,
      act: () => this.#go({ state: value }),
    })));
  }

  #showChosen() {
    const { tag, owner } = this.#filters;
    this.#fill(byId('chosen'), [
      ...(tag ? [{ key: 'tag', text: `Tag: ${tag}`, remove: 'tag', act: () => this.#go({ tag: '' }) }] : []),
      ...(owner ? [{ key: 'owner', text: `Owner: ${userInWords(owner)}`, remove: 'owner', act: () => this.#go({ owner: '' }) }] : []),
    ]);
  }

  /** Put these buttons there. One that is there already stays: it may have the focus. */
  #fill(box, offers) {
    const old = new Map([...box.children].map((button) => [button.dataset.key, button]));
    const buttons = offers.map((offer) => {
      const button = old.get(offer.key) ?? document.createElement('button');
      button.type = 'button';
      button.dataset.key = offer.key;
      button.className = offer.remove ? 'pill is-removable' : 'pill';
      setText(button, offer.text);
      if (offer.remove) button.setAttribute('aria-label', `${offer.text}: take this filter away`);
      else button.setAttribute('aria-pressed', String(offer.pressed));
      button.onclick = offer.act;
      return button;
    });
    const there = [...box.children];
    if (buttons.length !== there.length || buttons.some((button, index) => button !== there[index])) {
      box.replaceChildren(...buttons);
    }
  }

  #search() {
    clearTimeout(this.#typing);
    const q = byId('search').value.trim();
    if (q === this.#filters.q) return;
    // One step back for a whole search, not one for each letter.
    const replace = q !== '' && this.#filters.q !== '';
    this.#go({ q }, { replace });
  }

  #go(changes, { replace = false } = {}) {
    const hash = writeHash(changed(this.#filters, changes));
    if (!replace) {
      location.hash = hash;
      return;
    }
    history.replaceState(null, '', hash);
    dispatchEvent(new HashChangeEvent('hashchange'));
  }

  /** `/` goes to the search, as in many programs, unless something is being typed. */
  #slash(event) {
    const typing = event.target.closest?.('input, textarea, select, [contenteditable]');
    if (event.key !== '/' || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (byId('search').offsetParent === null || document.querySelector('dialog[open]')) return;
    event.preventDefault();
    byId('search').focus();
    byId('search').select();
  }
}
