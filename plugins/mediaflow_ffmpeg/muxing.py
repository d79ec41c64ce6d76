"""How tracks are cut into CMAF segments: the options of ffmpeg's muxers. Pure; every option has its reason here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from mediaflow.plugin import MEDIA_OFFSET_SECONDS
from mediaflow_ffmpeg.cutting import RAW
from mediaflow_ffmpeg.graph import seconds
from mediaflow_ffmpeg.jobs import VideoJob

STREAMED: Final = {"hls_flags": "independent_segments+temp_file"}
"""A segment gets its name when it is whole."""
# frag_discont: tfdt is the presentation's own time, also when encoding begins in the middle; without it each span
# starts at 0 and the offset lands in an edit list. frag_custom: the muxer around it says where fragments end.
# delay_moov: the init segment is written when the encoder's delay is known. default_base_moof, dash: CMAF.
_MOVFLAGS: Final = "movflags=+frag_discont+frag_custom+dash+delay_moov+default_base_moof"
_NUMBERED: Final = "fragment_index"
"""Fragments of all of a track count on, wherever an encoding began (ISO/IEC 14496-12, 8.8.5)."""
_OUR_CLOCK: Final = {
    # one second ahead, so that the first decoding time is positive; without it the first span is shifted
    "output_ts_offset": seconds(MEDIA_OFFSET_SECONDS),
    # titles, places and device names of the source are nobody's business
    "map_metadata": -1,
    "map_chapters": -1,
}


def segment_options(
    kind: str, names: Sequence[str], segment_seconds: Fraction, first: int, directory: Path
) -> dict[str, Any]:
    """The HLS muxer as a writer of numbered CMAF segments; its playlists are only read for the init segments' names."""
    return {
        "format": "hls",
        "hls_time": seconds(segment_seconds),
        "hls_playlist_type": "vod",
        "hls_flags": "independent_segments",
        "hls_segment_type": "fmp4",
        "start_number": first,
        "hls_segment_options": f"{_MOVFLAGS}:{_NUMBERED}={first + 1}" if first else _MOVFLAGS,
        # of its own: what another run wrote may be read at the moment
        "hls_fmp4_init_filename": f"init_%v_{first}.mp4",
        "hls_segment_filename": f"{directory}/%v/%05d.m4s",
        "var_stream_map": " ".join(f"{kind}:{number},name:{name}" for number, name in enumerate(names)),
        **_OUR_CLOCK,
    }


def piece_options(frames: Iterable[int], first: int) -> dict[str, Any]:
    """A muxer that is told before which frames to cut: the HLS muxer cuts by time since its own first frame. What it
    writes are pieces of one track, of which the first begins with the init segment; `first` is the first one's number
    among all fragments.
    """
    numbered = f":{_NUMBERED}={first}" if first else ""
    return {
        "format": "segment",
        "segment_frames": ",".join(str(frame) for frame in frames),
        "segment_format": "mp4",
        # all of one track: one init segment, and fragments that follow it
        "individual_header_trailer": 0,
        # an index in front of each fragment, or behind the last one, is no use to anybody: a segment is one fragment
        "segment_format_options": f"{_MOVFLAGS}+skip_trailer+skip_sidx{numbered}",
        **_OUR_CLOCK,
    }


def span_options(job: VideoJob) -> dict[str, Any]:
    """The pieces of a span whose segments are not equally long. The first piece is the init segment: the muxer writes
    it when it is told to end a piece for the first time, and so is told after one frame, key frame or not.
    """
    first = job.span.first_segment
    begins = [job.grid.first_frame(first + place) - job.first_frame for place in range(1, job.segment_count)]
    pieces = piece_options([1, *begins], first + 1 if first else 0)
    return pieces | {"segment_start_number": first, "break_non_keyframes": 1}


def span_file(directory: Path, name: str) -> str:
    """Where the pieces of a rendition are written."""
    return f"{directory}/{name}/%05d.{RAW}"
