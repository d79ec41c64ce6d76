/** When to try again what the network prevented: soon at first, then less often, not for ever. */

const WAITS_SECONDS = [1, 2, 4, 8, 15, 15];

/** One try is planned at a time, however many errors ask for it. */
export class Retry {
  #waits;
  #tries = 0;
  #timer = null;

  /** `waits` are seconds. */
  constructor(waits = WAITS_SECONDS) {
    this.#waits = waits;
  }

  /** Plan the next try; false when there were so many that there is no hope. */
  later(again) {
    if (this.#timer !== null) return true;
    const wait = this.#waits[this.#tries];
    if (wait === undefined) return false;
    this.#tries += 1;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      again();
    }, 1000 * wait);
    return true;
  }

  /** Something works again, so that the next error is the first. What is planned is still done: not all may work. */
  reset() {
    this.#tries = 0;
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = null;
  }
}
