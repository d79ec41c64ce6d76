/** The keys of the player. Which key means what is pure: tests/web/shortcuts.test.mjs runs it in node. */

const KEYS = {
  ' ': ['toggle'],
  k: ['toggle'],
  ArrowLeft: ['skip', -5],
  ArrowRight: ['skip', 5],
  j: ['skip', -10],
  l: ['skip', 10],
  m: ['mute'],
  f: ['fullscreen'],
  c: ['captions'],
  i: ['statistics'],
  p: ['pictureInPicture'],
  '<': ['speed', -1],
  '>': ['speed', 1],
  '?': ['help'],
};

// Held down, these would only flicker.
const ONCE = ['toggle', 'mute', 'fullscreen', 'captions', 'statistics', 'pictureInPicture', 'help'];
const TYPING = 'input, select, textarea, [contenteditable], dialog, [role="dialog"]';
const PRESSABLE = 'a, button, summary, label';

/**
 * What a key press asks of the player: `[command, argument]`, or null. Keys that belong to the element in focus stay its own: text
 * is typed, buttons are pressed with the space bar, and the browsers' controls play and pause while the video is in focus.
 */
export function commandOf({ key, target, repeat, ctrlKey, metaKey, altKey, defaultPrevented }) {
  if (defaultPrevented || ctrlKey || metaKey || altKey || target.closest?.(TYPING)) return null;
  if (key === ' ' && target.closest?.(PRESSABLE)) return null;
  if (key === ' ' && target.localName === 'video') return null;
  if (/^[0-9]$/.test(key)) return ['tenth', Number(key)];
  const command = KEYS[key.length === 1 ? key.toLowerCase() : key] ?? null;
  return command !== null && repeat && ONCE.includes(command[0]) ? null : command;
}

/** Listen while `isOn()`; `act` has a function for each command. */
export function listenForKeys(video, isOn, act) {
  const listen = (event) => {
    const command = isOn() ? commandOf(event) : null;
    if (command === null) return;
    const [name, argument] = command;
    // Without this, the space bar scrolls and some browsers begin to search.
    event.preventDefault();
    act[name](argument);
    if (name === 'skip' && event.target === video) insist(video);
  };
  document.addEventListener('keydown', (event) => event.target !== video && listen(event));
  // Browsers' controls may seek, too, by other steps, before the event comes back up (seen in Chromium).
  document.addEventListener('keydown', (event) => event.target === video && listen(event), { capture: true });
}

/** A key does one thing, wherever the focus is: what else the browser's controls make of it is undone. */
function insist(video) {
  const wanted = video.currentTime;
  setTimeout(() => {
    if (video.currentTime !== wanted) video.currentTime = wanted;
  });
}
