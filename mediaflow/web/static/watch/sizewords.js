/** How much of a video's sizes is there, in words. Pure: tests/web/player.test.mjs runs this module in node. */

/** False while pieces of a size are still to come, by themselves or where somebody watches it. */
export function isWhole({ segments, segments_ready: ready }) {
  return segments === null || ready === null || ready >= segments;
}

/** 0.0-1.0: how much of a size is there. */
export function shareOf(rendition) {
  return isWhole(rendition) ? 1 : rendition.segments_ready / rendition.segments;
}

/** "Made where it is watched · 3 of 15 pieces are there" */
export function sizeInWords(rendition) {
  const { when, segments, segments_ready: ready } = rendition;
  const how = when === 'on_demand' ? 'Made where it is watched' : 'Made in any case';
  if (isWhole(rendition)) return `${how} · all of it is there`;
  if (ready === 0) return `${how} · nothing is there yet`;
  return `${how} · ${ready.toLocaleString('en')} of ${segments.toLocaleString('en')} pieces ${ready === 1 ? 'is' : 'are'} there`;
}

/** "3 sizes, 2 of them made where they are watched" */
export function sizesInWords(renditions) {
  const count = renditions.length;
  const demanded = renditions.filter(({ when }) => when === 'on_demand').length;
  const sizes = `${count} ${count === 1 ? 'size' : 'sizes'}`;
  if (demanded > 0) return `${sizes}, ${demanded} of them made where ${demanded === 1 ? 'it is' : 'they are'} watched`;
  return renditions.every(isWhole) ? `${sizes}, all there` : `${sizes}, still being made`;
}
