/** The HTTP API as the page uses it: same origin, cookie, problem+json errors in words. */

export const BASE = '/api/v1';
const BUSY = [429, 503];
const MAX_TRIES = 5;

/**
 * What one part of the page tells the others. `signed-out`: a request found that nobody is signed in any more.
 * `edit-asset` (detail: id) and `delete-asset` (detail: the asset) ask for the edit dialog and for a delete with undo, from
 * any view. `asset-changed` (detail: the new asset), `asset-deleted` and `asset-restored` (detail: id) say that it is done,
 * `list-changed` that several were changed.
 */
export const events = new EventTarget();

/** Tell the other parts of the page. */
export function tell(name, detail) {
  events.dispatchEvent(new CustomEvent(name, { detail }));
}

/** The header that the API wants on each write that is authorised by the cookie: other sites' pages can't send it. */
export const WRITE_HEADERS = { 'X-Requested-With': 'mediaflow' };

/** An answer of the API that is no success; `sentence` is for people, `status` and `code` are for programs. */
export class ApiError extends Error {
  constructor(status, problem, retryAfterSeconds = null) {
    super(problem.detail || problem.title || `The server answered with status ${status}.`);
    this.name = 'ApiError';
    this.status = status;
    this.code = problem.code ?? null;
    this.errors = Array.isArray(problem.errors) ? problem.errors : [];
    this.retryAfterSeconds = retryAfterSeconds;
  }

  get sentence() {
    const details = this.errors.filter(({ detail }) => detail && !this.message.includes(detail)).map(detailSentence);
    return [this.message, ...new Set(details)].map((part) => (/[.!?…]$/.test(part) ? part : `${part}.`)).join(' ');
  }
}

/** "must be at least 1 byte" of `/size_bytes` -> "Size bytes must be at least 1 byte"; whole sentences stay as they are. */
function detailSentence({ pointer, detail }) {
  const field = (pointer ?? '').split('/').pop().replaceAll('_', ' ');
  if (!field || !/^[a-z]/.test(detail)) return detail;
  return `${field[0].toUpperCase()}${field.slice(1)} ${detail}`;
}

/** No answer at all: the network or the server is away. */
export class NetworkError extends ApiError {
  constructor(detail = 'The server can’t be reached. Check the connection and try again.') {
    super(0, { detail, code: 'network' });
    this.name = 'NetworkError';
  }
}

/** What went wrong, for people, whatever was thrown. */
export function sentenceOf(error) {
  if (error instanceof ApiError) return error.sentence;
  return `Something went wrong in this page: ${error?.message ?? error}`;
}

/** Seconds of a Retry-After header (a number or a date), or null. */
export function retryAfter(header, now = Date.now()) {
  if (!header) return null;
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - now) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : null;
}

/** The problem in a body, or an empty one when the body holds none (a proxy's HTML page, say). */
export function parseProblem(text) {
  try {
    const problem = JSON.parse(text);
    return problem && typeof problem === 'object' ? problem : {};
  } catch {
    return {};
  }
}

/** A wait that ends early, with the signal's reason, when the signal is aborted. */
export function sleep(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}

async function send(method, path, { json, file, headers: more, signal }) {
  const headers = { Accept: 'application/json', ...more };
  if (method !== 'GET') Object.assign(headers, WRITE_HEADERS);
  if (json !== undefined) headers['Content-Type'] = 'application/json';
  try {
    const body = json === undefined ? file : JSON.stringify(json);
    return await fetch(BASE + path, { method, headers, body, signal, credentials: 'same-origin', cache: 'no-store' });
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw new NetworkError();
  }
}

/**
 * One request, and its answer's JSON (null when there is none) and ETag. 429 and 503 mean "later" and are tried again, as
 * the API asks of its clients. `json` or `file` is the body, `headers` are more headers.
 */
export async function requestTagged(method, path, options = {}) {
  const { signal } = options;
  for (let tries = 1; ; tries += 1) {
    const response = await send(method, path, options);
    if (response.ok) {
      const text = await response.text();
      return { body: text === '' ? null : JSON.parse(text), etag: response.headers.get('ETag') };
    }
    const wait = retryAfter(response.headers.get('Retry-After'));
    if (BUSY.includes(response.status) && tries < MAX_TRIES) {
      await sleep(1000 * Math.min(wait ?? 2 ** tries, 30), signal);
      continue;
    }
    const error = new ApiError(response.status, parseProblem(await response.text()), wait);
    if (error.status === 401 && path !== '/session') events.dispatchEvent(new Event('signed-out'));
    throw error;
  }
}

/** One request; JSON in and out. */
export async function request(method, path, options) {
  return (await requestTagged(method, path, options)).body;
}

export const session = {
  read: () => request('GET', '/session'),
  signIn: (token) => request('POST', '/session', { json: { token } }),
  signOut: () => request('DELETE', '/session'),
};

export const assets = {
  list: (query, signal) => request('GET', `/assets?${query}`, { signal }),
  /** How many there are in each state. */
  totals: async (signal) => (await request('GET', '/assets/totals', { signal })).states,
  read: (id, signal) => request('GET', `/assets/${id}`, { signal }),
  /** `{body, etag}`; the ETag is what `change` gives back, so that nobody's change is overwritten unseen. */
  readTagged: (id, signal) => requestTagged('GET', `/assets/${id}`, { signal }),
  change: (id, changes, etag) =>
    requestTagged('PATCH', `/assets/${id}`, { json: changes, headers: etag ? { 'If-Match': etag } : {} }),
  remove: (id) => request('DELETE', `/assets/${id}`),
  restore: (id) => request('POST', `/assets/${id}/restore`),
  /** Nothing brings it back. */
  purge: (id) => request('DELETE', `/assets/${id}?purge=true`),
  /** The same to several: `{done: [ids], failed: [{id, detail}]}`. `more` is what the action needs besides. */
  bulk: async (action, ids, more = {}) => {
    const { results } = await request('POST', '/assets/bulk', { json: { action, ids, ...more } });
    return {
      done: results.filter(({ error }) => error === null).map(({ id }) => id),
      failed: results.filter(({ error }) => error !== null).map(({ id, error }) => ({ id, detail: error.detail })),
    };
  },
  reprocess: (id, profile) => request('POST', `/assets/${id}/reprocess`, { json: { profile } }),
  shares: async (id) => (await request('GET', `/assets/${id}/shares`)).users,
  setShares: async (id, users) => (await request('PUT', `/assets/${id}/shares`, { json: { users } })).users,
  moveOriginal: (id, state) => request('PATCH', `/assets/${id}/original`, { json: { state } }),
  /** The picture at that time; null: as the service chooses. */
  setPoster: (id, seconds) =>
    seconds === null
      ? request('DELETE', `/assets/${id}/poster`)
      : request('PUT', `/assets/${id}/poster`, { json: { time_seconds: seconds } }),
  setCaptions: (id, language, file, type) =>
    request('PUT', `/assets/${id}/captions/${encodeURIComponent(language)}`, { file, headers: { 'Content-Type': type } }),
  removeCaptions: (id, language) => request('DELETE', `/assets/${id}/captions/${encodeURIComponent(language)}`),
  playback: (id, signal) => request('POST', `/assets/${id}/playback`, { signal }),
};

export const profiles = {
  list: async () => (await request('GET', '/profiles')).items,
};

export const keys = {
  list: async (signal) => (await request('GET', '/api-keys?page_size=100', { signal })).items,
  make: (wanted) => request('POST', '/api-keys', { json: wanted }),
  revoke: (id) => request('DELETE', `/api-keys/${id}`),
  /** How many keys of that user were revoked, all that there were. */
  revokeAllOf: async (user) => (await request('DELETE', `/api-keys?user=${encodeURIComponent(user)}`)).revoked,
};

export const sessions = {
  list: async (signal) => (await request('GET', '/sessions?page_size=100', { signal })).items,
  end: (id) => request('DELETE', `/sessions/${id}`),
  endOthers: () => request('DELETE', '/sessions'),
};

export const account = {
  usage: () => request('GET', '/usage'),
};

export const jobs = {
  list: (state, signal) => request('GET', `/jobs?state=${state}&page_size=100`, { signal }),
  cancel: (id) => request('POST', `/jobs/${id}/cancel`),
  retry: (id) => request('POST', `/jobs/${id}/retry`),
  /** All that failed with that code: how many were begun again, how many can't be, and why the first of those. */
  retryAll: async (code) => {
    const done = { begun: 0, refused: 0, reason: '' };
    for (let since = null, more = true; more; ) {
      const answer = await request('POST', '/jobs/retry', { json: since === null ? { code } : { code, since } });
      done.begun += answer.jobs.length;
      done.refused += answer.refused.length;
      done.reason ||= answer.refused[0]?.error.detail ?? '';
      more = answer.more && answer.since !== since;
      since = answer.since;
    }
    return done;
  },
};

/** Of admins. */
export const admin = {
  health: (signal) => request('GET', '/health', { signal }),
  audit: (page, pageSize, signal) => request('GET', `/audit?page=${page}&page_size=${pageSize}`, { signal }),
};

/** A URL of ours as a path on this page's origin: a service behind a tunnel or proxy may know itself by another name. */
export function onThisOrigin(url) {
  if (!url) return null;
  const parsed = new URL(url, location.origin);
  return parsed.pathname + parsed.search;
}
