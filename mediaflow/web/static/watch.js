/** One video: wait until it can be played, play it, say what it is and what is wrong. */

import { onThisOrigin, sentenceOf } from './api.js';
import { announce, byId, copyText, setProgress, setText, showText, toast } from './dom.js';
import { followAsset } from './follow.js';
import { clock, failure, isSettled, levelName, progressSentence, stateName, titleOf, when } from './format.js';
import { Player } from './player.js';

export class WatchView {
  #open = null;
  #player = null;
  #onTitle;

  constructor({ onTitle }) {
    this.#onTitle = onTitle;
    byId('copy-link').addEventListener('click', () => this.#copyLink());
    byId('quality').addEventListener('change', (event) => this.#player?.chooseLevel(Number(event.target.value)));
    byId('watch-retry').addEventListener('click', () => this.#player?.reload());
  }

  async show(id) {
    this.hide();
    this.#open = new AbortController();
    const { signal } = this.#open;
    this.#blank();
    try {
      await followAsset(id, {
        signal,
        // An early presentation plays while the rest is made: then the end of processing is still of interest.
        until: (asset) => isSettled(asset),
        onUpdate: (asset) => this.#showAsset(asset),
      });
    } catch (error) {
      if (signal.aborted || error.status === 401) return;
      this.#onTitle('Not found');
      this.#stop();
      byId('watch-stage').hidden = true;
      this.#trouble(error.status === 404 ? 'There is no such video, or it is not yours.' : sentenceOf(error), false);
    }
  }

  /** For a viewer who is not signed in: only the video, whose owner made it public or unlisted. */
  showAlone(id) {
    this.hide();
    this.#blank();
    this.#play({ id, title: 'Video' });
  }

  hide() {
    this.#open?.abort();
    this.#stop();
  }

  #blank() {
    for (const id of ['watch-trouble', 'watch-progress', 'quality-box', 'watch-about']) byId(id).hidden = true;
    byId('watch-stage').hidden = false;
    byId('video').hidden = true;
    this.#onTitle('Video');
  }

  #stop() {
    this.#player?.close();
    this.#player = null;
  }

  #showAsset(asset) {
    this.#describe(asset);
    const watchable = asset.state === 'ready' || asset.playable;
    const failed = ['failed', 'rejected'].includes(asset.state);
    if (watchable && this.#player === null) this.#play(asset);
    else if (asset.state === 'ready' && this.#player?.early) this.#player.reload();
    byId('watch-progress').hidden = watchable || failed;
    setText(byId('watch-progress-text'), progressSentence(asset));
    setProgress(byId('watch-progress-bar'), asset.state === 'processing' ? (asset.progress ?? 0) : null);
    if (failed && !watchable) {
      byId('watch-stage').hidden = true;
      this.#trouble(failure(asset), false);
    }
  }

  #describe(asset) {
    const title = titleOf(asset);
    this.#onTitle(title);
    setText(byId('watch-title'), title);
    showText(byId('watch-description'), asset.description?.trim());
    showText(byId('watch-badge'), asset.state === 'ready' ? '' : stateName(asset.state));
    byId('watch-badge').dataset.state = asset.state;
    const sizes = (asset.renditions ?? []).filter((rendition) => rendition.height).map(levelName);
    const facts = [
      when(asset.created_at),
      asset.duration_seconds && asset.state !== 'rejected' ? clock(asset.duration_seconds) : '',
      sizes.length > 0 ? `up to ${sizes[0]}` : '',
      asset.visibility === 'private' ? `Only for ${asset.owner}` : '',
    ];
    setText(byId('watch-facts'), facts.filter(Boolean).join(' · '));
    byId('watch-about').hidden = false;
  }

  #play(asset) {
    const video = byId('video');
    video.hidden = false;
    video.setAttribute('aria-label', titleOf(asset));
    if (asset.thumbnail_url) video.poster = onThisOrigin(asset.thumbnail_url);
    const player = new Player(video, asset.id);
    player.addEventListener('levels', () => this.#showLevels(player));
    player.addEventListener('trouble', () => this.#trouble(player.message, player.final));
    this.#player = player;
    player.start();
  }

  #showLevels(player) {
    const menu = byId('quality');
    const playing = player.levels[player.autoLevel];
    const options = [[-1, player.level === -1 && playing ? `Auto (${levelName(playing)})` : 'Auto']];
    player.levels.forEach((level, index) => options.push([index, levelName(level)]));
    // From the best to the least, as viewers know such menus; hls.js sorts the other way.
    const ordered = [options[0], ...options.slice(1).reverse()];
    const changed = ordered.length !== menu.options.length;
    if (changed) menu.replaceChildren(...ordered.map(() => document.createElement('option')));
    ordered.forEach(([value, text], index) => {
      menu.options[index].value = String(value);
      setText(menu.options[index], text);
    });
    menu.value = String(player.level);
    byId('quality-box').hidden = player.levels.length < 2;
  }

  #trouble(message, canRetry) {
    showText(byId('watch-trouble-text'), message);
    byId('watch-trouble').hidden = message === null;
    byId('watch-retry').hidden = !canRetry;
    if (message) announce(message);
  }

  async #copyLink() {
    if (await copyText(location.href)) toast('The link is on your clipboard.');
    else toast(`Copy this link: ${location.href}`);
  }
}
