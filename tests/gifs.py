"""GIFs that were written by nobody else's program: every delay is as it is wished."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

COLOURS = ((0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255))
"""The first is transparent."""
_CLEAR, _END = 4, 5


def gif(path: Path, delays: Sequence[int], *, width: int = 64, height: int = 48, forever: bool = True) -> Path:
    """A frame for each delay (in hundredths of a second): the left half transparent, the right red, green, blue."""
    data = b"GIF89a" + struct.pack("<HHBBB", width, height, 0xA1, 0, 0) + bytes(each for c in COLOURS for each in c)
    if forever:
        data += b"!\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"
    row = (0,) * (width // 2)
    for number, delay in enumerate(delays):
        pixels = (*row, *((1 + number % 3,) * (width - width // 2))) * height
        # before the next one it is cleared
        data += b"!\xf9\x04" + struct.pack("<BHBB", 2 << 2 | 1, delay, 0, 0)
        data += b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02" + b"".join(_blocks(_lzw(pixels)))
    path.write_bytes(data + b";")
    return path


def _lzw(pixels: Iterable[int]) -> bytes:
    """Codes of three bits alone: the table is cleared before it would need a fourth."""
    bits = place = 0
    for number, pixel in enumerate(pixels):
        if number % 2 == 0:
            bits, place = bits | _CLEAR << place, place + 3
        bits, place = bits | pixel << place, place + 3
    return (bits | _END << place).to_bytes(place // 8 + 1, "little")


def _blocks(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), 255):
        part = data[start : start + 255]
        yield bytes([len(part)]) + part
    yield b"\0"
