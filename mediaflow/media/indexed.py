"""All packets of a long MP4 or MOV from its index, believed when ffprobe's own reading of both ends agrees with it.

ffprobe tells how the edit list moves the times and how long the last packets last; the index, how many there are and
when. A packet is found in the index by the byte that it lies at. Where anything differs, BadBoxes: then all are read.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress, repeat
from operator import mul
from pathlib import Path
from typing import Any, Final

from mediaflow.media.boxes import BadBoxes
from mediaflow.media.packets import LAST_SECONDS, PacketLog, StreamPackets
from mediaflow.media.sampletables import Track, TracksAhead, read_tracks

LEAST_BYTES: Final = 32 * 1024 * 1024
"""Smaller files are read whole: that takes a fraction of a second."""
ENTRIES: Final = "packet=stream_index,pts,dts,duration_time,pos,flags"
ENDS: Final = "%+#64,864000%"
"""ffprobe's intervals: the first packets, and those from the last key frame on, wherever it is."""
_VIDEO: Final = frozenset(("h264", "hevc", "av1", "vp8", "vp9", "mpeg4", "prores", "dnxhd", "mjpeg"))
_AUDIO: Final = frozenset(("aac", "alac", "ac3", "eac3", "flac", "opus"))
"""Of these a sample is a packet. PCM is grouped, and MP3 is cut anew, by the reader."""


@dataclass(slots=True)
class _Ends:
    """What ffprobe said of one stream, as far as it agrees with the track."""

    track: Track
    moved: tuple[int, int] | None = None
    last: int = -1
    seconds: float = 0.0


@dataclass(slots=True)
class Index:
    """The tracks of a source by ffprobe's stream numbers."""

    streams: dict[int, _Ends] = field(default_factory=dict)

    @classmethod
    def of(cls, source: Path, streams: Sequence[Mapping[str, Any]], ahead: TracksAhead | None = None) -> Index:
        """The index of what ffprobe calls the streams, if those are not the tracks that were read `ahead`. BadBoxes
        tells why it can't be relied on.
        """
        ids = {kind: _ids(streams, kind, codecs) for kind, codecs in (("video", _VIDEO), ("audio", _AUDIO))}
        if ahead is not None and (frozenset(ids["video"]), frozenset(ids["audio"])) == (ahead.video, ahead.audio):
            tracks = ahead.tracks
        else:
            tracks = read_tracks(source, ids["video"].keys(), ids["audio"].keys())
        named = ids["video"] | ids["audio"]
        if tracks.keys() != named.keys():
            raise BadBoxes("the index has not the tracks that ffprobe tells of")
        return cls({named[number]: _Ends(track) for number, track in tracks.items()})

    def add_line(self, line: str) -> None:
        """A packet that ffprobe read: `stream_index,pts,dts,duration_time,pos,flags`. BadBoxes when it differs."""
        fields = line.split(",")
        if len(fields) < 6 or not fields[0].isdigit() or (known := self.streams.get(int(fields[0]))) is None:
            return  # side data, or a stream that is not used
        track = known.track
        sample = track.sample_at(int(fields[4])) if fields[4].isdigit() else None
        if sample is None or "N/A" in fields[1:3]:
            raise BadBoxes(f"a packet of stream {fields[0]} is not in the index")
        if ("D" in fields[5]) == (track.begin <= track.shown[sample] < track.end):
            raise BadBoxes("the edit list keeps other packets")
        if "D" in fields[5]:
            return
        moved = (int(fields[1]) - track.shown[sample], int(fields[2]) - track.decoded[sample])
        if known.moved not in (None, moved):
            raise BadBoxes(f"the packets of stream {fields[0]} have other times than the index says")
        known.moved = moved
        if sample > known.last:
            known.last, known.seconds = sample, _duration(fields[3])

    def log(self) -> PacketLog:
        """All packets, as reading them all would give. BadBoxes unless ffprobe came to the last one of each stream."""
        return PacketLog(streams={index: _packets(ends) for index, ends in self.streams.items()})


def _ids(streams: Sequence[Mapping[str, Any]], kind: str, codecs: frozenset[str]) -> dict[int, int]:
    """Track number -> stream number of the streams of that kind. Pictures of a cover are no tracks."""
    found: dict[int, int] = {}
    for stream in streams:
        if stream.get("codec_type") != kind or stream.get("disposition", {}).get("attached_pic"):
            continue
        if stream.get("codec_name") not in codecs:
            raise BadBoxes(f"packets of {stream.get('codec_name')} are not samples of the index")
        found[int(str(stream.get("id", "0")), 16)] = int(stream["index"])
    return found


def _packets(ends: _Ends) -> StreamPackets:
    track = ends.track
    decoded, shown = track.decoded, track.shown
    if min(shown) < track.begin or max(shown) >= track.end:
        kept = [track.begin <= time < track.end for time in shown]
        decoded, shown = list(compress(decoded, kept)), list(compress(shown, kept))
    if ends.moved is None or decoded[-1] != track.decoded[ends.last]:
        raise BadBoxes("ffprobe did not come to the last packet")
    tick = 1 / track.timescale
    longest = track.longest * tick
    return StreamPackets(
        pts=array("d", _seconds(shown, ends.moved[0], tick)),
        dts=array("d", _seconds(decoded, ends.moved[1], tick)),
        longest=max(ends.seconds, round(longest, 6) if longest <= LAST_SECONDS else 0.0),
        last=ends.seconds,
        total=(decoded[-1] - decoded[0]) * tick + ends.seconds,
    )


def _seconds(ticks: Iterable[int], moved: int, tick: float) -> Iterator[float]:
    return map(mul, map(moved.__add__, ticks), repeat(tick))


def _duration(text: str) -> float:
    """A packet's duration in seconds; 0 where it has none that is believed."""
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0 < value <= LAST_SECONDS else 0.0
