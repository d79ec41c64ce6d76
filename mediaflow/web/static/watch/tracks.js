/** Captions and languages of sound: what they are called, and which one a viewer wants. */

import { setOptions } from './quality.js';
import { languageName } from '../lib/words.js';

export const OFF = 'off';

/** A track's name for a menu: its own, or its language's. */
export function trackName({ name, lang }) {
  const own = name?.trim();
  if (own && own !== lang) return own;
  return lang ? languageName(lang) : 'Unnamed';
}

/** What to remember of a track, so that it is found again in another video. */
export function choiceOf(track) {
  return track.lang ? { lang: track.lang } : { name: track.name };
}

/** The first of the tracks that fits what was chosen before, or null. "de" finds "de-AT", too. */
export function trackFor(tracks, choice) {
  if (!choice || choice === OFF) return null;
  if (!choice.lang) return tracks.find(({ name }) => name && name === choice.name) ?? null;
  const base = (lang) => lang?.toLowerCase().split('-')[0];
  const exact = tracks.find(({ lang }) => lang?.toLowerCase() === choice.lang.toLowerCase());
  return exact ?? tracks.find(({ lang }) => lang && base(lang) === base(choice.lang)) ?? null;
}

/** The captions in the menu, with a way to have none. */
export function showCaptions(menu, player) {
  const options = player.captions.map((track, index) => [String(index), trackName(track)]);
  setOptions(menu, [['-1', 'Off'], ...options], String(player.caption));
}

export function showAudios(menu, player) {
  const options = player.audios.map((track, index) => [String(index), trackName(track)]);
  setOptions(menu, options, String(player.audio));
}
