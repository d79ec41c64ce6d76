"""ffprobe's answer and the packets' times -> `MediaInfo`. Pure: nothing here runs or reads anything.

Which streams are used: the first video stream that is no cover and has packets; the audio stream with packets that is
marked as default, else the first one; and the first one of every other language. Other streams of H.264 are told of.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from mediaflow.domain.errors import MediaRejected
from mediaflow.domain.ladder import MIN_RATE, is_sparse
from mediaflow.domain.media import AudioStream, MediaInfo, VideoStream
from mediaflow.media.packets import PacketLog, StreamPackets, first_leap, in_hundredths, measured_rate, paced_rate
from mediaflow.media.sniff import not_media
from mediaflow.media.streams import (
    MOST_LANGUAGES,
    choose_audio,
    choose_more_audio,
    choose_more_video,
    choose_video,
    language_of,
    number,
    packet_count,
    whole,
)
from mediaflow.media.subtitles import subtitle_streams

_ENCRYPTED_TAGS: Final = frozenset(("encv", "enca", "drms", "drmi"))
_PRIMING_SECONDS: Final = 0.1
_SHOWN_DIFFERENCE: Final = 0.1
"""Worth a warning when the measured duration is this part away from what the container says."""


@dataclass(frozen=True, slots=True)
class Source:
    """What is known of the file itself."""

    size_bytes: int
    protected: bool = False


def parse_probe(document: Mapping[str, Any], packets: PacketLog, source: Source) -> MediaInfo:
    """The measured facts of a source. Raises MediaRejected (`media.unsupported`, `media.undecodable`)."""
    streams: Sequence[Mapping[str, Any]] = document.get("streams", [])
    form: Mapping[str, Any] = document.get("format", {})
    video_facts, audio_facts = choose_video(streams, packets), choose_audio(streams, packets)
    if video_facts is None and audio_facts is None:
        raise _nothing_to_play(streams)
    if form.get("format_name") == "gif" and video_facts is not None and packet_count(video_facts, packets) == 1:
        raise not_media("an image (GIF)")
    start = _start(form)
    used = [packets.streams[facts["index"]] for facts in (video_facts, audio_facts) if facts is not None]
    end = first_leap(used)

    def kept(facts: Mapping[str, Any]) -> StreamPackets:
        return packets.streams[facts["index"]].before(end)

    video = None if video_facts is None else _video(video_facts, kept(video_facts), start)
    audio = None if audio_facts is None else _audio(audio_facts, kept(audio_facts), start)
    more = [] if audio_facts is None else choose_more_audio(streams, packets, audio_facts)
    duration = max(stream.start_seconds + stream.duration_seconds for stream in (video, audio) if stream is not None)
    declared = number(form.get("duration"))
    return MediaInfo(
        kind="audio" if video is None else "video",
        container=str(form.get("format_name", "")),
        size_bytes=source.size_bytes,
        duration_seconds=round(max(duration, 0.001), 6),
        declared_duration_seconds=declared,
        start_seconds=start,
        stream_count=len(streams),
        video=video,
        audio=audio,
        encrypted=source.protected or any(_looks_encrypted(stream) for stream in streams),
        warnings=(*_warnings(duration, start, declared, packets, len(more)), *_gaps(end, video)),
        more_audio=tuple(_audio(facts, kept(facts), start) for facts in more[: MOST_LANGUAGES - 1]),
        subtitles=subtitle_streams(streams, language_of),
        more_video=tuple(
            _video(facts, kept(facts), start) for facts in choose_more_video(streams, packets, video_facts)
        ),
    )


def _nothing_to_play(streams: Sequence[Mapping[str, Any]]) -> MediaRejected:
    playable = [stream for stream in streams if stream.get("codec_type") in ("video", "audio")]
    unknown = [stream for stream in playable if not stream.get("codec_name")]
    if unknown:
        tag = str(unknown[0].get("codec_tag_string", "?"))
        return MediaRejected(
            f"The file's {unknown[0]['codec_type']} codec ({tag!r}) is not supported.", code="media.unsupported"
        )
    if playable:
        return MediaRejected("The file names video or audio, but holds none of it.", code="media.undecodable")
    return MediaRejected("The file holds neither video nor audio.", code="media.unsupported")


def _video(facts: Mapping[str, Any], packets: StreamPackets, start: float) -> VideoStream:
    declared = [
        rate for rate in (_fraction(facts.get(name)) for name in ("r_frame_rate", "avg_frame_rate")) if rate is not None
    ]
    times, count = packets.times(), packets.count
    paced = facts["codec_name"] == "gif" or (facts["codec_name"] == "apng" and in_hundredths(times))
    rate = paced_rate(times, packets.last) if paced else measured_rate(times, declared)
    order = str(facts.get("field_order", "unknown"))
    average = _fraction(facts.get("avg_frame_rate"))
    if order in ("tt", "bb", "tb", "bt") and average and abs(rate / average - 2) < 0.04:
        # a packet a field: two of them make the frame that a decoder gives
        rate, count = average, (count + 1) // 2
    first, seconds = _extent(times, packets, float(1 / rate), count)
    return VideoStream(
        index=facts["index"],
        codec=facts["codec_name"],
        width=whole(facts.get("width")),
        height=whole(facts.get("height")),
        sample_aspect_ratio=sample_aspect(facts.get("sample_aspect_ratio")),
        rotation_degrees=rotation(facts.get("side_data_list", [])),
        frame_rate=rate,
        frame_count=count,
        start_seconds=_relative(first, start),
        duration_seconds=seconds,
        pixel_format=str(facts.get("pix_fmt", "unknown")),
        field_order=order,
        color_transfer=_known(facts.get("color_transfer")),
        color_primaries=_known(facts.get("color_primaries")),
        color_space=_known(facts.get("color_space")),
        color_range=_known(facts.get("color_range")),
    )


def _audio(facts: Mapping[str, Any], packets: StreamPackets, start: float) -> AudioStream:
    first, seconds = _extent(packets.times(), packets, packets.longest, packets.count)
    begin = _relative(first, start)
    if -_PRIMING_SECONDS < begin < 0:  # the encoder's delay: decoded and thrown away
        begin, seconds = 0.0, round(seconds + begin, 6)
    return AudioStream(
        index=facts["index"],
        codec=facts["codec_name"],
        sample_rate_hz=whole(facts.get("sample_rate")),
        channels=max(1, whole(facts.get("channels"))),
        start_seconds=begin,
        duration_seconds=seconds,
        language=language_of(facts),
    )


def _extent(times: Sequence[float], packets: StreamPackets, usual: float, count: int) -> tuple[float, float]:
    """When a stream begins (NaN: it has no times) and how long it lasts, in seconds."""
    if not times:
        return math.nan, round(count * usual, 6)
    last = packets.last if 0 < packets.last <= max(1.0, packets.longest) else usual
    first, final = (round(times[place], 6) for place in (0, -1))  # as ffprobe writes them, also where an index told
    seconds = final - first + last
    if packets.total > 2 * seconds + 1:  # the times are broken (seen: MP3 in AVI, all of it within 20 ms)
        seconds = packets.total
    return first, round(seconds, 6)


def _start(form: Mapping[str, Any]) -> float:
    """The container's start, which ffmpeg subtracts. Where none is known (MPEG-TS of one frame), that is nothing."""
    return number(form.get("start_time")) or 0.0


def _relative(first: float, start: float) -> float:
    return 0.0 if math.isnan(first) else round(first - start, 6)


def rotation(side_data: Sequence[Mapping[str, Any]]) -> int:
    """Clockwise degrees that a player must turn: 0, 90, 180 or 270.

    ffprobe tells the counter-clockwise turn of the display matrix, and -9223372036854775808 for a broken one.
    """
    for item in side_data:
        turned = number(item.get("rotation"))
        if turned is not None and abs(turned) <= 360:
            return round(-turned / 90) * 90 % 360
    return 0


def sample_aspect(text: object) -> Fraction:
    """The sample aspect ratio; 1 when it is not given or beyond what any device makes."""
    aspect = _fraction(str(text).replace(":", "/"))
    return aspect if aspect is not None and Fraction(1, 10) <= aspect <= 10 else Fraction(1)


def _looks_encrypted(stream: Mapping[str, Any]) -> bool:
    kinds = (str(item.get("side_data_type", "")) for item in stream.get("side_data_list", []))
    return stream.get("codec_tag_string") in _ENCRYPTED_TAGS or any(kind.startswith("Encryption") for kind in kinds)


def _warnings(
    duration: float, start: float, declared: float | None, packets: PacketLog, more_languages: int
) -> tuple[str, ...]:
    warnings = []
    # a file may count from before its first frame, as an MP4 does whose edit lists begin with nothing
    differences = [] if declared is None else [abs(declared - each - duration) for each in (0.0, max(0.0, start))]
    if differences and min(differences) > max(1.0, _SHOWN_DIFFERENCE * duration):
        warnings.append(f"The file says that it lasts {declared:.1f} s; {duration:.1f} s of media were found.")
    if packets.jumps:
        warnings.append(f"The file's clock jumps {packets.jumps} times; the jumps are closed.")
    if more_languages >= MOST_LANGUAGES:
        warnings.append(f"The sound is there in {more_languages + 1} languages; the first {MOST_LANGUAGES} are used.")
    return tuple(warnings)


def _gaps(end: float | None, video: VideoStream | None) -> Iterator[str]:
    if end is not None:
        yield f"What comes after {end:.0f} s, and a gap of more than an hour, is left out."
    if video is not None and is_sparse(video, max(video.frame_rate, MIN_RATE)):
        yield f"The video has only {video.frame_count} frames, so that it is made with few frames a second."


def _fraction(value: object) -> Fraction | None:
    try:
        fraction = Fraction(str(value))
    except (ValueError, ZeroDivisionError):
        return None
    return fraction if fraction > 0 else None


def _known(value: object) -> str | None:
    return None if value in (None, "unknown", "reserved", "unspecified") else str(value)
