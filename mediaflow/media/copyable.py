"""What of a file can be shown as it is: looked for while ffprobe describes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from mediaflow.domain.media import AudioStream, MediaInfo, PictureGroups, SoundPackets, VideoStream
from mediaflow.media.boxes import BadBoxes, children, handler, one, top_level, track_id
from mediaflow.media.groups import picture_groups
from mediaflow.media.sampletables import MOST_INDEX_BYTES, MOST_SAMPLES, clock, reading_index, the_index
from mediaflow.media.soundpackets import sound_packets

MOST_TRACKS: Final = 8
"""Of pictures, and of sound."""
_OFF_SECONDS: Final = 0.06
"""A stream's length is what its packets are, but for the last two, which perhaps are not all sound."""


@dataclass(frozen=True, slots=True)
class Copyable:
    """The tracks that can be cut as they are, by their ids."""

    pictures: dict[int, PictureGroups] = field(default_factory=dict)
    sound: dict[int, SoundPackets] = field(default_factory=dict)


def copyable(source: Path) -> Copyable:
    """Those of an MP4 or MOV."""
    found = Copyable()
    try:
        with reading_index():
            moov = the_index(top_level(source, keep=(b"moov",), most_bytes=MOST_INDEX_BYTES))
            kinds = [(handler(trak), trak) for trak in children(moov, b"trak")]
            scale, size = clock(one(moov, b"mvhd")), source.stat().st_size
    except (BadBoxes, OSError):
        return found
    pictures, sound = ([trak for kind, trak in kinds if kind == wanted] for wanted in (b"vide", b"soun"))
    # of one track all is read, of several all together not more
    share = 1 if len(pictures) == 1 else MOST_TRACKS
    for trak in pictures[:MOST_TRACKS]:
        with suppress(BadBoxes, OSError), reading_index():
            found.pictures[track_id(trak)] = picture_groups(source, trak, scale, share)
    share = 1 if len(sound) == 1 else MOST_TRACKS
    for trak in sound[:MOST_TRACKS]:
        with suppress(BadBoxes, OSError), reading_index():
            found.sound[track_id(trak)] = sound_packets(trak, scale, size, MOST_SAMPLES // share)
    return found


def begin_copyable(beside: Executor, source: Path | None) -> Callable[[MediaInfo, Mapping[str, Any]], MediaInfo]:
    """Begin to look, if there is a source; what gives media what was found, where this is all that was counted. It is
    asked with what ffprobe says of the file.
    """
    if source is None:
        return lambda media, _document: media
    found = beside.submit(copyable, source)
    return lambda media, document: _with(media, document, found.result())


def _with(media: MediaInfo, document: Mapping[str, Any], found: Copyable) -> MediaInfo:
    ids = {stream["index"]: int(str(stream.get("id", "0")), 16) for stream in document.get("streams", [])}

    def seen(video: VideoStream) -> VideoStream:
        groups = found.pictures.get(ids.get(video.index, 0))
        return replace(video, groups=groups) if groups and groups.frame_count == video.frame_count else video

    def heard(audio: AudioStream) -> AudioStream:
        packets = found.sound.get(ids.get(audio.index, 0))
        return replace(audio, packets=packets) if packets and _agree(packets, audio) else audio

    return replace(
        media,
        video=None if media.video is None else seen(media.video),
        more_video=tuple(map(seen, media.more_video)),
        audio=None if media.audio is None else heard(media.audio),
        more_audio=tuple(map(heard, media.more_audio)),
    )


def _agree(packets: SoundPackets, audio: AudioStream) -> bool:
    seconds = (packets.count * 1024 - packets.priming_samples) / packets.sample_rate_hz
    told = (audio.codec, audio.sample_rate_hz, audio.channels)
    same = told == ("aac", packets.sample_rate_hz, packets.channels)
    return same and abs(audio.duration_seconds - seconds) <= _OFF_SECONDS
