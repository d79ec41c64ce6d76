/** What is beside the video: the menus, the figures and the keys; and what this browser remembers of the choices. */

import { announce, byId, setText, toast } from '../lib/dom.js';
import { recall, remember } from './preferences.js';
import { AUTOMATIC, showLevels } from './quality.js';
import { Scrub } from './scrub.js';
import { listenForKeys } from './shortcuts.js';
import { StatisticsPanel, figures } from './statistics.js';
import { OFF, choiceOf, showAudios, showCaptions, trackFor, trackName } from './tracks.js';

const HINT_MILLISECONDS = 1200;
const HIDDEN_WITHOUT_VIDEO = [
  'watch-tools', 'keys-help', 'quality-box', 'captions-box', 'audio-box', 'picture-in-picture', 'copy-link-here',
];
const number = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 });

export class Controls {
  #video;
  #player = null;
  #statistics;
  #scrub;
  #hintTimer = null;
  #lastCaptions = null;

  /** The keys count while `isOn()`. */
  constructor(video, isOn) {
    this.#video = video;
    this.#statistics = new StatisticsPanel(() => (this.#player === null ? null : figures(this.#player, video)));
    this.#scrub = new Scrub(video);
    this.#listenToMenus();
    this.#listenToVideo();
    const useKeys = byId('keys-on');
    useKeys.checked = recall('keys', true) !== false;
    useKeys.addEventListener('change', () => remember('keys', useKeys.checked));
    listenForKeys(video, () => isOn() && useKeys.checked && this.#player !== null, this.#commands());
    this.#recallVolume();
  }

  /** What the viewer chose in other videos, as a Player takes it. */
  get wishes() {
    return { quality: recall('quality', AUTOMATIC), captions: recall('captions'), audio: recall('audio') };
  }

  attach(player) {
    this.#player = player;
    player.addEventListener('levels', () => this.#showLevels());
    player.addEventListener('tracks', () => this.#showTracks());
    player.addEventListener('playback', () => this.#scrub.show(player.playback));
    for (const id of ['watch-tools', 'keys-help']) byId(id).hidden = false;
  }

  detach() {
    this.#player = null;
    this.#statistics.hide();
    this.#scrub.hide();
    for (const id of HIDDEN_WITHOUT_VIDEO) byId(id).hidden = true;
    setText(byId('player-hint'), '');
  }

  #listenToMenus() {
    const on = (id, call) => byId(id).addEventListener('change', (event) => call(event.target.value));
    on('quality', (name) => this.#chooseQuality(name));
    on('captions', (index) => this.#chooseCaption(Number(index)));
    on('audio', (index) => this.#chooseAudio(Number(index)));
    on('speed', (rate) => this.#setSpeed(Number(rate)));
    byId('picture-in-picture').addEventListener('click', () => this.#togglePictureInPicture());
  }

  #listenToVideo() {
    const video = this.#video;
    video.addEventListener('ratechange', () => (byId('speed').value = String(video.playbackRate)));
    video.addEventListener('volumechange', () => remember('volume', { volume: video.volume, muted: video.muted }));
    // Sound alone has no picture to take out.
    video.addEventListener('loadeddata', () => {
      byId('picture-in-picture').hidden = !document.pictureInPictureEnabled || video.videoHeight === 0;
    });
  }

  #recallVolume() {
    const { volume, muted } = recall('volume', {});
    if (volume >= 0 && volume <= 1) this.#video.volume = volume;
    this.#video.muted = muted === true;
  }

  // The menus

  #showLevels() {
    const engine = this.#player?.engine;
    if (!engine) return;
    showLevels(byId('quality'), engine);
    byId('quality-box').hidden = engine.levels.length < 2;
  }

  #showTracks() {
    const engine = this.#player?.engine;
    if (!engine) return;
    showCaptions(byId('captions'), engine);
    byId('captions-box').hidden = engine.captions.length === 0;
    showAudios(byId('audio'), engine);
    byId('audio-box').hidden = engine.audios.length < 2;
  }

  #chooseQuality(name) {
    remember('quality', name);
    this.#player.chooseLevel(this.#player.engine.names.indexOf(name));
  }

  #chooseCaption(index) {
    const { engine } = this.#player;
    remember('captions', index < 0 ? OFF : choiceOf(engine.captions[index]));
    engine.chooseCaption(index);
  }

  #chooseAudio(index) {
    const { engine } = this.#player;
    remember('audio', choiceOf(engine.audios[index]));
    engine.chooseAudio(index);
  }

  #setSpeed(rate) {
    // The default one lasts when the source changes.
    this.#video.defaultPlaybackRate = rate;
    this.#video.playbackRate = rate;
  }

  // The keys

  #commands() {
    const video = this.#video;
    return {
      toggle: () => (video.paused ? this.#player.play() : video.pause()),
      skip: (seconds) => this.#seek(video.currentTime + seconds),
      tenth: (tenths) => this.#seek((video.duration * tenths) / 10),
      mute: () => {
        video.muted = !video.muted;
        this.#hint(video.muted ? 'Sound off' : 'Sound on');
      },
      fullscreen: () => this.#toggleFullscreen(),
      captions: () => this.#toggleCaptions(),
      statistics: () => this.#statistics.toggle(),
      pictureInPicture: () => this.#togglePictureInPicture(),
      speed: (step) => this.#stepSpeed(step),
      help: () => (byId('keys-help').open = !byId('keys-help').open),
    };
  }

  #seek(seconds) {
    const { duration } = this.#video;
    if (Number.isFinite(seconds) && duration > 0) this.#video.currentTime = Math.min(duration, Math.max(0, seconds));
  }

  #toggleCaptions() {
    const engine = this.#player.engine;
    if (!engine?.captions.length) {
      this.#hint('No captions');
      return;
    }
    const { captions, caption } = engine;
    const remembered = this.#lastCaptions ?? recall('captions');
    if (caption >= 0) this.#lastCaptions = choiceOf(captions[caption]);
    const next = caption >= 0 ? -1 : Math.max(0, captions.indexOf(trackFor(captions, remembered)));
    this.#chooseCaption(next);
    this.#hint(next < 0 ? 'Captions off' : `Captions: ${trackName(captions[next])}`);
  }

  #stepSpeed(step) {
    const rates = [...byId('speed').options].map(({ value }) => Number(value));
    const next = rates[rates.indexOf(this.#video.playbackRate) + step];
    if (next === undefined) return;
    this.#setSpeed(next);
    this.#hint(`Speed ${number.format(next)}`);
  }

  #toggleFullscreen() {
    const video = this.#video;
    const done = document.fullscreenElement ? document.exitFullscreen() : video.requestFullscreen?.();
    // On iPhones only a video can fill the screen, and by this name.
    if (!document.fullscreenEnabled) video.webkitEnterFullscreen?.();
    done?.catch(() => toast('This browser allows no full screen here.'));
  }

  async #togglePictureInPicture() {
    if (!document.pictureInPictureEnabled) return;
    try {
      if (document.pictureInPictureElement) await document.exitPictureInPicture();
      else await this.#video.requestPictureInPicture();
    } catch {
      toast('The picture can’t be taken out just now.');
    }
  }

  /** Keys have no button that shows what they did: say it over the video for a moment, and to screen readers. */
  #hint(text) {
    const hint = byId('player-hint');
    setText(hint, text);
    announce(text);
    clearTimeout(this.#hintTimer);
    this.#hintTimer = setTimeout(() => setText(hint, ''), HINT_MILLISECONDS);
  }
}
