"""What is known of a source after probing. Every figure is measured or capped, none is believed from a header."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

MediaKind = Literal["video", "audio", "image"]


@dataclass(frozen=True, slots=True)
class PictureGroups:
    """Groups of pictures that the stream can be cut between: group `n` begins with an IDR picture, which is the picture
    `begins[n]` of `frame_count` (counted from 0), and takes `sizes[n]` bytes. There are exactly `frame_rate` pictures a
    second.
    """

    begins: tuple[int, ...]
    sizes: tuple[int, ...]
    frame_count: int
    frame_rate: Fraction


@dataclass(frozen=True, slots=True)
class VideoStream:
    """One video stream of a source. `width` and `height` are the coded size in pixels.

    `rotation_degrees` is the clockwise turn that a player must make (0, 90, 180 or 270); ffmpeg's autorotate makes it
    (and any mirroring) while decoding. `frame_rate` is measured from the packets (frames over time), in frames a
    second. `start_seconds` counts from the container's own start (0 = the earliest stream's first frame).

    Of high dynamic range, `peak_nits` is the light (cd/m2) of its brightest pixels and `average_nits` that of a usual
    frame, as far as they are known. `groups` are those of a stream that can be cut as it is (None: it can't).
    """

    index: int
    codec: str
    width: int
    height: int
    sample_aspect_ratio: Fraction
    rotation_degrees: int
    frame_rate: Fraction
    frame_count: int
    start_seconds: float
    duration_seconds: float
    pixel_format: str
    field_order: str
    color_transfer: str | None = None
    color_primaries: str | None = None
    color_space: str | None = None
    color_range: str | None = None
    peak_nits: float | None = None
    average_nits: float | None = None
    groups: PictureGroups | None = None

    @property
    def hdr(self) -> bool:
        """True for high dynamic range: SMPTE ST 2084 (HDR10, HDR10+) and HLG (Dolby Vision 8.4, too)."""
        return self.color_transfer in ("smpte2084", "arib-std-b67")

    @property
    def interlaced(self) -> bool:
        """True when the stream says that its frames hold two fields."""
        return self.field_order in ("tt", "bb", "tb", "bt")

    @property
    def display_size(self) -> tuple[int, int]:
        """Width and height in square pixels as a viewer sees them: sample aspect first, then rotation."""
        width = round(self.width * self.sample_aspect_ratio)
        height = self.height
        return (height, width) if self.rotation_degrees in (90, 270) else (width, height)


@dataclass(frozen=True, slots=True)
class SoundPackets:
    """The packets of a stream of AAC-LC that can be cut as it is: `count` of 1024 samples each, mono or stereo, the
    last one of `last_samples`. The first `priming_samples` come before the stream's start. `peak_bps` is the most in
    any two seconds.
    """

    count: int
    last_samples: int
    sample_rate_hz: int
    channels: int
    priming_samples: int
    average_bps: int
    peak_bps: int


@dataclass(frozen=True, slots=True)
class AudioStream:
    """One audio stream of a source. `start_seconds` counts from the container's own start. `packets` are those of a
    stream that can be cut as it is (None: it can't).
    """

    index: int
    codec: str
    sample_rate_hz: int
    channels: int
    start_seconds: float
    duration_seconds: float
    language: str | None = None
    packets: SoundPackets | None = None


@dataclass(frozen=True, slots=True)
class SubtitleStream:
    """One stream of subtitles in a source, of text or of pictures, as its container tells of it: nothing is measured.

    `language` is what the file says (`ger`, `en`), None where it says nothing.
    """

    index: int
    codec: str
    language: str | None = None
    default: bool = False
    forced: bool = False
    hearing_impaired: bool = False


CONTENT_TYPES: Final = {
    "mov": "mp4",
    "matroska": "webm",
    "mpegts": "mp2t",
    "mpeg": "mpeg",
    "mpegvideo": "mpeg",
    "avi": "x-msvideo",
    "asf": "x-ms-asf",
    "flv": "x-flv",
    "ogg": "ogg",
    "mp3": "mpeg",
    "wav": "wav",
    "flac": "flac",
}
"""Subtypes of content types by the first name that ffmpeg gives a container (IANA's where registered)."""


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """A probed source. `video` and `audio` are the streams that will be used; cover art is never `video`.

    `more_audio` are further streams with the same sound in other languages, each language once and none like `audio`'s.
    `more_video` are further streams of H.264, not even decoded, which nobody uses but who asks for them: another angle,
    or another size of the same film. `subtitles` are all streams of subtitles whose codec is known.

    `duration_seconds` is measured from packets; `declared_duration_seconds` is what the container claims (None =
    nothing). `start_seconds` is the container's start time, which ffmpeg subtracts on input.
    """

    kind: MediaKind
    container: str
    size_bytes: int
    duration_seconds: float
    declared_duration_seconds: float | None
    start_seconds: float
    stream_count: int
    video: VideoStream | None = None
    audio: AudioStream | None = None
    encrypted: bool = False
    warnings: tuple[str, ...] = ()
    more_audio: tuple[AudioStream, ...] = ()
    subtitles: tuple[SubtitleStream, ...] = ()
    more_video: tuple[VideoStream, ...] = ()

    @property
    def audio_streams(self) -> tuple[AudioStream, ...]:
        """All the sound that will be used, `audio` first."""
        return () if self.audio is None else (self.audio, *self.more_audio)

    @property
    def content_type(self) -> str:
        """What the file is, from its content and not from what a client says."""
        if self.container == "gif":
            return "image/gif"
        subtype = CONTENT_TYPES.get(self.container.split(",")[0])
        return f"{self.kind}/{subtype}" if subtype else "application/octet-stream"
