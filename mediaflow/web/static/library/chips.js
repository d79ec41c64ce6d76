/** An input for several short texts, each of which becomes a chip with a button that takes it away. */

import { announce, fromTemplate, setText } from '../lib/dom.js';

/** "one, two,,one" -> ["one", "two"], after those that are there already; case and spaces at the ends do not count. */
export function withAdded(values, text) {
  const all = [...values];
  for (const part of text.split(/[,\n]/).map((piece) => piece.trim().replace(/\s+/g, ' '))) {
    if (part && !all.some((value) => value.toLowerCase() === part.toLowerCase())) all.push(part);
  }
  return all;
}

/** The same for names: they may hold commas and spaces, and differ by case. Only the end of a line parts them. */
export function withNames(values, text) {
  return [...new Set([...values, ...text.split('\n').map((name) => name.trim()).filter(Boolean)])];
}

/** Says `change`. `box` holds the chips and the text field, `input`; `add` is how what is typed is added. */
export class Chips extends EventTarget {
  #values = [];
  #add;

  constructor(box, input, add = withAdded) {
    super();
    this.box = box;
    this.input = input;
    this.#add = add;
    // Enter would send the form, with a tag half typed.
    input.addEventListener('keydown', (event) => this.#key(event));
    input.addEventListener('input', () => {
      if (input.value.includes(',') && add === withAdded) this.#take();
      this.dispatchEvent(new Event('change'));
    });
    input.addEventListener('blur', () => this.#take());
    box.addEventListener('click', (event) => {
      if (event.target === box) input.focus();
    });
  }

  /** What is typed and not yet ended counts, too: nobody should lose a tag for want of a comma. */
  get values() {
    return this.#add(this.#values, this.input.value);
  }

  set values(values) {
    this.#values = [...values];
    this.input.value = '';
    this.#draw();
  }

  #key(event) {
    if (event.isComposing) return;
    if (event.key === 'Enter' && this.input.value.trim() !== '') {
      event.preventDefault();
      this.#take();
    } else if (event.key === 'Backspace' && this.input.value === '' && this.#values.length > 0) {
      event.preventDefault();
      this.#remove(this.#values.at(-1));
    }
  }

  #take() {
    const values = this.#add(this.#values, this.input.value);
    const changed = values.length !== this.#values.length;
    if (!changed && this.input.value === '') return;
    this.values = values;
    if (changed) this.dispatchEvent(new Event('change'));
  }

  #remove(value) {
    this.values = this.#values.filter((other) => other !== value);
    announce(`${value} was taken away.`);
    this.input.focus();
    this.dispatchEvent(new Event('change'));
  }

  #draw() {
    const chips = this.#values.map((value) => {
      const { root, parts } = fromTemplate('chip-template');
      setText(parts.text, value);
      parts.remove.setAttribute('aria-label', `Take away ${value}`);
      parts.remove.addEventListener('click', () => this.#remove(value));
      return root;
    });
    for (const old of this.box.querySelectorAll('.chip')) old.remove();
    this.box.prepend(...chips);
  }
}
