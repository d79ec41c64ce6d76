/** A file as tus-js-client reads it: slice by slice, each with its digest, which goes with it. */

import { ApiError } from '../lib/api.js';

/** What `Upload-Checksum` says of the bytes; null outside secure contexts, where browsers have no crypto.subtle. */
export async function checksumOf(buffer) {
  if (!globalThis.crypto?.subtle) return null;
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', buffer));
  return `sha256 ${btoa(String.fromCharCode(...digest))}`;
}

/** The bytes of a slice. Reading fails when the file was moved, changed or unplugged meanwhile. */
async function bytesOf(blob) {
  try {
    return await blob.arrayBuffer();
  } catch {
    throw new ApiError(-1, {
      code: 'file.unreadable',
      detail: 'The file can no longer be read: it was moved, changed or is no longer connected. Choose it again.',
    });
  }
}

/** The `fileReader` of one upload. `checksum` is that of the slice that was read last. */
export class Source {
  checksum = null;
  #file;

  constructor(file) {
    this.#file = file;
    this.size = file.size;
  }

  async openFile() {
    return this;
  }

  async slice(start, end) {
    const bytes = await bytesOf(this.#file.slice(start, Math.min(end, this.size)));
    this.checksum = await checksumOf(bytes);
    return { value: new Blob([bytes]), done: end >= this.size };
  }

  close() {}
}
