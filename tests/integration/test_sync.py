"""Sound and picture stay together, however odd a file's clock: measured on what viewers get of the default profile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from mediaflow.plugin import MEDIA_OFFSET_SECONDS
from mediaflow.testing import clips, measure
from tests.integration.encode_files import builtin_profile, encode_to_directory
from tests.oddclips import SECONDS, copied, edited, recoded

APART = 0.040
"""Seconds: who looks closely sees more than that (ITU-R BT.1359 has 45 ms of sound too early for noticed)."""
USUAL = (0.6, 2.6, 4.6, 6.6, 8.6)
PRIMING = 1024 / 48000
"""Where the sound of an MP4 of ffmpeg begins in its media."""


def base(directory: Path, suffix: str = "mp4", *, rate: str = "25", late: float = 0.0) -> Path:
    return clips.flash_and_beep(directory / f"base.{suffix}", seconds=SECONDS, rate=rate, audio_late=late)


def whole(directory: Path, video: Sequence[tuple[float, float]], audio: Sequence[tuple[float, float]]) -> Path:
    sound = [(begin if begin < 0 else begin + PRIMING, seconds) for begin, seconds in audio]
    return edited(base(directory), directory / "c.mp4", {b"vide": list(video), b"soun": sound})


def rotated(directory: Path) -> Path:
    return clips.turned(base(directory), degrees=90)


def webm(directory: Path) -> Path:
    return recoded(directory / "c.webm", "-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libopus")


Row = tuple[Callable[[Path], Path], Sequence[float]]
"""How the clip is made, and when its flashes that have a beep are seen."""
ROWS: dict[str, Row] = {
    "an edit list skips the start": (lambda d: whole(d, [(1.0, 8.0)], [(1.0, 8.0)]), (1.6, 3.6, 5.6, 7.6)),
    "an edit in the middle": (
        lambda d: whole(d, [(0, 3.0), (5.0, 4.0)], [(0, 3.0), (5.0, 4.0)]),
        (0.6, 2.6, 4.6, 6.6),
    ),
    "cut without encoding, between key frames": (
        lambda d: copied(base(d), d / "c.mp4", before=["-ss", "1.32"]),
        (1.28, 3.28, 5.28, 7.28),
    ),
    "an empty edit before the video": (lambda d: whole(d, [(-1, 1.6), (1.6, 7.4)], [(0, 9.0)]), USUAL[1:]),
    "an empty edit before the sound": (lambda d: whole(d, [(0, 9.0)], [(-1, 1.6), (1.6, 7.4)]), USUAL[1:]),
    "empty edits before both": (
        lambda d: whole(d, [(-1, 1.6), (1.6, 7.4)], [(-1, 2.0), (2.0, 7.0)]),
        (1.0, 3.0, 5.0, 7.0),
    ),
    "B-frames before their time": (
        lambda d: recoded(d / "c.mp4", "-bf", "2", "-c:a", "aac", "-movflags", "negative_cts_offsets"),
        USUAL,
    ),
    "a negative start, in fragments": (
        lambda d: copied(
            base(d), d / "c.mp4",
            "-movflags", "frag_keyframe+empty_moov+delay_moov", "-output_ts_offset", "-0.7",
            "-avoid_negative_ts", "disabled",
        ),
        USUAL,
    ),
    "a Matroska file with late sound": (lambda d: base(d, "mkv", late=2.0), USUAL[1:]),
    "a broadcast's clock": (lambda d: copied(base(d), d / "c.ts", "-output_ts_offset", "5000"), USUAL),
    "a clock that begins anew": (lambda d: copied(base(d), d / "c.ts", "-output_ts_offset", "95440"), USUAL),
    "a varying rate": (
        lambda d: recoded(
            d / "c.mp4", "-vf", "select='lt(mod(t,2),0.9)+not(mod(n,7))'", "-fps_mode", "vfr", "-c:a", "copy"
        ),
        USUAL,
    ),
    "AAC with its priming": (lambda d: base(d, "mkv"), USUAL),
    "AAC with priming that nobody tells of": (lambda d: copied(base(d), d / "c.mp4", "-use_editlist", "0"), USUAL),
    "Opus in Matroska": (lambda d: recoded(d / "c.mkv", "-c:a", "libopus"), USUAL),
    "Opus in WebM": (webm, USUAL),
    "Opus in MP4": (lambda d: recoded(d / "c.mp4", "-c:a", "libopus"), USUAL),
    "MP3 in AVI": (lambda d: recoded(d / "c.avi", "-c:a", "libmp3lame"), USUAL),
    "PCM in QuickTime": (lambda d: recoded(d / "c.mov", "-c:a", "pcm_s16le"), USUAL),
    "MPEG-2 as on a DVD": (
        lambda d: recoded(d / "c.mpg", "-c:v", "mpeg2video", "-q:v", "3", "-c:a", "mp2"),
        USUAL,
    ),
    "Flash": (lambda d: base(d, "flv"), USUAL),
    "23.976 frames": (lambda d: base(d, rate="24000/1001"), USUAL),
    "29.97 frames": (lambda d: base(d, rate="30000/1001"), USUAL),
    "50 frames": (lambda d: base(d, rate="50"), USUAL),
    "a phone held upright": (rotated, USUAL),
}  # fmt: skip
OFTEN = ("an edit in the middle",)


@pytest.mark.parametrize(
    "name", [name if name in OFTEN else pytest.param(name, marks=pytest.mark.slow) for name in ROWS]
)
def test_flash_and_beep_are_seen_and_heard_together_where_they_belong(name: str, tmp_path: Path) -> None:
    make, expected = ROWS[name]

    encoded = encode_to_directory(make(tmp_path), builtin_profile("web-h264"), tmp_path / "out")

    flashes, beeps = (
        [at - MEDIA_OFFSET_SECONDS for at in times(measure.joined(tmp_path / f"{kind}.mp4", encoded.files_of(track)))]
        for kind, track, times in (
            ("video", encoded.presentation.video[-1].track.name, measure.flash_times),
            ("audio", encoded.presentation.audio[-1].track.name, measure.beep_times),
        )
    )
    # where one of the two begins late it lacks the first; the last ones are those of the same moment
    count = len(expected)
    assert max(len(flashes), len(beeps)) - count in (0, 1)
    assert flashes[-count:] == pytest.approx(beeps[-count:], abs=APART)
    assert beeps[-count:] == pytest.approx(expected, abs=APART)
    assert encoded.media.warnings == ()
