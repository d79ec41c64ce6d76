/** A button that shows and hides a short list of links and buttons beside it. */

let open = null;

function close({ focus = false } = {}) {
  if (open === null) return;
  const { button, panel } = open;
  open = null;
  panel.hidden = true;
  button.setAttribute('aria-expanded', 'false');
  if (focus) button.focus();
}

function show(button, panel) {
  close();
  open = { button, panel };
  panel.hidden = false;
  button.setAttribute('aria-expanded', 'true');
}

const itemsOf = (panel) => [...panel.querySelectorAll('a, button')].filter((item) => !item.hidden);

/** The arrow keys go through the items and around; from the button, down opens the list. */
function move(event, button, panel) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step === undefined) return;
  event.preventDefault();
  if (panel.hidden) show(button, panel);
  const items = itemsOf(panel);
  const at = items.indexOf(document.activeElement);
  const next = at === -1 ? (step === 1 ? 0 : items.length - 1) : (at + step + items.length) % items.length;
  items[next]?.focus();
}

/** Make `button` open and close `panel`, which is in the same element. Only one is open at a time. */
export function menu(button, panel) {
  button.addEventListener('click', () => (panel.hidden ? show(button, panel) : close()));
  button.parentElement.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && !panel.hidden) {
      event.stopPropagation();
      close({ focus: true });
      return;
    }
    move(event, button, panel);
  });
  // Before the item acts: a dialog that it opens gives the focus back to the button, and not to an item that is gone.
  panel.addEventListener(
    'click',
    (event) => {
      if (event.target.closest('a, button')) close({ focus: true });
    },
    { capture: true },
  );
}

// A click or the focus elsewhere puts the open one away.
if (typeof document !== 'undefined') {
  const elsewhere = (event) => {
    if (open !== null && !open.button.parentElement.contains(event.target)) close();
  };
  document.addEventListener('pointerdown', elsewhere);
  document.addEventListener('focusin', elsewhere);
}
