"""Films of which each second tells whose it is and which one it is, in picture and sound: nothing foreign passes.

A picture's upper half is a row of 16 bars, black or white: a number that survives any size and compression. Its lower
half is noise, so that there is something to encode. The tone changes with each second.
"""

from __future__ import annotations

import random
import subprocess
import wave
from array import array
from collections.abc import Iterator, Sequence
from math import pi, sin
from pathlib import Path
from typing import Final

WIDTH, HEIGHT, RATE, SECONDS = 512, 288, 25, 24
SOUND_HZ: Final = 48_000
HEARD_HZ: Final = 8000
BARS: Final = 16
FILMS: Final = 128
"""So many can be told apart: 7 of the bars are the film's number, 6 the second, 3 a check."""
TONES: Final = 61
EDGE_SECONDS: Final = 0.15
"""At both ends of a second the tone is not listened to: coding smears it."""
LEAST_SECONDS: Final = 0.4
OFF_HZ: Final = 12.0
"""Tones are 25 Hz apart."""


def make_film(path: Path, number: int, seconds: int = SECONDS) -> Path:
    """A film with sound, of that number."""
    sound = path.with_suffix(".wav")
    with wave.open(str(sound), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SOUND_HZ)
        for second in range(seconds):
            file.writeframes(_tone(tone_hz(number, second)))
    argv = [
        *("ffmpeg", "-nostdin", "-y", "-v", "error", "-f", "rawvideo", "-pix_fmt", "gray"),
        *("-s", f"{WIDTH}x{HEIGHT}", "-r", str(RATE), "-i", "-", "-i", str(sound)),
        *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "28", "-pix_fmt", "yuv420p", "-g", str(RATE)),
        *("-c:a", "aac", "-b:a", "96k", "-shortest", "-movflags", "+faststart", str(path)),
    ]
    try:
        subprocess.run(argv, input=b"".join(_pictures(number, seconds)), check=True, stdout=subprocess.DEVNULL)
    finally:
        sound.unlink()
    return path


def tone_hz(number: int, second: int) -> int:
    """What is heard in that second of a film."""
    return 300 + 25 * ((17 * number + 29 * second) % TONES)


def _tone(hertz: int) -> bytes:
    # whole periods in a second, so that seconds join without a click
    return array("h", (round(8000 * sin(2 * pi * hertz * n / SOUND_HZ)) for n in range(SOUND_HZ))).tobytes()


def _bars(number: int, second: int) -> list[int]:
    value = (number % FILMS) << 9 | second << 3 | (number + second) % 8
    return [value >> bit & 1 for bit in reversed(range(BARS))]


def _pictures(number: int, seconds: int) -> Iterator[bytes]:
    rng, half = random.Random(number), WIDTH * HEIGHT // 2
    grain = bytes(112 + value // 16 for value in rng.randbytes(4 * half))
    for second in range(seconds):
        row = b"".join((b"\xff" if bar else b"\0") * (WIDTH // BARS) for bar in _bars(number, second))
        for _ in range(RATE):
            at = rng.randrange(3 * half)
            yield row * (HEIGHT // 2) + grain[at : at + half]


# --- looking and listening


def seen(track: bytes) -> tuple[list[tuple[int, int] | None], str]:
    """Film and second that each picture tells (None: neither), and what the decoder complains of."""
    look = f"crop=iw:ih/4:0:ih/8,scale={BARS}:1:flags=area,format=gray"
    data, said = _decoded(track, ["-fps_mode", "passthrough", "-vf", look, "-f", "rawvideo"])
    return [_told(data[at : at + BARS]) for at in range(0, len(data), BARS)], said


def _told(bars: bytes) -> tuple[int, int] | None:
    if any(64 < bar < 192 for bar in bars):
        return None
    value = sum((bar > 127) << bit for bit, bar in enumerate(reversed(bars)))
    number, second = value >> 9, value >> 3 & 63
    return (number, second) if (number + second) % 8 == value & 7 else None


def heard(track: bytes) -> tuple[array[int], str]:
    """The samples of a track at 8 kHz, and what the decoder complains of."""
    data, said = _decoded(track, ["-ac", "1", "-ar", str(HEARD_HZ), "-f", "s16le"])
    return array("h", data), said


def wrong_tones(samples: Sequence[int], number: int, began_seconds: float) -> list[str]:
    """What is not heard as it should be in sound of that film that begins there."""
    wrong, ended = [], began_seconds + len(samples) / HEARD_HZ
    for second in range(int(began_seconds), int(ended) + 1):
        first = max(second, began_seconds) + EDGE_SECONDS
        last = min(second + 1, ended) - EDGE_SECONDS
        if last - first >= LEAST_SECONDS:
            part = samples[int((first - began_seconds) * HEARD_HZ) : int((last - began_seconds) * HEARD_HZ)]
            ups = [n for n in range(1, len(part)) if part[n - 1] < 0 <= part[n]]
            hertz = (len(ups) - 1) * HEARD_HZ / (ups[-1] - ups[0]) if len(ups) > 1 else 0.0
            if abs(hertz - tone_hz(number, second)) > OFF_HZ:
                wrong.append(f"second {second} sounds at {hertz:.0f} Hz instead of {tone_hz(number, second)}")
    return wrong


def _decoded(track: bytes, how: Sequence[str]) -> tuple[bytes, str]:
    argv = ["ffmpeg", "-nostdin", "-v", "error", "-i", "-", *how, "-"]
    done = subprocess.run(argv, input=track, capture_output=True, check=False)
    return done.stdout, done.stderr.decode(errors="replace")
