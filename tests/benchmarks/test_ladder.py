"""The default profile against the plain way, paired in one run, because absolute times drift by 10-20 %.

The plain way is one ffmpeg a rung, one after the other: its own decode, `-preset medium -b:v`, mp4 out, then HLS. Ours
is `mediaflow transcode`, all of it: probe, encode, audio, thumbnail, verification, packaging. `BENCH_CLIP` names a clip
of your own.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from mediaflow.testing.clips import make_clip
from tests.integration.service import clean_environ

RUNGS = ((1080, "5000k", "192k"), (720, "2500k", "128k"), (480, "1000k", "128k"), (360, "600k", "96k"))
ROUNDS = 3
GOAL = 0.45
"""Wall time against the plain way that the default profile aims at; the limit below leaves room for a busy machine."""
LIMIT = 0.70


def timed(*commands: list[str], **environ: str) -> float:
    started = time.monotonic()
    for command in commands:
        subprocess.run(command, check=True, capture_output=True, env=clean_environ(**environ))
    return time.monotonic() - started


def encoding_all(directory: Path) -> tuple[str, dict[str, str]]:
    """The default profile's twin that copies nothing: its name, and the settings that tell of it."""
    text = (Path(__file__).parents[2] / "profiles" / "web-h264.yaml").read_text()
    assert "copies: true" in text
    directory.mkdir(exist_ok=True)
    twin = text.replace("name: web-h264\n", "name: encoded\n").replace("copies: true", "copies: false")
    (directory / "encoded.yaml").write_text(twin)
    return "encoded", {"MEDIAFLOW_PROFILES_DIR": str(directory)}


def plain_way(source: Path, out: Path, rungs: Sequence[tuple[int, str, str]] = RUNGS) -> list[list[str]]:
    commands = []
    for height, video, audio in rungs:
        mp4 = out / f"{height}.mp4"
        encode = ["ffmpeg", "-y", "-v", "error", "-i", str(source), "-vf", f"scale=-2:{height}", "-c:v", "libx264"]
        encode += ["-preset", "medium", "-b:v", video, "-c:a", "aac", "-b:a", audio, "-ac", "2", str(mp4)]
        cut = ["ffmpeg", "-y", "-v", "error", "-i", str(mp4), "-c", "copy", "-f", "hls", "-hls_time", "4"]
        cut += ["-hls_playlist_type", "vod", str(out / f"{height}.m3u8")]
        commands += [encode, cut]
    return commands


def size_of(directory: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in directory.rglob(pattern))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_default_ladder_is_faster_and_smaller_than_the_plain_way(tmp_path: Path) -> None:
    named = os.environ.get("BENCH_CLIP")
    source = Path(named) if named else make_clip(tmp_path / "clip.mp4", seconds=8, width=1920, height=1080)
    pairs = []
    profile, environ = encoding_all(tmp_path / "profiles")
    for number in range(ROUNDS):
        plain, ours = tmp_path / f"plain{number}", tmp_path / f"ours{number}"
        plain.mkdir()
        command = [sys.executable, "-m", "mediaflow", "transcode", "--json", "--profile", profile]
        transcode = [*command, str(source), str(ours)]
        pairs.append((timed(*plain_way(source, plain)), timed(transcode, **environ)))
    ratio = statistics.median(pair[1] / pair[0] for pair in pairs)
    figures = {
        "clip": source.name,
        "plain_seconds": round(statistics.median(pair[0] for pair in pairs), 2),
        "mediaflow_seconds": round(statistics.median(pair[1] for pair in pairs), 2),
        "wall_ratio": round(ratio, 3),
        "wall_goal": GOAL,
        "bytes_ratio": round(size_of(ours, "*.m4s") / size_of(plain, "*.ts"), 3),
    }
    print(json.dumps(figures))
    assert ratio <= LIMIT
