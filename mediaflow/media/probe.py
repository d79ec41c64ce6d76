"""Looks at an untrusted source: its first bytes, then ffprobe in the sandbox for what it says and what it holds."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import structlog

from mediaflow.domain.errors import MediaRejected
from mediaflow.domain.media import AudioStream, MediaInfo, VideoStream
from mediaflow.media.boxes import BadBoxes
from mediaflow.media.copyable import begin_copyable
from mediaflow.media.decoders import ALLOCATION_BYTES, safe_input_options
from mediaflow.media.indexed import ENDS, ENTRIES, LEAST_BYTES, Index
from mediaflow.media.isobmff import has_protected_samples
from mediaflow.media.light import measured_light, stated_light, together, with_light
from mediaflow.media.packets import SPLICED_FORMATS, PacketLog
from mediaflow.media.probe_parse import Source, parse_probe
from mediaflow.media.sampletables import TracksAhead, read_tracks_ahead
from mediaflow.media.sniff import sniff
from mediaflow.sandbox.process import Completed, Limits, ProcessRunner

FIRST_PACKETS: Final = 24
"""So many packets of the start are decoded while the streams are described."""
MORE_PACKETS: Final = (24, 400)
"""And so many of one stream when those gave no frame of it: others came first, or its start is damaged."""
SCAN_BYTES_PER_SECOND: Final = 20_000_000
"""The slowest disk that a scan is expected to read from."""

MOST_ENDS: Final = 100_000
"""Lines about packets at both ends of a file that are kept; with more of them all packets are read."""
Packets = tuple[PacketLog, str]
ReadPackets = Callable[[Mapping[str, Any]], Packets]

_log = structlog.get_logger(__name__)
_ENTRIES: Final = (
    # exactly what is used: tags are of any size, and text of strangers
    "format=format_name,start_time,duration"
    ":stream=index,id,codec_type,codec_name,codec_tag_string,width,height,sample_aspect_ratio,pix_fmt,field_order,"
    "color_range,color_space,color_transfer,color_primaries,r_frame_rate,avg_frame_rate,sample_rate,channels"
    ":stream_disposition=default,attached_pic,timed_thumbnails,still_image,comment,visual_impaired,forced,hearing_impaired"
    ":stream_tags=language"
    ":stream_side_data=side_data_type,rotation,max_content,dv_profile,dv_bl_signal_compatibility_id"
    ":frame=stream_index,interlaced_frame,top_field_first"
    ":frame_side_data=max_content"
)
_WAY_OUT: Final = "Copy, download or export it once more from where it is whole, and upload that."
"""It was like this before it was uploaded: all bytes that were announced came."""
_REFUSALS: Final[tuple[tuple[str, str, str], ...]] = (
    # (ffprobe's words, code, ours)
    ("moov atom not found", "media.truncated", f"The file is incomplete: its index is missing. {_WAY_OUT}"),
    (
        "Number of streams exceeds",
        "media.too_large",
        "The file has more streams than are accepted; remove those that nobody needs.",
    ),
    ("Format not on whitelist", "media.unsupported", "The file is not of the format that its first bytes say."),
    ("not on whitelist", "media.unsupported", "The file uses a codec that is not supported."),
)
_PIXELS: Final = re.compile(r"Picture size (\d+)x(\d+) exceeds specified max pixel count (\d+)")
_CUT_OFF: Final = ("partial file", "File ended prematurely", "Truncat")
"""What ffmpeg's readers say when the file ends within a packet."""


def probe(
    source: Path,
    processes: ProcessRunner,
    *,
    max_streams: int,
    max_pixels: int,
    wall_seconds: float = 20,
    least_bytes: int = LEAST_BYTES,
    need_all: Callable[[], None] = lambda: None,
    whole: bool = True,
) -> MediaInfo:
    """Measure a source. `wall_seconds` bounds each look; reading all packets has more time in a large file.

    Of an MP4 or MOV of `least_bytes` its index and its ends are looked at; `need_all` is called before anything else
    of a source is. Whether the picture can be cut as it is, only a `whole` one tells.

    Raises MediaRejected: `media.empty`, `media.unsupported`, `media.undecodable`, `media.encrypted`, `media.truncated`,
    `media.too_large`. TaskFailed of the runner passes through.
    """
    source = source.absolute()  # the sandbox has another working directory
    formats = sniff(source)
    file = Source(source.stat().st_size, protected="mov" in formats and has_protected_samples(source))
    look = _Look(source, processes, ",".join(formats), max_streams, max_pixels, wall_seconds, least_bytes, need_all)
    with ThreadPoolExecutor(3) as beside:
        cut = begin_copyable(beside, source if whole and "mov" in formats else None)
        packets = look.begin_packets(beside, file.size_bytes)
        try:
            document = look.describe()
        except MediaRejected as error:
            if file.protected:  # the reader fails on what it can't decrypt
                raise _encrypted() from error
            raise
    log, complaints = packets(document)
    try:
        return cut(_usable(parse_probe(document, log, file), document, look, max_pixels), document)
    except MediaRejected as error:
        if error.code == "media.undecodable" and (known := _known_cause(complaints)) is not None:
            raise known from error
        raise


def _known_cause(complaints: str) -> MediaRejected | None:
    """Why nothing decodes, where the reader said so."""
    if _PIXELS.search(complaints):
        return _refusal(complaints)
    if any(words in complaints for words in _CUT_OFF):
        return MediaRejected(f"The file is incomplete: it ends before its media do. {_WAY_OUT}", code="media.truncated")
    return None


def _usable(media: MediaInfo, document: Mapping[str, Any], look: _Look, max_pixels: int) -> MediaInfo:
    if media.video is not None and media.video.width * media.video.height > max_pixels:
        raise _too_many_pixels(media.video.width, media.video.height, max_pixels)
    return media if media.encrypted else _with_what_decodes(media, document, look)


def _with_what_decodes(media: MediaInfo, document: Mapping[str, Any], look: _Look) -> MediaInfo:
    """The same, after at least one frame of each stream that will be used was decoded."""
    frames: Sequence[Mapping[str, Any]] = document.get("frames", [])
    if media.video is not None:
        mine = _frames_of(frames, media.video.index) or look.decoded(media.video.index)
        if not mine:
            raise MediaRejected("No picture of the video can be decoded: it is damaged.", code="media.undecodable")
        video = replace(media.video, field_order=_field_order(media.video.field_order, mine))
        media = replace(media, video=look.lit(video, document))
    heard = [s for s in media.audio_streams if _frames_of(frames, s.index) or look.decoded(s.index)]
    if media.video is None and not heard:
        raise MediaRejected("Nothing of the sound can be decoded: it is damaged.", code="media.undecodable")
    lost = [_left_out(stream, media) for stream in media.audio_streams if stream not in heard]
    main = heard[0] if heard else None
    return replace(media, audio=main, more_audio=tuple(heard[1:]), warnings=(*media.warnings, *lost))


def _left_out(stream: AudioStream, media: MediaInfo) -> str:
    which = f" in {stream.language!r}" if media.more_audio and stream.language else ""
    return f"The sound{which} can't be decoded and is left out."


def _frames_of(frames: Sequence[Mapping[str, Any]], index: int) -> list[Mapping[str, Any]]:
    return [frame for frame in frames if frame.get("stream_index") == index]


def _field_order(declared: str, frames: Sequence[Mapping[str, Any]]) -> str:
    """The declared order; where a container says nothing of it, what most decoded frames say."""
    interlaced = [frame for frame in frames if frame.get("interlaced_frame")]
    if declared != "unknown" or len(interlaced) * 2 <= len(frames):
        return declared
    return "tt" if sum(bool(frame.get("top_field_first")) for frame in interlaced) * 2 >= len(interlaced) else "bb"


class _Look:
    """ffprobe on one source. Paths have the `file:` prefix, so that no name is taken for an option or a URL."""

    def __init__(
        self,
        source: Path,
        processes: ProcessRunner,
        formats: str,
        max_streams: int,
        max_pixels: int,
        wall_seconds: float,
        least_bytes: int,
        need_all: Callable[[], None],
    ) -> None:
        self._source, self._processes, self._wall_seconds = source, processes, wall_seconds
        self._least_bytes, self._need_all = least_bytes, need_all
        self._formats = formats
        self._spliced, self._indexed = formats in SPLICED_FORMATS, formats == "mov"
        self._argv = [
            "ffprobe", "-hide_banner", "-v", "error",
            "-max_alloc", str(ALLOCATION_BYTES),
            *safe_input_options(formats, max_pixels=max_pixels),
            "-max_streams", str(max_streams),
            # a few frames of each stream: threads cost more than they give, in a file of many streams most of all
            "-threads", "1",
        ]  # fmt: skip

    def describe(self) -> dict[str, Any]:
        """What ffprobe says of the file, and which of its first frames can be decoded."""
        return self._document(["-show_entries", _ENTRIES, "-read_intervals", f"%+#{FIRST_PACKETS}"])

    def decoded(self, index: int) -> list[dict[str, Any]]:
        """The frames that the first packets of one stream give; none when nothing of it can be decoded."""
        entries = ["-show_entries", "frame=stream_index,interlaced_frame,top_field_first"]
        self._need_all()
        for count in MORE_PACKETS:
            which = ["-select_streams", str(index), "-read_intervals", f"%+#{count}"]
            frames: list[dict[str, Any]] = self._document([*which, *entries]).get("frames", [])
            if frames:
                return frames
        return []

    def lit(self, video: VideoStream, document: Mapping[str, Any]) -> VideoStream:
        """The stream with its light, if it is of high dynamic range: measured, but for a large file that says it, of
        which only the ends may be here.
        """
        if not video.hdr:
            return video
        stated = stated_light(document, video.index)
        if stated is not None and self._source.stat().st_size >= LEAST_BYTES:
            return with_light(video, stated)
        self._need_all()
        measured = measured_light(video, self._source, self._processes, self._formats)
        return with_light(video, together(stated, measured))

    def begin_packets(self, beside: Executor, size_bytes: int) -> ReadPackets:
        """The times of all packets, and what ffprobe complained of, once the description is there: from the index of a
        large MP4 or MOV, where the first picture waits for nothing else, or read one by one. A damaged file ends where
        reading it ends. What is short is read beside the description: 0.15 s of an upload's way to its first picture.
        """
        seconds = self._wall_seconds + size_bytes / SCAN_BYTES_PER_SECOND
        if size_bytes < self._least_bytes:
            scanned = beside.submit(self._by_scan, seconds)
            return lambda _document: scanned.result()
        if not self._indexed:
            return lambda _document: self._by_scan(seconds)
        ends, ahead = beside.submit(self._ends, seconds), beside.submit(self._ahead)
        return lambda document: self._by_index(document, ends, ahead) or self._by_scan(seconds)

    def _by_scan(self, seconds: float) -> Packets:
        self._need_all()
        log = PacketLog(self._spliced)
        entries = "packet=stream_index,pts_time,dts_time,duration_time,flags"
        done = self._run(["-show_entries", entries, "-of", "csv=p=0"], Limits(seconds), log.add_line)
        return log, done.stderr

    def _ends(self, seconds: float) -> tuple[list[str], str]:
        """The lines of the packets at both ends, as ffprobe writes them. BadBoxes when they are more than of these."""
        lines: list[str] = []

        def keep(line: str) -> None:
            lines.append(line)
            if len(lines) > MOST_ENDS:
                raise BadBoxes(f"there are more than {MOST_ENDS} packets after the last key frame")

        ends = ["-show_entries", ENTRIES, "-of", "csv=p=0", "-read_intervals", ENDS]
        return lines, self._run(ends, Limits(seconds), keep).stderr

    def _ahead(self) -> TracksAhead | None:
        """The index, read while ffprobe runs: a fifth of a second for two hours."""
        try:
            return read_tracks_ahead(self._source)
        except BadBoxes:
            return None  # what it has that nobody needs is no reason against it

    def _by_index(
        self, document: Mapping[str, Any], ends: Future[tuple[list[str], str]], ahead: Future[TracksAhead | None]
    ) -> Packets | None:
        """None when the index is not relied on."""
        try:
            lines, complaints = ends.result()
            index = Index.of(self._source, document.get("streams", []), ahead.result())
            for line in lines:
                index.add_line(line)
            return index.log(), complaints
        except BadBoxes as error:
            _log.info("the index is not relied on", reason=str(error))
            return None

    def _document(self, options: Sequence[str]) -> dict[str, Any]:
        done = self._run([*options, "-of", "json=compact=1"], Limits(self._wall_seconds))
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def _run(self, options: Sequence[str], limits: Limits, on_line: Callable[[str], None] | None = None) -> Completed:
        argv = [*self._argv, *options, "-i", f"file:{self._source}"]
        done = self._processes.run(argv, reads=[self._source], limits=limits, on_line=on_line)
        if done.returncode != 0:
            raise _refusal(done.stderr)
        return done


def _refusal(stderr: str) -> MediaRejected:
    if pixels := _PIXELS.search(stderr):
        return _too_many_pixels(int(pixels[1]), int(pixels[2]), int(pixels[3]))
    for words, code, detail in _REFUSALS:
        if words in stderr:
            codec = re.search(r"Codec \(([\w-]{1,40})\) not on whitelist", stderr)
            return MediaRejected(detail, code=code, codec=codec[1] if codec else None)
    return MediaRejected("The file cannot be read: it is damaged or incomplete.", code="media.undecodable")


def _encrypted() -> MediaRejected:
    return MediaRejected("The file is encrypted (DRM); upload it without protection.", code="media.encrypted")


def _too_many_pixels(width: int, height: int, maximum: int) -> MediaRejected:
    return MediaRejected(
        f"The picture has {width} x {height} pixels; at most {maximum} pixels are accepted.", code="media.too_large"
    )
