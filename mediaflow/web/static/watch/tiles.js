/** Storyboards: WebVTT whose cues name parts of pictures (`sheet.jpg#xywh=0,0,160,90`). Pure: tests/web/tiles.test.mjs. */

const CUE = /^(\S+)\s+-->\s+(\S+).*\n(\S+)#xywh=(?:pixel:)?(\d+),(\d+),(\d+),(\d+)$/;

/** `00:01:02.500` or `01:02.500` -> 62.5; NaN for what is no time. */
function secondsOf(text) {
  return text.split(':').reduce((total, part) => total * 60 + Number(part), 0);
}

/** The tiles in their order: `{begin, end, sheet, x, y, width, height}`, `sheet` relative to the file. What is no tile is left out. */
export function tilesOf(text) {
  const blocks = text.replaceAll('\r\n', '\n').trim().split(/\n{2,}/);
  const cues = blocks.map((block) => CUE.exec(block)).filter(Boolean);
  return cues
    .map(([, begin, end, sheet, ...place]) => {
      const [x, y, width, height] = place.map(Number);
      return { begin: secondsOf(begin), end: secondsOf(end), sheet, x, y, width, height };
    })
    .filter(({ begin, end }) => begin < end);
}

/** The tile of a time; the last one stands for what comes after it, null where there are none. */
export function tileAt(tiles, seconds) {
  return tiles.findLast(({ begin }) => begin <= seconds) ?? tiles[0] ?? null;
}
