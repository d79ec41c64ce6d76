// One upload with tus-js-client, as a program does it. Its only argument is JSON: what to send, where, and how.
import fs from 'node:fs';
import { PassThrough } from 'node:stream';
import * as tus from 'tus-js-client';

const { endpoint, token, file, deferred, stopAt, uploadUrl, options } = JSON.parse(process.argv[2]);
const retried = [];
// of a file it knows the length; of a stream that is none it does not
const input = fs.createReadStream(file);
const upload = new tus.Upload(deferred ? input.pipe(new PassThrough()) : input, {
  endpoint,
  uploadUrl,
  headers: { Authorization: `Bearer ${token}` },
  metadata: { filename: 'clip.mp4', filetype: 'video/mp4', title: 'über tus' },
  retryDelays: [0, 200, 500, 1000, 1000, 2000, 2000],
  ...(deferred ? { uploadLengthDeferred: true, chunkSize: 300_000 } : {}),
  ...options,
  onShouldRetry: (error) => {
    const status = error.originalResponse ? error.originalResponse.getStatus() : 0;
    retried.push(status);
    return status === 0 || status === 409 || status === 423 || status >= 500;
  },
  onProgress: (sent) => {
    if (stopAt && sent >= stopAt) {
      upload.abort(false).then(() => finish({ stopped: sent }));
    }
  },
  onError: (error) => finish({ error: String(error), status: error.originalResponse?.getStatus() ?? null }),
  onSuccess: () => finish({}),
});

let finished = false;

function finish(told) {
  if (finished) return;
  finished = true;
  process.stdout.write(JSON.stringify({ url: upload.url, retried, ...told }), () => process.exit(0));
}

upload.start();
