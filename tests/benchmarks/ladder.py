"""The default profile against the plain way, on one clip: `python -m tests.benchmarks.ladder [FILE] [--rounds N]`.

The plain way is one ffmpeg a rung, one after the other: its own decode, `-preset medium -b:v`, mp4 out, then HLS.
Ours is `mediaflow transcode`, all of it: probe, encode, audio, thumbnail, verification, packaging. Figures are wall
seconds, paired in each round, because absolute times drift by 10-20 %.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mediaflow.testing.clips import make_clip

RUNGS = ((1080, "5000k", "192k"), (720, "2500k", "128k"), (480, "1000k", "128k"), (360, "600k", "96k"))


def timed(*commands: list[str]) -> float:
    started = time.monotonic()
    for command in commands:
        subprocess.run(command, check=True, capture_output=True)
    return time.monotonic() - started


def baseline(source: Path, out: Path) -> list[list[str]]:
    """The command lines of the plain way."""
    commands = []
    for height, video, audio in RUNGS:
        mp4 = out / f"{height}.mp4"
        encode = ["ffmpeg", "-y", "-v", "error", "-i", str(source), "-vf", f"scale=-2:{height}", "-c:v", "libx264"]
        encode += ["-preset", "medium", "-b:v", video, "-c:a", "aac", "-b:a", audio, "-ac", "2", str(mp4)]
        cut = ["ffmpeg", "-y", "-v", "error", "-i", str(mp4), "-c", "copy", "-f", "hls", "-hls_time", "4"]
        cut += ["-hls_playlist_type", "vod", str(out / f"{height}.m3u8")]
        commands += [encode, cut]
    return commands


def size_of(directory: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in directory.rglob(pattern))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        source = arguments.file or make_clip(directory / "clip.mp4", seconds=8, width=1920, height=1080)
        pairs = []
        for number in range(arguments.rounds):
            plain, ours = directory / f"plain{number}", directory / f"ours{number}"
            plain.mkdir()
            ours_command = [sys.executable, "-m", "mediaflow", "transcode", "--json", str(source), str(ours)]
            pairs.append((timed(*baseline(source, plain)), timed(ours_command)))
        figures = {
            "clip": source.name,
            "baseline_seconds": round(statistics.median(pair[0] for pair in pairs), 2),
            "mediaflow_seconds": round(statistics.median(pair[1] for pair in pairs), 2),
            "wall_ratio": round(statistics.median(pair[1] / pair[0] for pair in pairs), 3),
            "bytes_ratio": round(size_of(ours, "*.m4s") / size_of(plain, "*.ts"), 3),
        }
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
