"""Whole command lines. Pure; `tests/data/argv/` holds what they come to. Every option has its reason here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import ffmpeg

from mediaflow.plugin import MediaInfo, VideoStream
from mediaflow_ffmpeg.argv import ONE_THREAD, QUIET, compiled, safe
from mediaflow_ffmpeg.clocks import counted_from, from_middle, from_origin
from mediaflow_ffmpeg.cutting import run_of
from mediaflow_ffmpeg.graph import Node, black, picture, seconds, video_graph
from mediaflow_ffmpeg.jobs import FRAME_SAMPLES, AudioJob, VideoJob
from mediaflow_ffmpeg.looks import measured
from mediaflow_ffmpeg.muxing import STREAMED, piece_options, segment_options, span_file, span_options
from mediaflow_ffmpeg.options import family_of, uploaded, video_options
from mediaflow_ffmpeg.soundgraph import audio_graph, mixed_down

MAX_ERROR_RATE: Final = 0.5
"""ffmpeg gives up (exit code 69) when more than this share of the packets can't be decoded."""

HERE: Final = Path()
"""Programs run in the directory that they write to: muxers would expand a `%` in a path of the machine."""
AGAIN: Final = Path("again")
"""Where a second run writes what the first did not make as it should: below `HERE`."""
EMPTY_BYTES: Final = 32
"""Of nothing at all the HLS muxer makes a segment that has a box of its type (`styp`) and no more."""
PROGRESS: Final = ("-progress", "pipe:1", "-stats_period", "0.2")
"""Whoever waits for a segment waits for the next line, too: a tenth of a second."""
_REPEATS: Final = 2
SEEK_MARGIN_SECONDS: Final = 1
"""Decoding begins with a key frame that is shown so long before a part: what the frames after it may refer to beyond it
(an open group of pictures) is not shown in the part, and the frame that is shown when the part begins is there.
"""
SOUND_MARGIN_SECONDS: Final = 2
"""The same for sound, beside the segment that a part is begun early: it may lie as much behind the picture in the file,
which is what a Matroska file is sought by.
"""
_STRICT: Final = ("-max_error_rate", str(MAX_ERROR_RATE))
_LENIENT: Final = ("-max_error_rate", "1")
_CAREFUL: Final = ("-xerror",)
"""Of a source that is not all there nothing is made after an error: it may come of what is missing."""


def video_command(
    job: VideoJob, media: MediaInfo, source: Path, directory: Path, *, careful: bool = False
) -> list[str]:
    """One ffmpeg that decodes a span once and writes every rendition as CMAF segments below the directory. A `careful`
    one ends at the first error.
    """
    if media.video is None:
        raise ValueError("the media has no video")
    clock, sought = _video_clock(job, media.video)
    # reinit_filter 0: when the picture's size changes midway, the scalers follow; a new graph would count from 0 again
    stream = source_input(source, media, reinit_filter=0, **clock)[str(media.video.index)]
    nodes = video_graph(
        stream,
        media.video,
        job.renditions,
        job.grid,
        job.frame_limit,
        first=job.first_frame,
        sought=sought,
        brief=job.brief,
        repeats=-1 if job.padded else _REPEATS if job.exact else 0,
    )
    return _video_compiled(job, nodes, directory, careful=careful)


def init_command(job: VideoJob, video: VideoStream, directory: Path) -> list[str]:
    """The same of a few black frames: what stands in an init segment is decided by the options, not by the picture."""
    return _video_compiled(job, black(video, job.renditions, job.grid, job.expected_frames), directory)


def _video_compiled(job: VideoJob, nodes: Sequence[Node], directory: Path, *, careful: bool = False) -> list[str]:
    family = family_of(job.encoder)
    pictures = [uploaded(node, family) for node in nodes]
    threads = dict(family.one_thread) if job.by_one_thread else {}
    if job.grid.begins:
        outputs = [
            ffmpeg.output(node, span_file(directory, each.name), **video_options(one), **span_options(one), **threads)
            for node, each in zip(pictures, job.renditions, strict=True)
            for one in [replace(job, renditions=(each,))]
        ]
        output = ffmpeg.merge_outputs(*outputs)
    else:
        names = [rendition.name for rendition in job.renditions]
        first = job.span.first_segment
        options = video_options(job) | segment_options("v", names, job.grid.segment_seconds, first, directory)
        options |= (STREAMED if job.exact else {}) | threads
        output = ffmpeg.output(*pictures, f"{directory}/%v/index.m3u8", **options)
    judged = _CAREFUL if careful else _STRICT if job.judges else _LENIENT
    return compiled(output, *QUIET, *PROGRESS, *judged, *family.opening)


def _video_clock(job: VideoJob, video: VideoStream) -> tuple[dict[str, Any], bool]:
    """The options that say when the source's first frame is shown, and whether frames before the span are left out."""
    at = job.first_frame / job.grid.frame_rate - SEEK_MARGIN_SECONDS
    # before its first frame there is no key frame to begin with
    if job.sought and at > max(0.0, video.start_seconds - job.origin_seconds):
        return from_middle(job.origin_seconds, at), True
    return from_origin(job.origin_seconds), False


def audio_command(
    job: AudioJob, media: MediaInfo, source: Path, directory: Path, *, careful: bool = False
) -> list[str]:
    """One ffmpeg that decodes the audio once and writes every rendition below the directory: as CMAF segments, or as
    `Pieces` of the job's `Run` where their lengths are foretold. A `careful` one ends at the first error.
    """
    if media.audio is None:
        raise ValueError("the media has no audio")
    index = media.audio.index if job.stream_index is None else job.stream_index
    if job.copied:
        return _copied_audio_command(job, media, source, directory)
    if job.exact_samples is not None:
        return _cut_audio_command(job, media, source, directory, careful=careful)
    stream = source_input(source, media, **from_origin(job.origin_seconds))[str(index)]
    channels = channels_of(media, index)
    nodes = audio_graph(
        stream, job.renditions, channels=channels, gain=job.gain, by_count=job.by_count, pad_seconds=job.pad_seconds
    )
    names = [rendition.name for rendition in job.renditions]
    options: dict[str, Any] = {
        "c:a": "aac",
        # a source whose timestamps leap must not fill the disk with silence
        "t": seconds(job.limit_seconds),
        **{f"b:a:{number}": rendition.bitrate_bps for number, rendition in enumerate(job.renditions)},
        **segment_options("a", names, job.segment_seconds, 0, directory),
    }
    return compiled(ffmpeg.output(*nodes, f"{directory}/%v/index.m3u8", **options), *QUIET, *PROGRESS, *_STRICT)


def _cut_audio_command(job: AudioJob, media: MediaInfo, source: Path, directory: Path, *, careful: bool) -> list[str]:
    run = run_of(job)
    at = Fraction(run.begin, job.rate_hz) - SOUND_MARGIN_SECONDS
    sought = job.sought and at > 0
    clock = from_middle(job.origin_seconds, at) if sought else from_origin(job.origin_seconds)
    index = media.audio.index if media.audio is not None else 0
    nodes = audio_graph(
        source_input(source, media, **clock)[str(index)],
        job.renditions,
        channels=channels_of(media, index),
        gain=job.gain,
        by_count=job.by_count,
        samples=range(run.begin, run.end),
        sought=sought,
        padded=job.padded,
    )
    # it begins one segment early
    options: dict[str, Any] = {"c:a": "aac", **piece_options(run.frames, job.first)}
    outputs = [
        ffmpeg.output(node, span_file(directory, r.name), **{"b:a": r.bitrate_bps}, **options)
        for node, r in zip(nodes, job.renditions, strict=True)
    ]
    judged = (
        _CAREFUL if careful else _LENIENT if sought or (job.tells and run.end < (job.exact_samples or 0)) else _STRICT
    )
    return compiled(ffmpeg.merge_outputs(*outputs), *QUIET, *PROGRESS, *judged)


def _copied_audio_command(job: AudioJob, media: MediaInfo, source: Path, directory: Path) -> list[str]:
    """The packets as they are, and nothing of what comes out when they are decoded, which proves them."""
    run, (rendition,) = run_of(job), job.renditions
    clock, options = from_origin(job.origin_seconds), piece_options(run.frames, job.first + 1 if job.first else 0)
    if run.begin:
        # half a packet before its first one, which no rounding finds another one in
        at = Fraction(2 * (run.begin - job.priming_samples) - FRAME_SAMPLES, 2 * job.rate_hz)
        clock, options = counted_from(job.origin_seconds, at, options)
    stream = source_input(source, media, **clock)[str(0 if media.audio is None else media.audio.index)]
    options |= {"c:a": "copy", "frames:a": run.packets}
    cut = ffmpeg.output(stream, span_file(directory, rendition.name), **options)
    heard = ffmpeg.output(stream, "-", format="null", **{"frames:a": run.packets})
    return compiled(ffmpeg.merge_outputs(cut, heard), *QUIET, *PROGRESS, *_LENIENT)


def thumbnail_command(
    media: MediaInfo,
    source: Path,
    target: Path,
    size: tuple[int, int],
    at_seconds: float | None,
    *,
    careful: bool = False,
    looks: bool = False,
) -> list[str]:
    """One frame as a JPEG; None: the first one that decodes. A `careful` command ends at the first error, one that
    `looks` at the picture writes what it saw.
    """
    if media.video is None:
        raise ValueError("the media has no video")
    # before -i: 0.2 s at any offset, since decoding begins at the key frame before
    seek = {} if at_seconds is None else {"ss": seconds(at_seconds)}
    node = picture(source_input(source, media, **seek)[str(media.video.index)], media.video, *size)
    node = measured(node) if looks else node
    # JPEG is full range with the BT.601 matrix (JFIF), whatever the video's was
    node = node.filter("scale", out_range="pc", out_color_matrix="bt601").filter("format", "yuvj420p")
    # image2 with one file; q 3 is about 85 % quality
    output = ffmpeg.output(node, str(target), format="image2", update=1, **{"frames:v": 1, "q:v": 3, "c:v": "mjpeg"})
    return compiled(output, *QUIET, *(_CAREFUL if careful else ()))


def loudness_command(job: AudioJob, media: MediaInfo, source: Path, stream_index: int) -> list[str]:
    """Measures what the job's gain makes of the whole sound; the outcome is on stderr."""
    stream = source_input(source, media, **from_origin(job.origin_seconds))[str(stream_index)]
    channels = channels_of(media, stream_index)
    (node,) = audio_graph(stream, job.renditions[:1], channels=channels, gain=job.gain, by_count=job.by_count)
    # verbose: nothing of single frames, which would be told as `info`
    node = node.filter("ebur128", peak="true", framelog="verbose")
    output = ffmpeg.output(node, "-", format="null", t=seconds(job.limit_seconds))
    return compiled(output, *QUIET, "-loglevel", "info", *PROGRESS, *_LENIENT)


def one_kind_command(job: AudioJob, media: MediaInfo, source: Path, stream_index: int, target: Path) -> list[str]:
    """Decodes one stream of sound into PCM of the job's rate and channels, each sample at its time."""
    stream = source_input(source, media, **from_origin(job.origin_seconds))[str(stream_index)]
    node = mixed_down(stream, job.renditions[0], channels_of(media, stream_index))
    output = ffmpeg.output(
        node,
        str(target),
        format="matroska",
        # as it is decoded: what is above full scale is not cut off
        **{"c:a": "pcm_f32le"},
        # begins with the presentation: what lies before it is not shifted, and not heard
        avoid_negative_ts="disabled",
        t=seconds(job.limit_seconds),
    )
    return compiled(output, *QUIET, *PROGRESS, *_LENIENT)


def channels_of(media: MediaInfo, index: int) -> int:
    """Of the stream with that index."""
    return next((stream.channels for stream in media.audio_streams if stream.index == index), 2)


def decode_command(file: Path) -> list[str]:
    """Decodes a file of ours and says what is wrong with it on stderr."""
    source = ffmpeg.input(f"file:{file}", **safe("mov"), **ONE_THREAD)
    # xerror: the first error ends it
    return compiled(ffmpeg.output(source, "-", format="null"), *QUIET, "-xerror")


def decodable_command(media: MediaInfo, source: Path, stream_index: int) -> list[str]:
    """Decodes the first frame of one stream of a source and writes a line for it; no line: nothing decodes."""
    node = source_input(source, media, **ONE_THREAD)[str(stream_index)]
    kind = "v" if media.video is not None and media.video.index == stream_index else "a"
    return compiled(ffmpeg.output(node, "-", format="framecrc", **{f"frames:{kind}": 1}), *QUIET)


def source_input(source: Path, media: MediaInfo, **options: Any) -> Node:
    """The source as ffmpeg may open it: as a local file, of the container that the probe found, and nothing else.

    `file:` keeps a name with a colon from being a protocol; the white lists keep a playlist in disguise from opening
    other files, and hostile bytes from reaching decoders that nobody needs.
    """
    return ffmpeg.input(f"file:{source}", **safe(media.container), **options)
