/** Numbers, sizes, times and states in words. Pure: tests/web/format.test.mjs runs this module in node. */

const number = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const percentage = new Intl.NumberFormat(undefined, { style: 'percent', maximumFractionDigits: 0 });
const date = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
// The sentences around it are English, so this one is too.
const ago = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });

const BYTE_UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];

/** 1536000 -> "1.5 MB" (decimal units, as disks and networks count). */
export function bytes(count) {
  const power = count < 1000 ? 0 : Math.min(BYTE_UNITS.length - 1, Math.floor(Math.log10(count) / 3));
  return new Intl.NumberFormat(undefined, {
    style: 'unit',
    unit: BYTE_UNITS[power],
    unitDisplay: power === 0 ? 'long' : 'short',
    maximumFractionDigits: power < 2 ? 0 : 1,
  }).format(count / 1000 ** power);
}

/** Bytes a second -> "1.5 MB/s". */
export function speed(bytesPerSecond) {
  return `${bytes(Math.round(bytesPerSecond))}/s`;
}

/** 0.426 -> "42 %". Rounded down: nothing is 100 % before it is done. */
export function percent(fraction) {
  const whole = Math.floor(Math.min(1, Math.max(0, fraction)) * 100 + 1e-9);
  return percentage.format(whole / 100);
}

/** 3725 -> "1:02:05", 65.4 -> "1:05". */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds)); // as players count
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (parts[0] === 0) parts.shift();
  return parts.map((part, index) => (index === 0 ? String(part) : String(part).padStart(2, '0'))).join(':');
}

/** Seconds -> "a few seconds left", "about 40 seconds left", "about 3 minutes left", "about 2 h 5 min left". */
export function timeLeft(seconds) {
  if (!Number.isFinite(seconds)) return '';
  if (seconds < 5) return 'a few seconds left';
  if (seconds < 55) return `about ${Math.round(seconds / 5) * 5} seconds left`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 2) return 'about a minute left';
  if (minutes < 60) return `about ${minutes} minutes left`;
  return `about ${Math.floor(minutes / 60)} h ${minutes % 60} min left`;
}

/** An RFC 3339 time -> "3 minutes ago", and the plain date when that is a week or more away. */
export function when(rfc3339, now = Date.now()) {
  const seconds = (new Date(rfc3339).getTime() - now) / 1000;
  if (!Number.isFinite(seconds)) return '';
  const steps = [['day', 86400], ['hour', 3600], ['minute', 60]];
  if (Math.abs(seconds) >= 7 * 86400) return date.format(new Date(rfc3339));
  for (const [unit, length] of steps) {
    if (Math.abs(seconds) >= length) return ago.format(Math.trunc(seconds / length), unit);
  }
  return 'just now';
}

/** Bit/s -> "2.5 Mbit/s". */
export function bitrate(bps) {
  return bps >= 1e6 ? `${number.format(bps / 1e6)} Mbit/s` : `${Math.round(bps / 1000)} kbit/s`;
}

const STATES = {
  created: 'Receiving the file',
  stored: 'In the queue',
  processing: 'Processing',
  ready: 'Ready',
  failed: 'Failed',
  rejected: 'Not accepted',
};

/** An asset's state in words. */
export function stateName(state) {
  return STATES[state] ?? state;
}

/** True when nothing more will happen to the asset by itself. */
export function isSettled(asset) {
  return ['ready', 'failed', 'rejected'].includes(asset.state);
}

/** What is wrong with a failed or rejected asset, as a sentence. */
export function failure(asset) {
  if (asset.error?.detail) return asset.error.detail;
  return asset.state === 'rejected'
    ? 'This file can’t be turned into a video. Try another copy of it.'
    : 'Processing failed. Upload the file again to retry.';
}

/** "Processing: 42 %, about 20 seconds left", as far as it is known. */
export function progressSentence(asset) {
  const parts = [stateName(asset.state)];
  if (asset.state === 'processing') {
    parts.push(percent(asset.progress ?? 0));
    if (asset.eta_seconds !== null && asset.eta_seconds !== undefined) parts.push(timeLeft(asset.eta_seconds));
  }
  return parts.join(' · ');
}

/** The title, or a stand-in that is never empty. */
export function titleOf(asset) {
  return asset.title?.trim() || asset.filename?.trim() || 'Untitled';
}

/** A level's name as viewers know it: "720p" by the short side, so that portrait videos are named like landscape ones. */
export function levelName({ width, height, bitrate: bps }) {
  return width && height ? `${Math.min(width, height)}p` : `Audio, ${bitrate(bps ?? 0)}`;
}
