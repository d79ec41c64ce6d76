/** Deleting with undo, restoring, and deleting for ever, of one asset or several. Each says what became of it. */

import { assets, sentenceOf, tell } from '../lib/api.js';
import { confirmed, toast } from '../lib/dom.js';
import { titleOf } from '../lib/format.js';
import { isAdmin } from '../lib/me.js';
import { isRestorable, videos } from '../lib/words.js';

// As many as the API takes at once.
const BULK_SIZE = 100;

function nameOf(list) {
  return list.length === 1 ? `“${titleOf(list[0])}”` : videos(list.length);
}

const was = (list) => (list.length === 1 ? 'was' : 'were');

/** Run it on one or on several, and say what failed. The ids for which it was done. */
async function run(list, one, action) {
  try {
    if (list.length === 1) {
      await one(list[0].id);
      return [list[0].id];
    }
    const { done, failed } = await assets.bulk(action, list.map((asset) => asset.id));
    if (failed.length > 0) toast(`${videos(failed.length)}: ${failed[0].detail}`, { error: true });
    return done;
  } catch (error) {
    toast(sentenceOf(error), { error: true });
    return [];
  }
}

/** Into the trash, with a way back. True when something was deleted. */
export async function deleteAssets(list) {
  const done = new Set(await run(list, assets.remove, 'delete'));
  const deleted = list.filter((asset) => done.has(asset.id));
  if (deleted.length === 0) return false;
  toast(`${nameOf(deleted)} ${was(deleted)} deleted.`, { action: 'Undo', onAction: () => restoreAssets(deleted) });
  for (const asset of deleted) tell('asset-deleted', asset.id);
  return true;
}

export async function restoreAssets(list) {
  const done = new Set(await run(list, assets.restore, 'restore'));
  const restored = list.filter((asset) => done.has(asset.id));
  if (restored.length === 0) return;
  toast(`${nameOf(restored)} ${restored.length === 1 ? 'is' : 'are'} back.`);
  for (const asset of restored) tell('asset-restored', asset.id);
}

/** Asks first: nothing brings them back. */
export async function purgeAssets(list) {
  const yes = await confirmed({
    title: list.length === 1 ? 'Delete this video for ever?' : `Delete ${videos(list.length)} for ever?`,
    text: `${nameOf(list)} and all that was made of ${list.length === 1 ? 'it' : 'them'} will be gone. Nothing brings it back.`,
    action: 'Delete for ever',
  });
  if (!yes) return;
  const done = await run(list, assets.purge, 'purge');
  if (done.length > 0) toast(done.length === 1 && list.length === 1 ? `${nameOf(list)} is gone.` : `${videos(done.length)} are gone.`);
}

/** All that is in the trash, on all its pages; an admin's trash is everybody's, which is said. */
export async function emptyTrash() {
  const yes = await confirmed({
    title: 'Empty the trash?',
    text: `All that is in the trash${isAdmin() ? ', of all users,' : ''} will be gone. Nothing brings it back.`,
    action: 'Empty the trash',
  });
  if (!yes) return;
  try {
    const ids = await idsInTrash();
    let gone = 0;
    for (let at = 0; at < ids.length; at += BULK_SIZE) {
      gone += (await assets.bulk('purge', ids.slice(at, at + BULK_SIZE))).done.length;
    }
    toast(`${videos(gone)} ${gone === 1 ? 'is' : 'are'} gone.`);
  } catch (error) {
    toast(sentenceOf(error), { error: true });
  }
}

/** All first, and purged afterwards: pages move while things are taken away. */
async function idsInTrash() {
  const ids = [];
  for (let page = 1; ; page += 1) {
    const { items, pages } = await assets.list(`deleted=true&sort=created_at&page=${page}&page_size=${BULK_SIZE}`);
    ids.push(...items.filter((asset) => isRestorable(asset)).map((asset) => asset.id));
    if (page >= pages) return ids;
  }
}
