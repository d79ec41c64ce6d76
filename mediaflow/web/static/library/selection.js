/** Which cards are selected, as people know it from file lists: a click takes one, shift takes all up to it. No DOM. */

/** Says `change`. `order` is the list of ids as they stand on the page. */
export class Selection extends EventTarget {
  #chosen = new Set();
  #last = null;
  #order = [];

  get ids() {
    return this.#order.filter((id) => this.#chosen.has(id));
  }

  get size() {
    return this.#chosen.size;
  }

  get isAll() {
    return this.size > 0 && this.size === this.#order.length;
  }

  has(id) {
    return this.#chosen.has(id);
  }

  /** Take or leave `id`; with `range`, all between it and the one before it, too. */
  set(id, on, { range = false } = {}) {
    const ids = range ? this.#between(this.#last, id) : [id];
    for (const each of ids) {
      if (on) this.#chosen.add(each);
      else this.#chosen.delete(each);
    }
    this.#last = id;
    this.#changed();
  }

  all() {
    this.#chosen = new Set(this.#order);
    this.#changed();
  }

  clear() {
    this.#last = null;
    if (this.size === 0) return;
    this.#chosen.clear();
    this.#changed();
  }

  /** The page shows these now: what is gone from it is not selected any more, so that nothing unseen is acted upon. */
  keep(order) {
    this.#order = [...order];
    const there = new Set(order);
    if (!there.has(this.#last)) this.#last = null;
    const before = this.size;
    for (const id of this.#chosen) if (!there.has(id)) this.#chosen.delete(id);
    if (before !== this.size) this.#changed();
  }

  #between(from, to) {
    const [first, last] = [this.#order.indexOf(from ?? to), this.#order.indexOf(to)].sort((a, b) => a - b);
    return first === -1 ? [to] : this.#order.slice(first, last + 1);
  }

  #changed() {
    this.dispatchEvent(new Event('change'));
  }
}
