/** One video: wait until it can be played, play it, say what it is, what is wrong with it and what can be done. */

import { assets, events, onThisOrigin, sentenceOf, tell } from '../lib/api.js';
import { Controls } from './controls.js';
import { announce, byId, copyText, setProgress, setText, showText, toast } from '../lib/dom.js';
import { followAsset } from '../lib/follow.js';
import { clock, failure, isSettled, progressSentence, stateName, titleOf, when } from '../lib/format.js';
import { linkTo } from './link.js';
import { mayChange, me } from '../lib/me.js';
import { Player } from './player.js';
import { Resume } from './resume.js';
import { Sizes } from './sizes.js';
import { audience } from '../lib/words.js';

const NOT_THERE = 'There is no such video, or it is not yours.';

export class WatchView {
  #open = null;
  #id = null;
  #at = null;
  #asset = null;
  #player = null;
  #onTitle;
  #video = byId('video');
  #controls = new Controls(this.#video, () => this.#player !== null);
  #resume = new Resume(this.#video);
  #sizes = new Sizes();

  constructor({ onTitle }) {
    this.#onTitle = onTitle;
    byId('copy-link').addEventListener('click', () => this.#copyLink(null));
    byId('copy-link-here').addEventListener('click', () => this.#copyLink(this.#video.currentTime));
    byId('watch-retry').addEventListener('click', () => this.#player?.reload());
    byId('watch-restore').addEventListener('click', () => this.#act(assets.restore));
    byId('watch-process').addEventListener('click', () => this.#act(assets.reprocess));
    byId('watch-edit').addEventListener('click', () => tell('edit-asset', this.#id));
    byId('watch-delete').addEventListener('click', () => tell('delete-asset', this.#asset));
    this.#video.addEventListener('timeupdate', () => this.#showTime());
    events.addEventListener('asset-changed', ({ detail }) => detail.id === this.#id && this.#onChanged(detail));
    events.addEventListener('asset-restored', ({ detail }) => detail === this.#id && this.show(detail));
    events.addEventListener('asset-deleted', ({ detail }) => {
      if (detail === this.#id) location.hash = '#/';
    });
  }

  /** Show the video, from `at` seconds when the address says so. */
  async show(id, { at = null } = {}) {
    this.#begin(id, at);
    const { signal } = this.#open;
    this.#sizes.follow(id, signal);
    try {
      await followAsset(id, {
        signal,
        until: (asset) => isSettled(asset),
        onUpdate: (asset) => this.#showAsset(asset),
      });
    } catch (error) {
      if (signal.aborted || error.status === 401) return;
      if (error.status !== 404) this.#fail(sentenceOf(error));
      else if (this.#asset !== null) this.#onGone();
      else this.#onGone(NOT_THERE);
    }
  }

  /** For a viewer who is not signed in: only the video, whose owner made it public or unlisted. */
  showAlone(id, { at = null } = {}) {
    this.#begin(id, at);
    this.#play(null);
  }

  hide() {
    this.#open?.abort();
    this.#stop();
    this.#id = null;
  }

  #begin(id, at) {
    this.hide();
    this.#open = new AbortController();
    this.#id = id;
    this.#at = at;
    this.#asset = null;
    for (const part of ['watch-trouble', 'watch-progress', 'watch-about', 'watch-mine', 'watch-warnings']) byId(part).hidden = true;
    for (const part of ['watch-stage', 'copy-link']) byId(part).hidden = false;
    this.#sizes.hide();
    this.#video.hidden = true;
    setText(byId('watch-back'), me === null ? 'Sign in' : 'Library');
    this.#onTitle('Video');
  }

  #stop() {
    this.#resume.end();
    this.#controls.detach();
    this.#player?.close();
    this.#player = null;
  }

  #showAsset(asset) {
    // Who began while it was made saw its smallest size: all of them are there now.
    const isWhole = asset.state === 'ready' && this.#asset?.state === 'processing';
    if (isWhole) this.#player?.renew({ renditions: asset.renditions });
    this.#asset = asset;
    this.#describeAsset(asset);
    const watchable = asset.state === 'ready' || asset.playable;
    const failed = ['failed', 'rejected'].includes(asset.state);
    if (watchable && this.#player === null) this.#play(asset);
    byId('watch-progress').hidden = watchable || failed;
    setText(byId('watch-progress-text'), progressSentence(asset));
    setProgress(byId('watch-progress-bar'), asset.state === 'processing' ? (asset.progress ?? 0) : null);
    if (failed && !watchable) this.#fail(failure(asset), { process: asset.state === 'failed' && mayChange(asset) });
  }

  #onChanged(asset) {
    const isAnew = isSettled(this.#asset ?? asset) && !isSettled(asset);
    this.#asset = asset;
    this.#describeAsset(asset);
    // Processed again: what there is plays on, and the end is to be followed.
    if (isAnew) this.show(asset.id, { at: this.#video.currentTime || this.#at });
    // Other captions or another picture have other addresses.
    else this.#player?.renew();
  }

  // What it is

  #describeAsset(asset) {
    const best = (asset.renditions ?? []).find((rendition) => rendition.height);
    const facts = [
      when(asset.created_at),
      asset.duration_seconds && asset.state !== 'rejected' ? clock(asset.duration_seconds) : '',
      best ? `up to ${best.name}` : '',
      audience(asset),
    ];
    this.#describe(titleOf(asset), asset.description, facts);
    this.#sizes.show(asset);
    showText(byId('watch-badge'), asset.state === 'ready' ? '' : stateName(asset.state));
    byId('watch-badge').dataset.state = asset.state;
    byId('watch-mine').hidden = !mayChange(asset);
    // what was odd about the file is its owner's business
    const warnings = mayChange(asset) ? (asset.media?.warnings ?? []) : [];
    showText(byId('watch-warnings'), warnings.map((warning) => `⚠ ${warning}`).join('\n'));
  }

  #describe(title, description, facts) {
    this.#onTitle(title);
    setText(byId('watch-title'), title);
    this.#video.setAttribute('aria-label', title);
    showText(byId('watch-description'), description?.trim());
    setText(byId('watch-facts'), facts.filter(Boolean).join(' · '));
    byId('watch-about').hidden = false;
  }

  // Playing it

  /** Without an `asset` only what the playback operation tells is known. */
  #play(asset) {
    const video = this.#video;
    video.hidden = false;
    video.setAttribute('aria-label', asset ? titleOf(asset) : 'Video');
    if (asset?.thumbnail_url) video.poster = onThisOrigin(asset.thumbnail_url);
    const player = new Player(video, this.#id, { renditions: asset?.renditions, wishes: this.#controls.wishes });
    player.addEventListener('trouble', () => this.#onTrouble(player));
    player.addEventListener('playback', () => this.#asset === null && this.#describePlayback(player.playback));
    this.#player = player;
    this.#controls.attach(player);
    this.#startPlayer(player);
  }

  async #startPlayer(player) {
    const stopped = this.#resume.begin(me?.user ?? '', this.#id);
    if (this.#at !== null || stopped === null) {
      player.start({ at: this.#at ?? 0 });
      return;
    }
    // It is loaded there meanwhile, so that the viewer sees where that is and waits for nothing.
    player.start({ at: stopped, paused: true });
    const answer = await this.#resume.ask(stopped);
    if (this.#player !== player || answer === 'nothing') return;
    this.#video.focus();
    if (answer === 'continue') player.play();
    else player.restart();
  }

  #describePlayback({ title, description, duration_seconds: seconds }) {
    this.#describe(title?.trim() || 'Video', description, [seconds ? clock(seconds) : '']);
  }

  // What is wrong

  #onTrouble(player) {
    const { trouble } = player;
    if (trouble?.kind === 'gone') this.#onGone(trouble.text);
    else this.#trouble(trouble?.text ?? null, { retry: trouble?.final });
  }

  /** Deleted, made private, or never there. The session may have ended as well: then the request says so to the whole page. */
  async #onGone(text = 'This video was deleted.') {
    const asset = this.#asset;
    const isMine = asset !== null && mayChange(asset);
    if (asset === null && this.#player?.playback === null) this.#fail(me === null ? text : NOT_THERE, { library: true });
    else this.#fail(isMine ? 'This video was deleted.' : text, { restore: isMine, library: true });
    // There is nothing to do with what is not there.
    for (const part of ['watch-mine', 'copy-link']) byId(part).hidden = true;
    if (asset !== null) await assets.read(asset.id, this.#open.signal).catch(() => null);
  }

  /** There is nothing to play (any more). */
  #fail(text, ways = {}) {
    if (this.#asset === null) this.#onTitle('Not found');
    this.#stop();
    byId('watch-stage').hidden = true;
    this.#sizes.hide();
    this.#trouble(text, { library: true, ...ways });
  }

  /** Say it, with the ways out that there are; null when all is well. */
  #trouble(text, { retry = false, restore = false, process = false, library = false } = {}) {
    showText(byId('watch-trouble-text'), text);
    byId('watch-trouble').hidden = text === null;
    byId('watch-retry').hidden = !retry;
    byId('watch-restore').hidden = !restore;
    byId('watch-process').hidden = !process;
    byId('watch-library').hidden = !library;
    setText(byId('watch-library'), me === null ? 'Sign in' : 'To the library');
    if (text) announce(text);
  }

  async #act(work) {
    const id = this.#id;
    try {
      await work(id);
      if (this.#id === id) this.show(id);
    } catch (error) {
      toast(sentenceOf(error), { error: true });
    }
  }

  // Links

  #showTime() {
    const at = this.#video.currentTime;
    byId('copy-link-here').hidden = at < 1;
    setText(byId('copy-link-time'), clock(Math.floor(at)));
  }

  async #copyLink(at) {
    const link = linkTo(location.href, this.#id, at);
    const isPrivate = this.#asset?.visibility === 'private';
    const copied = (await copyText(link)) ? 'The link is on your clipboard.' : `Copy this link: ${link}`;
    toast(isPrivate ? `${copied} The video is private: others can’t open it, unless it is shared with them.` : copied);
  }
}
