/** Who is signed in, for what the page offers them. What they really may do, the service decides. */

/** `{user, role, scopes}`, or null when nobody is. `scopes` is what the session opens: it may be for looking only. */
export let me = null;

export function setMe(user) {
  me = user;
}

export function isAdmin() {
  return me?.role === 'admin';
}

export function isOwn(asset) {
  return me !== null && asset.owner === me.user;
}

/** May they change it? A session that was opened with a limited token may change nothing. */
export function mayChange(asset) {
  return (isAdmin() || isOwn(asset)) && (me?.scopes?.includes('assets:write') ?? true);
}
