/**
 * What the page's policy lets turn into code (Trusted Types): the address of hls.js' worker and nothing else. No text ever
 * becomes markup or script here, whoever wrote it.
 */

const WORKER = new URL('../vendor/hls.js/hls.worker.js', import.meta.url).href;

// hls.js makes its worker of a string: that is what the policy of this name is asked about.
globalThis.trustedTypes?.createPolicy('default', { createScriptURL: (url) => (url === WORKER ? url : null) });
