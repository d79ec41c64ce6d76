"""Clips whose clocks are odd, each in one way, with a flash and a beep at the same moments (`clips.flash_and_beep`)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from mediaflow.testing.clips import flash_and_beep, run_ffmpeg

SECONDS: Final = 9.0
Edit = tuple[float, float]
"""From where in the media, and how long; from -1: nothing at all, so long."""


def copied(source: Path, target: Path, *options: str, before: Sequence[str] = ()) -> Path:
    """The same packets with other options."""
    run_ffmpeg([*before, "-i", str(source), "-map", "0", "-c", "copy", *options, str(target)])
    return target


def recoded(target: Path, *options: str) -> Path:
    """The usual clip, encoded once more with other options. It comes from an MP4, whose edit list leaves no priming."""
    between = flash_and_beep(target.with_suffix(".between.mp4"), seconds=SECONDS)
    h264 = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "50"]
    run_ffmpeg(["-i", str(between), "-map", "0", *h264, *options, str(target)])
    return target


def edited(source: Path, target: Path, edits: dict[bytes, list[Edit]]) -> Path:
    """An MP4 with other edit lists (ISO/IEC 14496-12, 8.6.6), by the kind of track (`vide`, `soun`). Its index must lie
    behind its media: its length changes.
    """
    data = source.read_bytes()
    begin, end = next((b, e) for kind, b, e in boxes(data, 0, len(data)) if kind == b"moov")
    moov = bytearray(data[begin:end])
    at = moov.index(b"mvhd")
    (scale,) = struct.unpack_from(">I", moov, at + 16)
    seconds = max(sum(length for _, length in edit) for edit in edits.values())
    struct.pack_into(">I", moov, at + 20, round(seconds * scale))
    parts = [bytes(moov[b:e]) for _, b, e in boxes(bytes(moov), 8, len(moov))]
    made = b"".join(_with_edits(part, scale, edits) if part[4:8] == b"trak" else part for part in parts)
    target.write_bytes(data[:begin] + box(b"moov", made) + data[end:])
    return target


def _with_edits(trak: bytes, scale: int, edits: dict[bytes, list[Edit]]) -> bytes:
    handler = trak[trak.index(b"hdlr") + 12 :][:4]
    ticks = struct.unpack_from(">I", trak, trak.index(b"mdhd") + 16)[0]
    entries = b"".join(
        struct.pack(">IiI", round(seconds * scale), -1 if begin < 0 else round(begin * ticks), 1 << 16)
        for begin, seconds in edits[handler]
    )
    elst = box(b"elst", struct.pack(">II", 0, len(edits[handler])) + entries)
    kept = [trak[b:e] for kind, b, e in boxes(trak, 8, len(trak)) if kind != b"edts"]
    return box(b"trak", kept[0] + box(b"edts", elst) + b"".join(kept[1:]))


def box(kind: bytes, body: bytes) -> bytes:
    """A box of ISO-BMFF."""
    return struct.pack(">I4s", len(body) + 8, kind) + body


def boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, begin and end of each box in a run of them."""
    while at < end:
        size, kind = struct.unpack_from(">I4s", data, at)
        yield kind, at, at + size
        at += size
