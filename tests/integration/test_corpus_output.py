"""Every file of the corpus that is accepted, in every rung: its size, shape, colours, lengths and sound."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from mediaflow.plugin import MEDIA_OFFSET_SECONDS, Rendition, StepSpec, origin_seconds
from mediaflow.testing import measure
from tests.corpus import Sample, samples
from tests.integration.encode_files import Encoded, builtin_profile, encode_to_directory
from tests.integration.reference import matrix_of, mean_volume_db, output_patches, source_patches

pytestmark = [
    pytest.mark.skipif(not samples(), reason="the corpus is not at hand (MEDIAFLOW_CORPUS)"),
    pytest.mark.slow,
    pytest.mark.timeout(580),
]

LEVELS = 6
"""Of 255, that an average of a patch may be off: what quantising to 8 bits and coding cost."""
PRIMING_SECONDS = 1024 / 44_100 + 0.001
ACCEPTED = [sample for sample in samples() if sample.verdict == "accept"]


def probed(file: Path) -> dict[str, Any]:
    argv = ["ffprobe", "-v", "error", "-show_streams", "-show_packets", "-of", "json", str(file)]
    found: dict[str, Any] = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)
    return found


def joined(encoded: Encoded, rendition: Rendition) -> Path:
    return measure.joined(encoded.directory / f"{rendition.track.name}.mp4", encoded.files_of(rendition.track.name))


def check_picture(encoded: Encoded, rendition: Rendition, sample: Sample, source: Path) -> list[str]:
    wrong: list[str] = []
    video = encoded.media.video
    assert video is not None
    file = joined(encoded, rendition)
    found = probed(file)
    (stream,), packets = found["streams"], found["packets"]
    width, height = stream["width"], stream["height"]
    wished = sample.expected.get("display_size") or video.display_size
    off = width * wished[1] / (height * wished[0]) - 1
    if abs(off) > 0.015 + 2 / min(width, height) or width % 2 or height % 2:
        wrong.append(f"{width}x{height} of {wished}")
    # what the source does not say of its colours is perhaps not said either
    told = [stream.get("sample_aspect_ratio", "1:1"), stream["pix_fmt"], stream.get("color_range", "tv")]
    if told != ["1:1", "yuv420p", "tv"]:
        wrong.append(" ".join(told))
    if stream.get("side_data_list") or ("color_space" not in stream and video.color_space is not None):
        wrong.append(f"side data {stream.get('side_data_list')}, {stream.get('color_space')}")
    rate, times = rendition.track.frame_rate, sorted(float(packet["pts_time"]) for packet in packets)
    assert rate is not None
    ends = video.start_seconds - origin_seconds(encoded.media) + video.duration_seconds
    if abs(len(times) / rate - Fraction(ends)) > 1.5 / rate + Fraction(ends) / 50:
        wrong.append(f"{len(times)} frames of {float(rate):.3f} for {ends:.3f} s")
    steady = [MEDIA_OFFSET_SECONDS + float(number / rate) for number in range(len(times))]
    if times != pytest.approx(steady, abs=0.001):
        wrong.append(f"frames begin at {times[0]} and are not steady")
    if any(segment.duration_seconds <= 0 for segment in rendition.segments):
        wrong.append("a segment without frames")
    if not video.hdr and video.color_transfer != "bt2020-12":
        wrong += check_colours(encoded, source, file, stream, len(times))
    return wrong


def check_colours(encoded: Encoded, source: Path, file: Path, stream: dict[str, Any], frames: int) -> list[str]:
    video, wrong = encoded.media.video, []
    assert video is not None
    rate = Fraction(stream["r_frame_rate"]) if frames > 1 else Fraction(25)
    rate = encoded.presentation.video[0].track.frame_rate or rate
    for number in {0, frames // 2}:
        wished = source_patches(source, encoded.media, rate, origin_seconds(encoded.media), number)
        seen = output_patches(file, matrix_of(stream.get("color_space"), video), number)
        if len(wished) != len(seen):
            wrong.append(f"frame {number} of {frames}: {len(wished)} and {len(seen)} values")
            continue
        off = max(abs(a - b) for a, b in zip(wished, seen, strict=True))
        if off > LEVELS:
            wrong.append(f"frame {number} of {frames}: colours off by {off:.0f}")
    return wrong


def check_sound(encoded: Encoded, rendition: Rendition, source: Path) -> list[str]:
    wrong: list[str] = []
    file, audio = joined(encoded, rendition), encoded.media.audio
    assert audio is not None
    times = [float(packet["pts_time"]) for packet in probed(file)["packets"]]
    if abs(times[0] - MEDIA_OFFSET_SECONDS) > PRIMING_SECONDS:
        wrong.append(f"sound begins at {times[0]}")
    ends = audio.start_seconds - origin_seconds(encoded.media) + audio.duration_seconds
    if abs(times[-1] - MEDIA_OFFSET_SECONDS - ends) > 0.06 + ends / 50:
        wrong.append(f"sound of {ends:.3f} s ends at {times[-1] - MEDIA_OFFSET_SECONDS:.3f}")
    if rendition.track.language in (None, audio.language):
        stereo = f"aformat=sample_fmts=fltp:channel_layouts={'mono' if audio.channels == 1 else 'stereo'}"
        was, now = mean_volume_db(source, str(audio.index), stereo), mean_volume_db(file)
        if abs(was - now) > 1.5 and max(was, now) > -60:
            wrong.append(f"{was} dB became {now} dB")
    return wrong


@pytest.mark.parametrize("sample", ACCEPTED, ids=lambda sample: sample.name)
def test_every_rung_is_right(sample: Sample, tmp_path: Path) -> None:
    profile = builtin_profile("web-h264")
    quick = (StepSpec("video.h264", {"preset": "ultrafast", "crf": 18}), StepSpec("audio.aac"))

    encoded = encode_to_directory(sample.path, replace(profile, steps=quick), tmp_path / "out")

    pictures, sounds = encoded.presentation.video, encoded.presentation.audio
    wrong = {r.track.name: check_picture(encoded, r, sample, sample.path) for r in pictures}
    wrong |= {r.track.name: check_sound(encoded, r, sample.path) for r in sounds}
    languages = {r.track.language for r in sounds}
    if len(languages) != len(encoded.media.audio_streams):
        wrong["groups"] = [f"{languages} of {encoded.media.audio_streams}"]
    if "has_video" in sample.expected and bool(pictures) != bool(sample.expected["has_video"]):
        wrong["pictures"] = [str(len(pictures))]
    found = {name: each for name, each in wrong.items() if each}
    assert not found, f"{found} of {encoded.media}"
