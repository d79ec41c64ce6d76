/** Where each viewer stopped in each video. Pure but for the storage: tests/web/places.test.mjs runs this module in node. */

import { browserStorage, recall, remember } from './preferences.js';

const NAME = 'places';
const MOST_PLACES = 200;
// So near the beginning there is nothing to find again; so near the end there is nothing left to see but credits.
const BEGINNING_SECONDS = 10;
const END_SECONDS = 15;
const END_FRACTION = 0.05;

/** True when it is worth to go on from there: neither right at the beginning nor at the end. */
export function isMiddle(at, duration) {
  if (!Number.isFinite(at) || !Number.isFinite(duration)) return false;
  return at >= BEGINNING_SECONDS && at < duration - Math.max(END_SECONDS, duration * END_FRACTION);
}

/** The places of one viewer; `user` is empty for somebody who is not signed in. The places of others stay theirs. */
export class Places {
  #user;
  #storage;

  constructor(user, storage = browserStorage()) {
    this.#user = user;
    this.#storage = storage;
  }

  /** Seconds, or null. */
  read(assetId) {
    const found = this.#all().find((place) => this.#isMine(place, assetId));
    return found ? found.at : null;
  }

  /** Keep a place in the middle; forget the video's place when the viewer is at its beginning or end. */
  note(assetId, at, duration) {
    const others = this.#all().filter((place) => !this.#isMine(place, assetId));
    const place = { user: this.#user, id: assetId, at: Math.floor(at) };
    const places = isMiddle(at, duration) ? [...others, place] : others;
    // The oldest are in front.
    remember(NAME, places.slice(-MOST_PLACES), this.#storage);
  }

  forget(assetId) {
    this.note(assetId, 0, 0);
  }

  #all() {
    const places = recall(NAME, [], this.#storage);
    return Array.isArray(places) ? places.filter((place) => Number.isFinite(place?.at)) : [];
  }

  #isMine(place, assetId) {
    return place.user === this.#user && place.id === assetId;
  }
}
