"""Probing: what a file is by its first bytes, and what it measures, whatever its headers say."""

from __future__ import annotations

import subprocess
from contextlib import nullcontext
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediaflow.domain.errors import MediaRejected, TaskFailed
from mediaflow.domain.media import MediaInfo
from mediaflow.media.isobmff import has_protected_samples
from mediaflow.media.packets import PacketLog, StreamPackets, first_leap, measured_rate
from mediaflow.media.probe import probe
from mediaflow.media.probe_parse import Source, parse_probe, rotation, sample_aspect
from mediaflow.media.sniff import sniff_bytes
from mediaflow.sandbox.runner import SandboxedRunner

# --- first bytes


@pytest.mark.parametrize(
    ("head", "formats"),
    [
        (b"\0\0\0\x20ftypisom", ("mov",)),
        (b"\0\0\0\x08wide\0\0\0\0mdat", ("mov",)),
        (b"\x1a\x45\xdf\xa3\x01", ("matroska",)),
        (b"RIFF\0\0\0\0AVI LIST", ("avi",)),
        (b"RIFF\0\0\0\0WAVEfmt ", ("wav",)),
        (b"FLV\x01\x05", ("flv",)),
        (b"\x47" + b"\xff" * 187 + b"\x47" + b"\0" * 187 + b"\x47", ("mpegts",)),
        (b"\x0a\x0b\x0c\x0d" + (b"\x47" + b"\xff" * 191) * 2 + b"\x47", ("mpegts",)),
        (b"\x00\x00\x01\xba\x21", ("mpeg",)),
        (b"\x00\x00\x01\xb3\x14", ("mpegvideo",)),
        (b"GIF89a\x01", ("gif",)),
        (b"OggS\x00\x02", ("ogg",)),
        (b"fLaC\0\0\0\x22", ("flac",)),
        (b"ID3\x04\0", ("mp3", "aac", "flac", "ac3", "eac3", "wav", "aiff")),
        (b"\xff\xfb\x90", ("mp3",)),
        (b"\xff\xf1\x50", ("aac",)),
        (b"#!AMR\n\x3c", ("amr",)),
    ],
)
def test_media_are_known_by_their_first_bytes(head: bytes, formats: tuple[str, ...]) -> None:
    assert sniff_bytes(head) == formats


@pytest.mark.parametrize(
    ("head", "noun"),
    [
        (b"#EXTM3U\n#EXT-X-VERSION:3\n", "an HLS playlist"),
        (b"\n\r #EXTM3U\n", "an HLS playlist"),
        (b"ffconcat version 1.0\nfile '/etc/passwd'\n", "a list of other files"),
        (b'<?xml version="1.0"?><MPD>', "a DASH manifest"),
        (b"<!DOCTYPE HTML><script>", "a web page"),
        (b"<html>\0\0\0\x20ftypisom", "a web page"),
        (b'<?xml version="1.0"?>\n<svg xmlns=""', "an image (SVG)"),
        (b"<note>", "an XML or HTML document"),
        (b"#!/bin/sh\ntouch x", "a script"),
        (b"hello, this is no video\n" * 99, "text"),
        ("grüße".encode() * 999, "text"),
        (b"PK\x03\x04\x14", "an archive"),
        (b"\x7fELF\x02", "a program"),
        (b"\x89PNG\r\n\x1a\n", "an image (PNG)"),
        (b"\xff\xd8\xff\xe0", "an image (JPEG)"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "an image (WebP)"),
        (b"\0\0\0\x18ftypheic", "an image (HEIF"),
        (b"\0\0\0\x1cftypavif", "an image (HEIF, AVIF"),
        (bytes(4096), "of an unknown kind"),
        (b"\xde\xad\xbe\xef" * 1024, "of an unknown kind"),
        (b"\x47" + bytes(600), "of an unknown kind"),
    ],
)
def test_anything_else_is_refused_with_what_it_is(head: bytes, noun: str) -> None:
    with pytest.raises(MediaRejected) as caught:
        sniff_bytes(head)
    assert caught.value.code == "media.unsupported"
    assert caught.value.detail.startswith(f"The file is {noun}")


@pytest.mark.parametrize(
    ("head", "moves"),
    [
        (b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0", True),
        (b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\x10\0\0\0", False),
        (b"RIFF\0\0\0\0WEBPVP8 ", False),
        (b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR....\0\0\0\x08acTL....\0\0\0\x09IDAT", True),
        (b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR....\0\0\0\x09IDATacTL", False),
        (b"\xff\xd8\xff\xe0", False),
    ],
)
def test_images_that_move_are_no_images(head: bytes, moves: bool) -> None:
    with nullcontext() if moves else pytest.raises(MediaRejected, match="is an image"):
        assert sniff_bytes(head) == ("apng",)


def test_an_empty_file_is_called_empty() -> None:
    with pytest.raises(MediaRejected) as caught:
        sniff_bytes(b"")
    assert caught.value.code == "media.empty"


# --- frame rates

NTSC, PAL = Fraction(30000, 1001), Fraction(25)


def steady(rate: float, count: int, decimals: int = 6) -> list[float]:
    return [round(index / rate, decimals) for index in range(count)]


@pytest.mark.parametrize(
    ("times", "declared", "expected"),
    [
        (steady(30000 / 1001, 90), [NTSC, NTSC], NTSC),
        (steady(30000 / 1001, 900, decimals=3), [NTSC], NTSC),  # Matroska counts milliseconds
        (steady(24, 9), [Fraction(289, 12), Fraction(24)], Fraction(24)),
        (steady(25, 500), [Fraction(90000), Fraction(0)], PAL),
        (steady(240, 480), [Fraction(240)], Fraction(240)),
        ([time for i, time in enumerate(steady(30, 300)) if i % 20], [Fraction(30), Fraction(57, 2)], Fraction(30)),
        ([0.0], [Fraction(57600), PAL], PAL),
        ([], [], PAL),
        ([1.0, 1.0, 1.0], [], PAL),
    ],
)
def test_a_steady_stream_has_its_nominal_rate(times: list[float], declared: list[Fraction], expected: Fraction) -> None:
    assert measured_rate(times, declared) == expected


@pytest.mark.parametrize(
    ("times", "declared", "low", "high"),
    [
        # a screen recording: a frame when something happens
        ([0.0, 0.4, 1.1, 1.5, 2.1, 2.5, 3.0, 3.6, 4.0, 4.6, 5.0], [Fraction(120), Fraction(2)], 1.5, 5),
        # two frames 17 us apart make no 57600 frames a second
        ([0.0, 0.00002, 0.5, 0.9, 1.5, 1.50002, 2.2, 2.5, 3.3], [Fraction(57600)], 2, 10),
        # a screen: still for a second, then a burst of 40 a second, with two in one refresh now and then
        ([k + index / 40 for k in range(9) for index in range(12)] + [3.052], [Fraction(57600)], 40, 50),
        # still for a minute, then ten seconds of a film
        ([*range(60), *(60 + index / 30 for index in range(300))], [Fraction(30), Fraction(5)], 29, 31),
        # 30 frames within 50 ms
        (steady(600, 30), [Fraction(600)], 24, 60),
        ([0.0, 0.001, 0.003, 0.0031, 0.09], [Fraction(1000)], 1, 60),
    ],
)
def test_a_varying_stream_gets_a_sane_rate_that_shows_its_frames(
    times: list[float], declared: list[Fraction], low: float, high: float
) -> None:
    assert low <= measured_rate(times, declared) <= high


# --- parsing

VIDEO = {
    "index": 0, "codec_type": "video", "codec_name": "h264", "width": 640, "height": 360, "r_frame_rate": "25/1",
    "avg_frame_rate": "25/1", "pix_fmt": "yuv420p", "field_order": "progressive", "disposition": {"default": 1},
}  # fmt: skip
AUDIO = {
    "index": 1, "codec_type": "audio", "codec_name": "aac", "sample_rate": "48000", "channels": 2,
    "disposition": {"default": 1}, "tags": {"language": "und"},
}  # fmt: skip
COVER = {**VIDEO, "codec_name": "mjpeg", "disposition": {"attached_pic": 1}}


def packets(video: int = 0, audio: int = 0, start: float = 0.0, spliced: bool = False, **extra: str) -> PacketLog:
    """25 video frames and 50 audio frames a second from `start`; `extra` are more lines."""
    log = PacketLog(spliced)
    for index in range(video):
        log.add_line(f"0,{start + index / 25:.6f},{start + index / 25 - 0.08:.6f},0.040000,K_")
    for index in range(audio):
        log.add_line(f"1,{start + index / 50:.6f},{start + index / 50:.6f},0.020000,K_")
    for lines in extra.values():
        for line in lines.split():
            log.add_line(line)
    return log


def parsed(streams: list[dict[str, Any]], log: PacketLog, **form: Any) -> MediaInfo:
    document = {"streams": streams, "format": {"format_name": "mov,mp4", "start_time": "0.000000", **form}}
    return parse_probe(document, log, Source(1000))


def test_durations_counts_and_starts_are_measured() -> None:
    media = parsed([VIDEO, AUDIO], packets(50, 110), duration="143165.643233")
    assert media.video is not None
    assert media.audio is not None
    assert (media.kind, media.duration_seconds, media.video.frame_count) == ("video", 2.2, 50)
    assert (media.video.duration_seconds, media.audio.duration_seconds, media.audio.language) == (2.0, 2.2, None)
    assert "143165.6 s; 2.2 s of media were found" in media.warnings[0]


def test_a_duration_that_counts_from_before_the_first_frame_is_no_damage() -> None:
    media = parsed([VIDEO], packets(100, start=2.5), start_time="2.500000", duration="6.5")
    assert media.warnings == ()


def test_starts_count_from_the_containers_own_start() -> None:
    media = parsed([VIDEO], packets(100, start=10.0), start_time="10.000000", duration="14.0")
    assert media.video is not None
    assert (media.start_seconds, media.video.start_seconds, media.duration_seconds) == (10.0, 0.0, 4.0)


def test_packets_that_an_edit_list_cuts_away_do_not_count() -> None:
    log = packets(25, more="0,-0.080000,-0.080000,0.040000,KD 0,-0.040000,-0.040000,0.040000,_D")
    media = parsed([VIDEO], log)
    assert media.video is not None
    assert (media.video.frame_count, media.video.start_seconds) == (25, 0.0)


def test_decoding_times_serve_where_there_are_no_others() -> None:
    log = PacketLog()
    for index in range(50):
        log.add_line(f"0,N/A,{index / 25:.6f},0.040000,__")
    assert parsed([VIDEO], log).duration_seconds == 2.0


def test_no_last_packet_is_believed_to_last_for_hours() -> None:
    assert parsed([VIDEO], packets(25, more="0,1.000000,1.000000,143165.0,K_")).duration_seconds == 1.04


@pytest.mark.parametrize(
    ("late", "sound", "seconds", "frames"),
    [
        ("0,85000.0,85000.0,0.04,K_", 0, 4.0, 100),  # seen: 9 KB that claimed a day of video
        ("0,3000.0,3000.0,0.04,K_", 0, 3000.04, 101),  # a pause within an hour is a pause
        ("0,9000.0,9000.0,0.04,K_ 1,9000.0,9000.0,0.02,K_", 200, 4.0, 100),
    ],
)
def test_what_comes_after_a_leap_in_time_is_left_out(late: str, sound: int, seconds: float, frames: int) -> None:
    media = parsed([VIDEO, AUDIO], packets(video=100, audio=sound, late=late))
    assert media.video is not None
    assert media.duration_seconds == pytest.approx(seconds)
    assert media.video.frame_count == frames
    assert any("left out" in warning for warning in media.warnings) == (frames == 100)


def test_a_picture_that_stays_as_long_as_its_sound_is_no_leap() -> None:
    media = parsed([VIDEO, AUDIO], packets(video=1, audio=400_000, last="0,7999.0,7999.0,0.04,K_"))
    assert media.video is not None
    assert media.video.duration_seconds > 7999
    assert any("only 2 frames" in warning for warning in media.warnings)


@given(st.lists(st.lists(st.sampled_from((0.0, 1.0, 30.0, 4000.0, 9000.0, 500_000.0)), max_size=6), max_size=3))
def test_a_leap_is_a_gap_of_all_streams_that_is_longer_than_all_before_it(gaps: list[list[float]]) -> None:
    streams = [StreamPackets() for _ in gaps]
    for stream, steps in zip(streams, gaps, strict=True):
        for time in accumulate(steps):
            stream.add(time, time, 0.04)

    merged = sorted(time for steps in gaps for time in accumulate(steps))
    leaps = [after for before, after in pairwise(merged) if after - before > max(3600.0, 100 * (before - merged[0]))]
    assert first_leap(streams) == (leaps[0] if leaps else None)


def test_jumps_of_a_broadcasts_clock_are_closed() -> None:
    log = packets(50, 100, spliced=True)
    for index in range(25):
        log.add_line(f"0,{95000 + index / 25:.6f},{95000 + index / 25:.6f},0.040000,K_")
    media = parsed([VIDEO, AUDIO], log)
    assert media.duration_seconds == pytest.approx(3.0, abs=0.1)
    assert "jumps 1 times" in media.warnings[-1]


@pytest.mark.parametrize(
    ("streams", "log", "video", "audio"),
    [
        ([VIDEO, AUDIO], packets(5, 5), 0, 1),
        ([AUDIO], packets(0, 5), None, 1),
        ([COVER, AUDIO], packets(1, 5), None, 1),
        ([{**COVER, "disposition": {"default": 1, "timed_thumbnails": 1}}, AUDIO], packets(9, 5), None, 1),
        ([{**VIDEO, "codec_name": "png"}, AUDIO], packets(1, 5), None, 1),  # a cover that does not say so
        ([{**VIDEO, "codec_name": "mjpeg"}, AUDIO], packets(9, 5), 0, 1),
        ([VIDEO, {**VIDEO, "index": 2}], packets(0, 0, more="2,0.0,0.0,0.04,K_"), 2, None),  # an empty track first
        ([VIDEO, {**AUDIO, "sample_rate": "0"}], packets(5, 5), 0, None),
        ([VIDEO, {"index": 1, "codec_type": "data"}], packets(5, 5), 0, None),
        ([{**AUDIO, "disposition": {}}, {**AUDIO, "index": 2}], packets(0, 5, more="2,0.0,0.0,0.02,K_"), None, 2),
        (
            [{**AUDIO, "disposition": {}}, {**AUDIO, "index": 2, "disposition": {}}],
            packets(0, 5, more="2,0.0,0.0,0.02,K_"),
            None,
            1,
        ),
    ],
)
def test_the_streams_to_use_are_chosen(
    streams: list[dict[str, Any]], log: PacketLog, video: int | None, audio: int | None
) -> None:
    media = parsed(streams, log)
    assert (media.video.index if media.video else None, media.audio.index if media.audio else None) == (video, audio)
    assert media.kind == ("audio" if video is None else "video")


def sounds(*tags: str | None, **marks: list[str]) -> MediaInfo:
    """What is found of audio streams with these language tags; `marks` of the stream with that number (`s1`)."""
    streams = [
        {
            **AUDIO,
            "index": number,
            "disposition": dict.fromkeys(marks.get(f"s{number}", []), 1),
            "tags": {} if tag is None else {"language": tag},
        }
        for number, tag in enumerate(tags)
    ]
    lines = (f"{number},{at / 50:.6f},{at / 50:.6f},0.020000,K_" for number in range(len(tags)) for at in range(5))
    return parsed(streams, packets(more=" ".join(lines)))


@pytest.mark.parametrize(
    ("media", "used"),
    [
        pytest.param(sounds("eng", "deu"), ["eng", "deu"], id="two languages"),
        pytest.param(sounds("eng", "deu", s1=["default"]), ["deu", "eng"], id="the default first"),
        pytest.param(sounds("eng", "ENG", "deu", "deu"), ["eng", "deu"], id="each language once"),
        pytest.param(sounds("und", "deu"), [None, "deu"], id="the main one says nothing"),
        pytest.param(sounds("eng", None, "und", "mul", "zxx"), ["eng"], id="others that say nothing"),
        pytest.param(sounds("eng", 'd",URI="x', "english", "e"), ["eng"], id="what is no tag"),
        pytest.param(sounds("eng", "pt-BR"), ["eng", "pt-BR"], id="a region"),
    ],
)
def test_every_language_is_used_once(media: MediaInfo, used: list[str | None]) -> None:
    assert [stream.language for stream in media.audio_streams] == used


def test_a_comment_in_another_language_comes_after_the_sound_itself() -> None:
    media = sounds("eng", "deu", "deu", "fra", s1=["comment"], s3=["visual_impaired"])

    assert [stream.index for stream in media.audio_streams] == [0, 2, 3]


def test_no_more_than_eight_languages_are_used_and_the_rest_is_told() -> None:
    media = sounds(*("eng deu fra spa ita nld dan swe nor".split()))  # noqa: SIM905

    assert len(media.audio_streams) == 8
    assert media.warnings == ("The sound is there in 9 languages; the first 8 are used.",)


@pytest.mark.parametrize(
    ("streams", "log", "code", "words"),
    [
        ([{**VIDEO, "codec_name": None, "codec_tag_string": "vvc1"}], packets(5), "media.unsupported", "'vvc1'"),
        ([VIDEO, AUDIO], packets(), "media.undecodable", "holds none of it"),
        ([{"index": 0, "codec_type": "data"}], packets(5), "media.unsupported", "neither video nor audio"),
        ([], packets(), "media.unsupported", "neither video nor audio"),
        ([COVER], packets(1), "media.undecodable", "holds none of it"),
    ],
)
def test_a_file_with_nothing_to_play_is_refused(
    streams: list[dict[str, Any]], log: PacketLog, code: str, words: str
) -> None:
    with pytest.raises(MediaRejected, match=words) as caught:
        parsed(streams, log)
    assert caught.value.code == code


def test_two_fields_in_two_packets_are_one_frame() -> None:
    log = PacketLog()
    for index in range(100):
        log.add_line(f"0,{index / 50:.6f},{index / 50:.6f},0.020000,K_")
    media = parsed([{**VIDEO, "field_order": "tt", "r_frame_rate": "50/1"}], log)
    assert media.video is not None
    assert (media.video.frame_rate, media.video.frame_count, media.video.interlaced) == (PAL, 50, True)


@pytest.mark.parametrize(
    ("told", "degrees"),
    [(-90, 90), (90, 270), (-180, 180), (180, 180), (0, 0), (-91, 90), (-9223372036854775808, 0), ("N/A", 0)],
)
def test_the_turn_of_a_display_matrix_is_clockwise_and_a_right_angle(told: object, degrees: int) -> None:
    assert rotation([{"side_data_type": "Display Matrix", "rotation": told}]) == degrees


@pytest.mark.parametrize(
    ("text", "aspect"),
    [("64:45", Fraction(64, 45)), ("0:1", 1), ("N/A", 1), (None, 1), ("1:0", 1), ("1:65535", 1), ("2:1", 2)],
)
def test_an_absurd_sample_aspect_is_ignored(text: str | None, aspect: Fraction) -> None:
    assert sample_aspect(text) == aspect


@pytest.mark.parametrize(
    "facts", [{"codec_tag_string": "encv"}, {"side_data_list": [{"side_data_type": "Encryption info"}]}]
)
def test_encryption_shows_in_tags_and_side_data(facts: dict[str, Any]) -> None:
    assert parsed([{**VIDEO, **facts}], packets(5)).encrypted


@pytest.mark.parametrize("line", ["", "side data", "0,1", "0,N/A,N/A,N/A,K_", "0,1e300,nan,-1,K_,"])
def test_odd_lines_of_packets_break_nothing(line: str) -> None:
    log = PacketLog()
    log.add_line(line)
    assert sum(stream.count for stream in log.streams.values()) <= 1


# --- real files


def made(path: Path, *options: str) -> Path:
    """A file that ffmpeg makes: two seconds of a test picture and a tone, unless told otherwise."""
    sources = [
        "-f",
        "lavfi",
        "-i",
        "testsrc=size=160x120:rate=30000/1001",
        "-f",
        "lavfi",
        "-i",
        "sine=sample_rate=44100",
    ]
    subprocess.run(
        ["ffmpeg", "-v", "error", "-nostdin", *sources, "-t", "2", "-preset", "ultrafast", *options, str(path)],
        check=True,
    )
    return path


def probed(path: Path, **limits: Any) -> MediaInfo:
    return probe(path, SandboxedRunner("bwrap"), **{"max_streams": 32, "max_pixels": 75_000_000, **limits})


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("clip") / "clip.mp4")


def test_a_real_clip_is_measured(clip: Path) -> None:
    media = probed(clip)
    assert media.video is not None
    assert media.audio is not None
    assert (media.video.codec, media.video.frame_rate, media.video.frame_count) == ("h264", NTSC, 60)
    assert media.video.display_size == (160, 120)
    assert (media.audio.codec, media.audio.sample_rate_hz, media.audio.channels) == ("aac", 44100, 1)
    assert media.duration_seconds == pytest.approx(2.002, abs=0.05)
    assert (media.size_bytes, media.stream_count, media.encrypted) == (clip.stat().st_size, 2, False)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mkv", ()),
        ("a.webm", ("-deadline", "realtime", "-cpu-used", "8")),
        ("a.ts", ()),
        ("a.avi", ()),
        ("a.mpg", ()),
        ("a.flv", ("-ar", "44100")),
        ("a.mov", ("-c:v", "prores_ks")),
        ("a.mp4", ("-movflags", "+frag_keyframe+empty_moov")),
    ],
)
def test_containers_agree_on_what_is_in_them(tmp_path: Path, name: str, options: tuple[str, ...]) -> None:
    media = probed(made(tmp_path / name, *options))
    assert media.video is not None
    assert media.audio is not None
    assert float(media.video.frame_rate) == pytest.approx(29.97, rel=0.004)
    assert media.video.frame_count in (59, 60, 61)
    assert media.duration_seconds == pytest.approx(2.0, abs=0.1)


def test_an_encrypted_file_is_told_from_its_boxes(tmp_path: Path) -> None:
    key = "0123456789abcdef0123456789abcdef"
    encrypted = ("-encryption_scheme", "cenc-aes-ctr", "-encryption_key", key, "-encryption_kid", key)
    path = made(tmp_path / "a.mp4", *encrypted)
    assert has_protected_samples(path)
    assert probed(path).encrypted


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0\0\x01moov" + b"\xff" * 16,
        b"\0\0\0\x08moov" * 99,
        b"\0\0\0\0moov\0\0\0\0trak\0\0\0\x04mdia",
        b"\xff" * 99,
    ],
)
def test_broken_boxes_end_the_walk(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "broken"
    path.write_bytes(data)
    assert not has_protected_samples(path)


@pytest.mark.parametrize(("kept", "code"), [(0.3, "media.truncated"), (100, "media.truncated")])
def test_a_file_without_its_index_is_called_incomplete(clip: Path, tmp_path: Path, kept: float, code: str) -> None:
    data = clip.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(data[: int(kept * len(data)) if kept < 1 else int(kept)])
    with pytest.raises(MediaRejected, match=r"incomplete: .* Copy, download or export it once more") as caught:
        probed(cut)
    assert caught.value.code == code


def test_a_file_that_holds_noise_is_called_undecodable(clip: Path, tmp_path: Path) -> None:
    data = bytearray(clip.read_bytes())
    start = data.index(b"mdat") + 4
    data[start : start + len(data) // 2] = b"\x5a" * (len(data) // 2)
    (tmp_path / "noise.mp4").write_bytes(data)
    with pytest.raises(MediaRejected) as caught:
        probed(tmp_path / "noise.mp4")
    assert caught.value.code in ("media.undecodable", "media.truncated")
    assert str(tmp_path) not in caught.value.detail


@pytest.mark.parametrize(("limits", "words"), [({"max_pixels": 10_000}, "160 x 120"), ({"max_streams": 1}, "streams")])
def test_limits_of_pixels_and_streams_are_kept(clip: Path, limits: dict[str, int], words: str) -> None:
    with pytest.raises(MediaRejected, match=words) as caught:
        probed(clip, **limits)
    assert caught.value.code == "media.too_large"


def test_a_codec_that_is_not_listed_is_never_decoded(tmp_path: Path) -> None:
    path = made(tmp_path / "a.avi", "-c:v", "zmbv", "-an")
    with pytest.raises(MediaRejected, match="codec that is not supported") as caught:
        probed(path)
    assert caught.value.code == "media.unsupported"


def test_a_probe_that_takes_too_long_is_ended(clip: Path) -> None:
    with pytest.raises(TaskFailed) as caught:
        probed(clip, wall_seconds=0.001)
    assert caught.value.code == "job.timeout"


def test_sound_alone_is_audio(tmp_path: Path) -> None:
    media = probed(made(tmp_path / "a.mp3", "-vn"))
    assert (media.kind, media.container, media.video) == ("audio", "mp3", None)
