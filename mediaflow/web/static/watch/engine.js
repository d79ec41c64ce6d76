/** hls.js in a video element: its levels and tracks, what the viewer wishes of them, and its figures. What is to be done about errors is the player's. */

import { AUTOMATIC, levelBitrate, levelFor, rungNames } from './quality.js';
import { OFF, choiceOf, trackFor } from './tracks.js';

// The code of ISO 639-2 for what has no language: no captions have it.
const NO_LANGUAGE = { lang: 'zxx' };

/** hls.js, or null when the page was set up without it. */
export async function loadHls() {
  try {
    return (await import('../vendor/hls.js/hls.min.mjs')).default;
  } catch {
    return null;
  }
}

/** Says `levels` and `tracks` when those below changed, `buffered` after each segment and `error`, each with what hls.js tells as `detail`. */
export class HlsEngine extends EventTarget {
  /** hls.js' levels (width, height, bit rates), their rungs' names, the chosen one (-1: automatic) and the one that plays. */
  levels = [];
  names = [];
  level = -1;
  autoLevel = -1;
  /** hls.js' tracks (name, lang), and the chosen ones; -1 for no captions. */
  captions = [];
  caption = -1;
  audios = [];
  audio = -1;

  #video;
  #renditions;
  #wishes;
  #hls;
  #segment = null;
  #nudgeFor = null;
  #gone = false;

  /** `wishes` is what the viewer chose, `{quality, captions, audio}`: it is read at the start and written with each choice. */
  constructor(Hls, video, { url, at, loader, renditions, wishes }) {
    super();
    this.#video = video;
    this.#renditions = renditions;
    this.#wishes = wishes;
    this.#hls = new Hls({
      workerPath: new URL('../vendor/hls.js/hls.worker.js', import.meta.url).href,
      loader,
      // Without -1 hls.js begins at the start; a reload begins where the viewer is.
      startPosition: at > 0 ? at : -1,
      // No more pixels than the element shows; full screen raises it by itself.
      capLevelToPlayerSize: true,
      // A quality that a viewer chose stays chosen when the network is away for a while.
      preserveManualLevelOnError: true,
    });
    this.#listen(Hls.Events);
    this.#hls.loadSource(url);
    this.#hls.attachMedia(video);
  }

  /** Choose a level by its index, -1 for automatic. */
  chooseLevel(index) {
    this.level = index;
    this.#wishes.quality = this.names[index] ?? AUTOMATIC;
    // At once, for a viewer who chose is looking; the automatic choice changes at the next segment.
    if (index >= 0) this.#switchNow(index);
    else this.#hls.nextLevel = -1;
    this.#say('levels');
  }

  /** Choose captions by their index, -1 for none. */
  chooseCaption(index) {
    this.#wishes.captions = index < 0 ? OFF : choiceOf(this.captions[index]);
    this.#hls.subtitleDisplay = true;
    this.#hls.subtitleTrack = index;
    this.#readTracks();
  }

  chooseAudio(index) {
    this.#wishes.audio = choiceOf(this.audios[index]);
    this.#hls.audioTrack = index;
    this.#readTracks();
  }

  /** What only hls.js knows of the figures that viewers may see. */
  figures() {
    const playing = this.levels[this.autoLevel];
    return {
      rung: this.names[this.autoLevel] ?? null,
      automatic: this.level === -1,
      bps: playing ? levelBitrate(playing) : null,
      bandwidthBps: this.#hls.bandwidthEstimate,
      segment: this.#segment,
      codecs: playing ? [playing.videoCodec, playing.audioCodec].filter(Boolean).join(', ') : null,
      engine: `hls.js ${this.#hls.constructor.version}`,
    };
  }

  recover() {
    this.#hls.recoverMediaError();
  }

  startLoad() {
    this.#hls.startLoad();
  }

  stopLoad() {
    this.#hls.stopLoad();
  }

  destroy() {
    this.#gone = true;
    this.#hls.destroy();
  }

  #listen(names) {
    // hls.js still tells of the end of things while it is destroyed.
    const on = (name, call) => this.#hls.on(names[name], (_, data) => !this.#gone && call(data));
    on('MANIFEST_PARSED', (data) => this.#onManifest(data));
    on('LEVEL_SWITCHED', ({ level }) => {
      this.autoLevel = level;
      this.#say('levels');
    });
    for (const name of ['SUBTITLE_TRACKS_UPDATED', 'SUBTITLE_TRACK_SWITCH', 'AUDIO_TRACKS_UPDATED', 'AUDIO_TRACK_SWITCHED']) {
      on(name, () => this.#readTracks());
    }
    on('FRAG_BUFFERED', ({ frag, stats }) => this.#onBuffered(frag, stats));
    on('ERROR', (error) => this.dispatchEvent(new CustomEvent('error', { detail: error })));
  }

  #onManifest({ audioTracks, subtitleTracks, firstLevel }) {
    const { config } = this.#hls;
    const { quality, captions, audio } = this.#wishes;
    this.levels = this.#hls.levels;
    this.names = rungNames(this.levels, this.#renditions);
    this.level = levelFor(this.names, quality);
    config.audioPreference = preferred(audioTracks, audio);
    // Without captions that fit, the playlist's default ones; with those for which there are none, hls.js shows no others.
    config.subtitlePreference = captions === OFF ? NO_LANGUAGE : preferred(subtitleTracks, captions);
    // The server puts in front what is there at once; what fits the screen and the network follows with the next segment.
    this.#hls.startLevel = firstLevel;
    if (this.level >= 0) this.#hls.loadLevel = this.level;
    this.#say('levels');
    this.#readTracks();
  }

  #readTracks() {
    this.captions = this.#hls.subtitleTracks;
    this.caption = this.#hls.subtitleDisplay ? this.#hls.subtitleTrack : -1;
    this.audios = this.#hls.audioTracks;
    this.audio = this.#hls.audioTrack;
    this.#say('tracks');
  }

  #switchNow(index) {
    if (this.#hls.currentLevel === index) {
      this.#hls.loadLevel = index;
      return;
    }
    this.#hls.currentLevel = index;
    this.#nudgeFor = index;
  }

  #onBuffered(frag, stats) {
    const { start, first, end } = stats.loading;
    if (frag.type === 'main' && end > 0) {
      this.#segment = { bytes: stats.total, milliseconds: end - start, waitMilliseconds: first - start };
    }
    this.#nudge(frag);
    if (frag.type === 'audio') this.#endAudioSwitch();
    // hls.js says it of segments in which it found nothing, too.
    if (Object.values(frag.elementaryStreams).some(Boolean)) this.dispatchEvent(new CustomEvent('buffered', { detail: frag }));
  }

  /** The decoder goes on with what it was fed until the next key frame, seconds away (measured); a seek on the spot starts it anew. */
  #nudge({ type, level, start, end }) {
    const now = this.#video.currentTime;
    if (type !== 'main' || level !== this.#nudgeFor || now < start - 0.1 || now >= end) return;
    this.#nudgeFor = null;
    this.#video.currentTime = now;
  }

  /**
   * Most rungs have sound of another bit rate. hls.js 1.7.4 takes that change for done only when another segment plays than at
   * its beginning, and ends no video before: one whose quality was changed in its last segment never ended (seen). Here it is
   * done when the new sound is there. (A version without these members is left alone.)
   */
  #endAudioSwitch() {
    const audio = this.#hls.audioStreamController;
    const track = audio?.switchingTrack;
    if (track && track === audio.bufferedTrack) audio.completeAudioSwitch?.(track);
  }

  #say(name) {
    this.dispatchEvent(new Event(name));
  }
}

/** What hls.js is to choose by itself: a track that the viewer's choice fits. */
function preferred(tracks, choice) {
  const track = trackFor(tracks ?? [], choice);
  return track === null ? undefined : choiceOf(track);
}
