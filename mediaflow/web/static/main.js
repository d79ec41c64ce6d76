/** Who is here, where they are, and what they drop. */

import { ApiError, assets, events, sentenceOf, session } from './api.js';
import { byId, setText, showText, toast } from './dom.js';
import { percent } from './format.js';
import { Library } from './library.js';
import { UploadList } from './uploads.js';
import { WatchView } from './watch.js';

const library = new Library();
const uploadList = new UploadList();
const watch = new WatchView({ onTitle: (title) => setTitle(title) });
let signedIn = false;
let pageTitle = '';
let uploading = '';

function setTitle(title) {
  pageTitle = title;
  document.title = [uploading, pageTitle, 'mediaflow'].filter(Boolean).join(' · ');
}

function showView(name) {
  for (const view of document.querySelectorAll('[data-view]')) view.hidden = view.dataset.view !== name;
}

/** The id in `#/watch/{id}`, or null. */
function watchedId() {
  return /^#\/watch\/([0-9a-f]{32})$/.exec(location.hash)?.[1] ?? null;
}

/** What anyone may watch needs no signing in; everything else does. */
async function routeStranger() {
  const id = watchedId();
  if (id !== null && (await isOpenToAll(id))) {
    if (signedIn || watchedId() !== id) return;
    showView('watch');
    watch.showAlone(id);
    return;
  }
  if (signedIn) return;
  showView('sign-in');
  setTitle('Sign in');
  byId('token').focus();
}

async function isOpenToAll(id) {
  try {
    await assets.playback(id);
    return true;
  } catch (error) {
    if (error instanceof ApiError) return false;
    throw error;
  }
}

/** `#/watch/{id}` is a video, `#/?page=2` a page of the library, anything else the library. */
function route() {
  library.hide();
  watch.hide();
  if (!signedIn) {
    routeStranger();
    return;
  }
  const id = watchedId();
  if (id !== null) {
    showView('watch');
    watch.show(id);
    return;
  }
  showView('library');
  setTitle('Library');
  const page = Number(new URLSearchParams(location.hash.split('?')[1] ?? '').get('page'));
  library.show(Number.isInteger(page) && page >= 1 ? page : 1);
}

/** `user` is null when nobody is signed in. */
function become(user) {
  signedIn = user !== null;
  showText(byId('user'), user === null ? '' : (user.user ?? user.name ?? 'Signed in'));
  byId('sign-out').hidden = !signedIn;
  byId('nav').hidden = !signedIn;
  if (!signedIn) {
    uploadList.pause();
    library.reset();
  }
  route();
}

async function signIn(event) {
  event.preventDefault();
  const button = byId('sign-in-button');
  button.disabled = true;
  showText(byId('sign-in-error'), '');
  try {
    await session.signIn(byId('token').value.trim());
    byId('token').value = '';
    become(await session.read());
  } catch (error) {
    showText(byId('sign-in-error'), sentenceOf(error));
    byId('token').focus();
  } finally {
    button.disabled = false;
  }
}

async function signOut() {
  try {
    await session.signOut();
  } catch (error) {
    if (error.status !== 401) {
      toast(sentenceOf(error), { error: true });
      return;
    }
  }
  uploadList.clear();
  become(null);
}

/** The files of a drop. Folders come as entries without a type that can't be read: they are left out, and said so. */
function droppedFiles(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === 'file');
  const folders = items.filter((item) => item.webkitGetAsEntry?.()?.isDirectory).length;
  if (folders > 0) toast('Folders can’t be uploaded: drop the files in them.', { error: true });
  return items.filter((item) => !item.webkitGetAsEntry?.()?.isDirectory).map((item) => item.getAsFile()).filter(Boolean);
}

function take(files) {
  if (files.length === 0) return;
  uploadList.add(files);
  // Dropped on the player's page, the file's row would be out of sight.
  if (!location.hash.startsWith('#/watch/')) return;
  toast(files.length === 1 ? 'Your file is being uploaded.' : `Your ${files.length} files are being uploaded.`, {
    action: 'Show',
    onAction: () => (location.hash = '#/'),
  });
}

function listenForFiles() {
  const input = byId('files');
  input.addEventListener('change', () => {
    take([...input.files]);
    input.value = '';
  });
  let depth = 0;
  const hasFiles = (event) => signedIn && event.dataTransfer?.types.includes('Files');
  const mark = (change) => {
    depth = change === 0 ? 0 : Math.max(0, depth + change);
    document.body.classList.toggle('is-dropping', depth > 0);
  };
  addEventListener('dragenter', (event) => hasFiles(event) && mark(1));
  addEventListener('dragleave', (event) => hasFiles(event) && mark(-1));
  addEventListener('dragover', (event) => event.preventDefault());
  addEventListener('drop', (event) => {
    // Always: otherwise the browser leaves the page and shows the file.
    event.preventDefault();
    mark(0);
    if (hasFiles(event)) take(droppedFiles(event.dataTransfer));
  });
}

function listen() {
  byId('sign-in-form').addEventListener('submit', signIn);
  byId('sign-out').addEventListener('click', signOut);
  listenForFiles();
  addEventListener('hashchange', route);
  addEventListener('beforeunload', (event) => {
    if (uploadList.busy) event.preventDefault();
  });
  uploadList.addEventListener('changed', () => library.refresh());
  uploadList.addEventListener('progress', ({ detail }) => {
    uploading = detail === null ? '' : `Uploading ${percent(detail)}`;
    setTitle(pageTitle);
  });
  events.addEventListener('signed-out', () => {
    if (!signedIn) return;
    become(null);
    showText(byId('sign-in-error'), 'You were signed out. Sign in again to go on.');
  });
}

async function begin() {
  listen();
  try {
    become(await session.read());
  } catch (error) {
    become(null);
    if (!(error instanceof ApiError)) throw error;
    if (error.status !== 401) setText(byId('sign-in-error'), sentenceOf(error));
    byId('sign-in-error').hidden = error.status === 401;
  }
}

begin();
