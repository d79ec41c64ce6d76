"""Six clips of half a minute that are difficult in six ways, made of real pictures of the corpus; or those in a
directory of your own, `BENCH_CLIPS`.

A drawn film; a slow pan over a photograph with light grain (film); a fast one under something that moves (sport); the
drawn film with strong grain; a recorded screen; a telephone's 720p. What is made is kept at about 20 to 80 Mbit/s, so
that the source's own losses are not what is measured.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

from mediaflow.testing.clips import run_ffmpeg
from tests.benchmarks.material import REAL
from tests.corpus import corpus_directory

SECONDS: Final = 30
_PHOTOGRAPH: Final = "recurser__Landscape_6.jpg"
_PHONE: Final = "androidx__internal_emulator_transformer_output_180_rotated.mp4"
_SCREEN: Final = "Vanilagy__cursed-vfr.mp4"
_KEPT: Final = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "12", "-pix_fmt", "yuv420p", "-an")
_PAN: Final = "scale=3000:-2:flags=lanczos,crop=1920:1080:x='540+400*sin(n/90)':y='1700+900*sin(n/140)'"
_FAST_PAN: Final = "scale=4200:-2:flags=lanczos,crop=1920:1080:x='1140+1100*sin(n/100)':y='2600+600*sin(n/63)'"
_OVER: Final = "overlay=x='700+700*sin(n/21)':y='400+380*cos(n/17)'"
_SPORT: Final = (
    # four pictures of 200 a second are one of 50: what moves is blurred
    f"[0:v]{_FAST_PAN},tmix=frames=4,fps=50,setpts=N/50/TB[pan];[1:v]fps=50,scale=480:270[moving];[pan][moving]{_OVER}"
)
_THERE_AND_BACK: Final = "[0:v]split[a][b];[b]reverse[c];[a][c]concat=n=2,setpts=N*1001/30000/TB"


def six_clips(directory: Path) -> dict[str, Path]:
    """The clips by name; skips the test where neither a directory of yours nor the corpus is there."""
    if named := os.environ.get("BENCH_CLIPS"):
        return {path.stem: path for path in sorted(Path(named).iterdir())}
    corpus = corpus_directory()
    if corpus is None:
        pytest.skip("MEDIAFLOW_CORPUS or BENCH_CLIPS has the pictures")
    photograph = ["-loop", "1", "-i", str(corpus / _PHOTOGRAPH)]
    clips = {"animation": directory / "animation.mp4"}
    run_ffmpeg(["-i", str(corpus / REAL), "-c", "copy", "-t", str(SECONDS), str(clips["animation"])])

    def made(name: str, *arguments: str) -> Path:
        clips[name] = directory / f"{name}.mp4"
        run_ffmpeg([*arguments, "-t", str(SECONDS), *_KEPT, str(clips[name])])
        return clips[name]

    made("film", "-framerate", "24", *photograph, "-vf", f"{_PAN},noise=c0s=3:c0f=t,format=yuv420p")
    made("grain", "-i", str(clips["animation"]), "-vf", "noise=c0s=5:c0f=t")
    once = made("phone", "-i", str(corpus / _PHONE), "-filter_complex", _THERE_AND_BACK).rename(directory / "once.mp4")
    run_ffmpeg(["-stream_loop", "-1", "-i", str(once), "-t", str(SECONDS), "-c", "copy", str(clips["phone"])])
    once.unlink()
    moving = ["-stream_loop", "-1", "-i", str(clips["phone"])]
    made("sport", "-framerate", "200", *photograph, *moving, "-filter_complex", f"{_SPORT},format=yuv420p")
    made("screen", "-stream_loop", "-1", "-i", str(corpus / _SCREEN), "-vf", "fps=30,scale=1920:-2:flags=bicubic")
    return clips
