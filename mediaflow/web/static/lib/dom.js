/** The few things that every view does to the document. Data becomes text nodes and attributes here, never markup. */

/** The element with that id, which the template promises to hold. */
export function byId(id) {
  const node = document.getElementById(id);
  if (node === null) throw new Error(`The page has no element #${id}.`);
  return node;
}

/** A copy of the template's first element, and its parts by their `data-part`. */
export function fromTemplate(id) {
  const root = byId(id).content.firstElementChild.cloneNode(true);
  const parts = {};
  for (const node of root.querySelectorAll('[data-part]')) parts[node.dataset.part] = node;
  return { root, parts };
}

/** Set the text only when it differs, so that screen readers and selections are left alone. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Show the text, or hide its element when there is none. */
export function showText(node, text) {
  setText(node, text ?? '');
  node.hidden = !text;
}

/** A progress element at 0.0-1.0, or moving without a figure when the fraction is null. */
export function setProgress(node, fraction) {
  if (fraction === null) node.removeAttribute('value');
  else node.value = Math.min(1, Math.max(0, fraction));
}

/** Tell screen readers, politely. The same words twice in a row are said once. */
export function announce(text) {
  setText(byId('announcer'), text);
}

/** Ask before something that hurts; resolves to true when the answer is yes. Escape and the backdrop mean no. */
export function confirmed({ title, text, action, otherwise = 'Cancel' }) {
  const dialog = byId('confirm');
  // The event of its last closing may still be to come: it is the answer to that question, not to this one.
  dialog.onclose?.();
  setText(byId('confirm-title'), title);
  setText(byId('confirm-text'), text);
  setText(byId('confirm-yes'), action);
  setText(byId('confirm-no'), otherwise);
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclick = (event) => {
      if (event.target === dialog) dialog.close('');
    };
    dialog.onclose = () => {
      if (dialog.open) return;
      dialog.onclose = null;
      resolve(dialog.returnValue === 'yes');
    };
  });
}

/** A message at the lower edge, with at most one action; it stays longer when there is something to decide. */
export function toast(text, { action, onAction, error = false } = {}) {
  const { root, parts } = fromTemplate('toast-template');
  setText(parts.text, text);
  root.classList.toggle('is-error', error);
  const close = () => root.remove();
  if (action) {
    setText(parts.action, action);
    parts.action.hidden = false;
    parts.action.addEventListener('click', () => {
      close();
      onAction();
    });
  }
  parts.close.addEventListener('click', close);
  byId('toasts').append(root);
  setTimeout(close, action || error ? 12_000 : 5000);
}

/** Put text on the clipboard; false when the browser does not allow it. */
export async function copyText(text) {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return false;
    }
  }
  // Outside secure contexts (http on a LAN address) there is only the old way.
  const field = document.createElement('textarea');
  field.value = text;
  field.className = 'offscreen';
  document.body.append(field);
  field.select();
  const copied = document.execCommand('copy');
  field.remove();
  return copied;
}
