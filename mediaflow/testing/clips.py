"""Small clips for tests, made by ffmpeg from its own test sources: each shows one thing that real files do.

All take the path to write and return it. Defaults make clips of a few kilobytes in about 0.2 s.
"""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

FLASH_EVERY_SECONDS: Final = 2.0
FLASH_AT_SECONDS: Final = 0.6
FLASH_LASTS_SECONDS: Final = 0.1
_H264: Final = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "50")
_AAC: Final = ("-c:a", "aac", "-b:a", "96k")


def run_ffmpeg(arguments: Sequence[str], *, loglevel: str = "error") -> str:
    """Run ffmpeg on trusted input; what it printed. RuntimeError with its message when it fails."""
    argv = ["ffmpeg", "-hide_banner", "-nostdin", "-y", "-loglevel", loglevel, *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        raise RuntimeError(f"ffmpeg ended with {done.returncode}: {done.stderr[-500:]}")
    return done.stdout


def make_clip(
    path: Path,
    *,
    seconds: float = 2.0,
    width: int = 320,
    height: int = 180,
    rate: str = "25",
    video_options: Sequence[str] = (),
) -> Path:
    """Moving test picture with a tone, both exactly `seconds` long."""
    pictures = _input(f"testsrc2=size={width}x{height}:rate={rate}:duration={seconds}")
    tone = _input(f"sine=frequency=440:sample_rate=48000:duration={seconds}")
    run_ffmpeg([*pictures, *tone, *_H264, *video_options, *_AAC, str(path)])
    return path


def languages(path: Path, tags: Sequence[str], *, seconds: float = 2.0, options: Sequence[str] = ()) -> Path:
    """Video with a tone in each language: 440 Hz in the first, which is the default, an octave more in each other."""
    pictures = _input(f"testsrc2=size=320x180:rate=25:duration={seconds}")
    tones = [_input(f"sine=frequency={440 * 2**n}:sample_rate=48000:duration={seconds}") for n in range(len(tags))]
    maps = [argument for n in range(len(tags) + 1) for argument in ("-map", str(n))]
    told = [argument for n, tag in enumerate(tags) for argument in (f"-metadata:s:a:{n}", f"language={tag}")]
    marks = [argument for n in range(len(tags)) for argument in (f"-disposition:a:{n}", "0" if n else "default")]
    inputs = [argument for tone in tones for argument in tone]
    run_ffmpeg([*pictures, *inputs, *maps, *_H264, *_AAC, *told, *marks, *options, str(path)])
    return path


def subtitled(
    path: Path,
    files: Mapping[str, Path],
    *,
    seconds: float = 2.0,
    codec: str = "copy",
    titles: Mapping[str, str] = MappingProxyType({}),
) -> Path:
    """Video with a tone and a stream of subtitles from each file (`.srt`, `.ass`, `.vtt`), by language. What their text
    is encoded in stays as it is, where they are copied.
    """
    inputs = [argument for file in files.values() for argument in ("-i", str(file))]
    told = [a for n, tag in enumerate(files) for a in (f"-metadata:s:s:{n}", f"language={tag}")]
    told += [a for n, tag in enumerate(files) if tag in titles for a in (f"-metadata:s:s:{n}", f"title={titles[tag]}")]
    maps = [argument for n in range(len(files) + 2) for argument in ("-map", str(n))]
    pictures = _input(f"testsrc2=size=320x180:rate=25:duration={seconds}")
    tone = _input(f"sine=frequency=440:sample_rate=48000:duration={seconds}")
    run_ffmpeg([*pictures, *tone, *inputs, *maps, *_H264, *_AAC, "-c:s", codec, *told, str(path)])
    return path


def silent(path: Path, *, seconds: float = 2.0, width: int = 320, height: int = 180, rate: str = "25") -> Path:
    """Video without audio."""
    run_ffmpeg([*_input(f"testsrc2=size={width}x{height}:rate={rate}:duration={seconds}"), *_H264, str(path)])
    return path


def audio_only(path: Path, *, seconds: float = 2.0, channels: int = 2, sample_rate_hz: int = 48000) -> Path:
    """A tone on every channel, without video."""
    tone = "|".join(["0.3*sin(2*PI*440*t)"] * channels)
    run_ffmpeg([*_input(f"aevalsrc='{tone}':s={sample_rate_hz}:d={seconds}"), *_AAC, str(path)])
    return path


def anamorphic(path: Path, *, sample_aspect: str = "2/1", seconds: float = 1.0) -> Path:
    """320x180 pixels that are not square."""
    return make_clip(path, seconds=seconds, video_options=["-vf", f"setsar={sample_aspect}"])


def interlaced(path: Path, *, seconds: float = 1.0) -> Path:
    """Two fields in each of 25 frames a second, top field first, flagged as such."""
    options = ["-vf", "tinterlace=interleave_top,fieldorder=tff", "-flags", "+ilme+ildct", "-x264-params", "tff=1"]
    return make_clip(path, seconds=seconds, rate="50", video_options=options)


def variable_rate(path: Path, *, seconds: float = 4.0) -> Path:
    """50 frames a second in the first half, then every fifth of them only."""
    chosen = f"select='lt(t,{seconds / 2})+not(mod(n,5))'"
    # fps_mode vfr: the gaps stay gaps
    return make_clip(path, seconds=seconds, rate="50", video_options=["-vf", chosen, "-fps_mode", "vfr"])


def flash_and_beep(
    path: Path, *, seconds: float = 10.0, rate: str = "25", video_late: float = 0.0, audio_late: float = 0.0
) -> Path:
    """A white flash with a beep at 0.6 s, 2.6 s, 4.6 s ...: what a viewer must see and hear together.

    With `video_late` or `audio_late` that stream lacks its first seconds; what is left keeps its place in time.
    """
    # a frame counts from 5 ms before it on: mod() of a frame's time may come out a hair too small
    pictures = (
        f"color=black:size=320x180:rate={rate}:duration={seconds},format=yuv420p,"
        f"drawbox=color=white:thickness=fill:enable='{_flashing(0.005)}'"
    )
    beeps = f"aevalsrc='if({_flashing(0)},0.8*sin(2*PI*1000*t),0)':s=48000:d={seconds}"
    # trimmed on the way out, where times stay as they are; on the way in ffmpeg would count from the first one
    late = ["-vf", f"trim=start={video_late}", "-fps_mode", "vfr", "-af", f"atrim=start={audio_late}"]
    run_ffmpeg([*_input(pictures), *_input(beeps), *late, *_H264, *_AAC, str(path)])
    return path


def _flashing(early_seconds: float) -> str:
    begins, ends = FLASH_AT_SECONDS - early_seconds, FLASH_AT_SECONDS + FLASH_LASTS_SECONDS
    return f"between(mod(t,{FLASH_EVERY_SECONDS}),{begins},{ends})"


def rotated(path: Path, *, degrees: int = 90, seconds: float = 1.0, width: int = 320, height: int = 180) -> Path:
    """A clip that a player must turn clockwise by 90, 180 or 270 degrees, as phones make them."""
    return turned(make_clip(path, seconds=seconds, width=width, height=height), degrees=degrees)


def turned(path: Path, *, degrees: int) -> Path:
    """The MP4, which says from now on that a player must turn it."""
    data = bytearray(path.read_bytes())
    one = 1 << 16
    turn = {90: (0, one, -one, 0), 180: (-one, 0, 0, -one), 270: (0, -one, one, 0)}[degrees]
    # the first track header (ISO/IEC 14496-12, 8.3.2) is the video's; in version 0 its matrix is 40 bytes into the body
    at = data.index(b"tkhd") + 4 + 40
    struct.pack_into(">9i", data, at, turn[0], turn[1], 0, turn[2], turn[3], 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def truncated(path: Path, *, seconds: float = 4.0, keep: float = 0.6) -> Path:
    """A Matroska clip of which only the first part arrived."""
    make_clip(path, seconds=seconds)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    return path


def scrambled(path: Path, *, seconds: float = 2.0) -> Path:
    """An MP4 whose index is right and whose media data is noise: it opens, and nothing decodes."""
    make_clip(path, seconds=seconds)
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    end = data.index(b"moov") - 4
    data[start:end] = bytes((i * 197 + (i >> 5) * 89 + 13) & 0xFF for i in range(end - start))
    path.write_bytes(data)
    return path


def _input(graph: str) -> list[str]:
    return ["-f", "lavfi", "-i", graph]
