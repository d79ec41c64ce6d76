/** Sentences of the library: counts, and when what is deleted is gone. Pure. */

const DAY_SECONDS = 86_400;

/** 1 -> "1 video", 2 -> "2 videos". */
export function videos(count) {
  return `${count.toLocaleString('en')} ${count === 1 ? 'video' : 'videos'}`;
}

/** False once nothing brings a deleted asset back: it is being removed. */
export function isRestorable(asset, now = Date.now()) {
  const end = asset.purge_at ?? null;
  return end === null || new Date(end).getTime() > now;
}

/** When a deleted asset is gone for ever, in words; `purge_at` may not be known. */
export function goneWhen(asset, now = Date.now()) {
  const seconds = (new Date(asset.purge_at ?? Number.NaN).getTime() - now) / 1000;
  if (!Number.isFinite(seconds)) return 'In the trash';
  if (seconds <= 0) return 'Being removed for ever';
  if (seconds < 3600) return 'Gone for ever within an hour';
  if (seconds < DAY_SECONDS) return `Gone for ever in ${Math.round(seconds / 3600)} h`;
  const days = Math.round(seconds / DAY_SECONDS);
  return `Gone for ever in ${days} ${days === 1 ? 'day' : 'days'}`;
}

/** A user as people know them: `~issuer.example.3207597b9bf0~ann` of an outside issuer is "ann (issuer.example)". */
export function userInWords(user) {
  const [, host, subject] = /^~(.+)\.[0-9a-f]{12}~(.+)$/.exec(user) ?? [];
  if (host === undefined) return user;
  if (subject.startsWith('=:')) return `${subject.slice(2, 10)}… (${host})`;
  try {
    return `${decodeURIComponent(subject.replaceAll('=', '%'))} (${host})`;
  } catch {
    return user;
  }
}

/** "Firefox on Linux" of what a browser says that it is; null and what nobody knows are "A browser". */
export function browserInWords(agent) {
  const name = Object.entries(BROWSERS).find(([mark]) => agent?.includes(mark))?.[1] ?? 'A browser';
  const system = SYSTEMS.find((each) => agent?.includes(each));
  return system ? `${name} on ${system}` : name;
}

/** Each calls itself by those below it, too. */
const BROWSERS = { 'Edg/': 'Edge', 'OPR/': 'Opera', 'Firefox/': 'Firefox', 'Chrome/': 'Chrome', 'Safari/': 'Safari' };
const SYSTEMS = ['iPhone', 'iPad', 'Android', 'Windows', 'Mac OS X', 'Linux'];

/** Who may watch it. */
export function audience({ visibility, owner }) {
  const among = `Only for ${userInWords(owner)} and whom it is shared with`;
  return { private: among, unlisted: 'Anyone with the link', public: 'Public' }[visibility] ?? '';
}

/** "1:05", "65", "1:02:03.5" -> seconds, or null when it is no time. */
export function secondsOf(text) {
  if (!/^\d+(:[0-5]?\d){0,2}([.,]\d+)?$/.test(text.trim())) return null;
  return text.trim().replace(',', '.').split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
}

/** 65.5 -> "1:05.5", as `secondsOf` reads it. */
export function timeText(seconds) {
  const tenths = Math.round(seconds * 10);
  const [hours, minutes] = [Math.floor(tenths / 36_000), Math.floor(tenths / 600) % 60];
  const rest = `${Math.floor(tenths / 10) % 60}`.padStart(2, '0') + (tenths % 10 ? `.${tenths % 10}` : '');
  return hours ? `${hours}:${String(minutes).padStart(2, '0')}:${rest}` : `${minutes}:${rest}`;
}

/** A language's name in English, "Portuguese (Brazil)" for `pt-BR`; the tag itself when it has no name. */
export function languageName(tag) {
  try {
    return new Intl.DisplayNames(['en'], { type: 'language' }).of(tag) ?? tag;
  } catch {
    return tag;
  }
}

const SCOPES = {
  'assets:read': 'look',
  'assets:write': 'change',
  'originals:read': 'download originals',
  'uploads:write': 'upload',
  'keys:write': 'make and revoke keys',
  admin: 'administer',
};

/** What a key opens: "look, upload". */
export function scopesInWords({ scopes, role }) {
  const words = scopes.map((scope) => SCOPES[scope] ?? scope).join(', ') || 'nothing';
  return role === 'admin' ? `${words} (as admin)` : words;
}
