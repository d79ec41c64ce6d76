/** Who is here, where they are, and what they drop. */

import './lib/trusted.js';
import { Account } from './admin/account.js';
import { AuditView, HealthView } from './admin/admin.js';
import { ApiError, assets, events, sentenceOf, session } from './lib/api.js';
import { byId, setText, showText, toast } from './lib/dom.js';
import { Editor } from './library/editor.js';
import { readHash } from './library/filters.js';
import { percent } from './lib/format.js';
import { JobsView } from './jobs/jobs.js';
import { KeysView } from './admin/keys.js';
import { SessionsView } from './admin/sessions.js';
import { Library } from './library/library.js';
import { watched } from './watch/link.js';
import { live } from './lib/live.js';
import { isAdmin, me, setMe } from './lib/me.js';
import { deleteAssets } from './library/trash.js';
import { UploadList } from './upload/uploads.js';
import { WatchView } from './watch/watch.js';

const library = new Library();
const editor = new Editor();
const account = new Account();
const pages = {
  jobs: new JobsView(),
  keys: new KeysView(),
  sessions: new SessionsView(),
  health: new HealthView(),
  audit: new AuditView(),
};
const ADMINS_ONLY = ['health', 'audit'];
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
  return watched(location.hash)?.id ?? null;
}

const NOT_FOR_EVERYONE = 'There is no such video, or it is not for everyone. Sign in if it is yours or shared with you.';

/** What anyone may watch needs no signing in; everything else does. */
async function routeStranger() {
  const id = watchedId();
  if (id !== null && (await isOpenToAll(id))) {
    if (signedIn || watchedId() !== id) return;
    showView('watch');
    watch.showAlone(id, watched(location.hash));
    return;
  }
  if (signedIn) return;
  // Who was just signed out is told that, and no more.
  if (id !== null && byId('sign-in-error').hidden) showText(byId('sign-in-error'), NOT_FOR_EVERYONE);
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

/** `#/keys`, `#/health`, `#/audit?page=2`: the name, and what follows the question mark. Null for all else. */
function ownPage() {
  const [, name, search] = /^#\/(\w+)(?:\?(.*))?$/.exec(location.hash) ?? [];
  if (!Object.hasOwn(pages, name ?? '') || (ADMINS_ONLY.includes(name) && !isAdmin())) return null;
  return { name, params: new URLSearchParams(search ?? '') };
}

/** `#/watch/{id}` is a video, `#/keys` and the like are pages of their own, `#/trash?q=beach` a list; else the library. */
function route() {
  library.hide();
  watch.hide();
  for (const page of Object.values(pages)) page.hide();
  if (!signedIn) {
    routeStranger();
    return;
  }
  const id = watchedId();
  if (id !== null) {
    showView('watch');
    watch.show(id, watched(location.hash));
    return;
  }
  const page = ownPage();
  if (page !== null) {
    showView(page.name);
    pages[page.name].show(page.params);
    setTitle(pages[page.name].title);
    return;
  }
  showView('library');
  library.show(readHash(location.hash) ?? readHash(''));
  setTitle(library.title);
}

/** `user` is null when nobody is signed in. */
function become(user) {
  if (user === null && me !== null) editor.suspend(me.user);
  signedIn = user !== null;
  setMe(user);
  if (signedIn) live.start(user.user);
  else live.stop();
  account.show(user);
  byId('nav').hidden = !signedIn;
  if (!signedIn) {
    uploadList.pause();
    uploadList.hideGhosts();
    library.reset();
    for (const page of Object.values(pages)) page.reset();
  }
  route();
  if (signedIn) uploadList.recall();
  if (signedIn) editor.resume(user.user);
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
  await uploadList.clear();
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
  // The address says what is shown: a link to a place in the page must not change it.
  document.querySelector('.skip').addEventListener('click', (event) => {
    event.preventDefault();
    byId('main').focus();
  });
  addEventListener('hashchange', route);
  addEventListener('beforeunload', (event) => {
    if (uploadList.busy) event.preventDefault();
  });
  events.addEventListener('edit-asset', ({ detail }) => editor.open(detail));
  events.addEventListener('delete-asset', ({ detail }) => deleteAssets([detail]));
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
