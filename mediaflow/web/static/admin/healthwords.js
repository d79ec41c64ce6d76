/** What `GET /health`, `GET /usage` and the entries of the audit log say, in words. Pure. */

import { bytes } from '../lib/format.js';

const STATES = { ok: 'Works', warning: 'Look at it', critical: 'Does not work' };
const DISK_STATES = { ok: 'Enough room', warning: 'Little room', critical: 'Full' };
const DISKS = { data: 'Disk of the data directory', objects: 'Disk of the stored files' };

/** The dependencies and the disks: `[{name, state, words, latency, detail}]`. */
export function healthRows({ dependencies, disks }) {
  return [
    ...dependencies.map(({ name, state, latency_ms: latency, detail }) => ({
      name: name.charAt(0).toUpperCase() + name.slice(1),
      state,
      words: STATES[state] ?? state,
      latency: `${latency < 10 ? latency.toFixed(1) : Math.round(latency)} ms`,
      detail,
    })),
    ...disks.map(({ kind, state, free_bytes: free, total_bytes: total }) => ({
      name: DISKS[kind] ?? kind,
      state,
      words: DISK_STATES[state] ?? state,
      latency: '',
      detail: `${bytes(free)} free of ${bytes(total)}`,
    })),
  ];
}

export function healthSentence({ state }) {
  const sentences = {
    ok: 'All is well.',
    warning: 'It works, and something needs a look.',
    critical: 'Something does not work.',
  };
  return { text: sentences[state] ?? state, tone: { ok: 'is-good', warning: 'is-warning' }[state] ?? 'is-error' };
}

/** `[[name, value]]` of what else there is to know. */
export function factsOf({ version, uptime_seconds: uptime, memory, work }) {
  return [
    ['Version', version],
    ['Running for', span(uptime)],
    ['Memory of the web process', memory.process_bytes === null ? '' : bytes(memory.process_bytes)],
    [
      'Memory of the machine',
      memory.total_bytes === null ? '' : `${bytes(memory.available_bytes)} free of ${bytes(memory.total_bytes)}`,
    ],
    ['Work', work === null ? '' : workInWords(work)],
  ].filter(([, value]) => value !== '');
}

function workInWords({ workers, running_tasks: running, pending_tasks: pending, oldest_pending_seconds: oldest }) {
  const hands = `${workers} ${workers === 1 ? 'worker is' : 'workers are'} there`;
  const busy = workers === 0 ? 'no worker is there' : `${hands}, ${running === 0 ? 'nothing is being done' : `${tasks(running)} running`}`;
  const waits = pending === 0 ? 'nothing waits' : `${tasks(pending)} waiting, the oldest for ${span(oldest ?? 0)}`;
  return `${busy.charAt(0).toUpperCase()}${busy.slice(1)}, ${waits}`;
}

const tasks = (count) => `${count} ${count === 1 ? 'task' : 'tasks'}`;

/** Seconds -> "3 days 4 h", "2 h 5 min", "12 min", "40 s". */
export function span(seconds) {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return `${Math.floor(seconds)} s`;
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${minutes % 60} min`;
  const days = Math.floor(hours / 24);
  return `${days} ${days === 1 ? 'day' : 'days'} ${hours % 24} h`;
}

/** "12 videos, 1.5 GB of 20 GB", and the fuller of the two limits as `fraction` (null: no limit). */
export function usageInWords({ assets, bytes: room }) {
  const files = `${assets.used}${assets.limit === null ? '' : ` of ${assets.limit}`} ${assets.limit === null && assets.used === 1 ? 'video' : 'videos'}`;
  const size = `${bytes(room.used)}${room.limit === null ? '' : ` of ${bytes(room.limit)}`}`;
  const parts = [assets, room].filter(({ limit }) => limit !== null).map(({ used, limit }) => used / limit);
  return { text: `${files}, ${size}`, fraction: parts.length === 0 ? null : Math.max(...parts) };
}

/** An operation's id and what was sent with it: "updateAsset" -> "Update asset: title, visibility". */
export function actionInWords({ action, detail }) {
  const words = action.replace(/([a-z])([A-Z])/g, '$1 $2').replaceAll('_', ' ').toLowerCase();
  const facts = Object.entries(detail).map(([name, value]) => {
    const text = Array.isArray(value) ? value.join(', ') : String(value);
    return ['fields', 'code'].includes(name) ? text : `${name.replaceAll('_', ' ')} ${text}`;
  });
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}${facts.length > 0 ? `: ${facts.join('; ')}` : ''}`;
}
