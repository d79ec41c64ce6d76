/** The rungs of a video's ladder by their names, and the menu that chooses one. */

import { setText } from '../lib/dom.js';
import { bitrate, levelName } from '../lib/format.js';

export const AUTOMATIC = 'auto';

/** "720p" of `.../720p.m3u8`: a rung's playlist is named after it. */
function playlistName(level) {
  const path = new URL(level.url?.[0] ?? level.url ?? '', 'http://here/').pathname;
  return decodeURIComponent(path.split('/').pop()).replace(/\.m3u8$/, '');
}

/**
 * The names of hls.js' levels. A rung's name is not always its height: a film of 1280x534 is "720p". The asset's renditions
 * know it; for viewers who may not see those, the playlist's name does, as far as it looks like one.
 */
export function rungNames(levels, renditions = []) {
  return levels.map((level) => {
    if (!level.width || !level.height) return levelName(level);
    const file = playlistName(level);
    const named = renditions.find(({ name }) => name === file);
    const sized = renditions.find(({ width, height }) => width === level.width && height === level.height);
    return (named ?? sized)?.name ?? (/^\d+(p\d*|x\d+)(-(hevc|av1))?$/.test(file) ? file : levelName(level));
  });
}

/** The bit rate to tell viewers: the average where the playlist states it, its peak otherwise. */
export function levelBitrate(level) {
  return level.averageBitrate || level.bitrate || level.maxBitrate || 0;
}

/** "720p · 2.5 Mbit/s"; the name of sound alone says its bit rate already. */
export function levelLabel(name, level) {
  const bps = levelBitrate(level);
  return level.height && bps ? `${name} · ${bitrate(bps)}` : name;
}

/** The level for what a viewer chose, perhaps for another video: that rung, else the best below it, else the least; -1 is automatic. */
export function levelFor(names, wanted) {
  const exact = names.indexOf(wanted);
  const limit = Number.parseInt(wanted, 10);
  if (exact >= 0 || wanted === AUTOMATIC || !Number.isFinite(limit)) return exact;
  const heights = names.map((name) => Number.parseInt(name, 10));
  const below = heights.filter((height) => height <= limit);
  const best = below.length > 0 ? Math.max(...below) : Math.min(...heights);
  return heights.indexOf(best);
}

/** Options of a select, made anew only when their number changed: an open menu stays open. */
export function setOptions(menu, options, chosen) {
  if (menu.options.length !== options.length) {
    menu.replaceChildren(...options.map(() => document.createElement('option')));
  }
  options.forEach(([value, text], index) => {
    menu.options[index].value = value;
    setText(menu.options[index], text);
  });
  menu.value = chosen;
}

/** Show the player's levels in the menu, from the best to the least, as viewers know such menus; hls.js sorts the other way. */
export function showLevels(menu, player) {
  const playing = player.level === -1 ? player.names[player.autoLevel] : undefined;
  const rungs = player.levels.map((level, index) => [player.names[index], levelLabel(player.names[index], level)]);
  const automatic = [AUTOMATIC, playing ? `Auto (${playing})` : 'Auto'];
  setOptions(menu, [automatic, ...rungs.reverse()], player.names[player.level] ?? AUTOMATIC);
}
