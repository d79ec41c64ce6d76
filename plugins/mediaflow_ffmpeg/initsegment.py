"""An init segment under its name, without what depends on the pictures that came first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

_PATH: Final = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


def settle(found: Path, target: Path) -> None:
    """Give what ffmpeg wrote under another name its own, in one step. What is there and the same stays: it is read."""
    data = without_dependencies(found.read_bytes())
    if target.exists() and target.read_bytes() == data:
        return
    plain = found.with_suffix(".plain")
    plain.write_bytes(data)
    plain.replace(target)


def without_dependencies(data: bytes) -> bytes:
    """The same without boxes `sdtp` (ISO/IEC 14496-12, 8.6.4), which tell of a file's samples what depends on them. An
    init segment has no samples; ffmpeg writes an empty one when a frame of the first fragment may be dropped, as x265
    and SVT-AV1 say of some, and so two init segments of one track would differ. Data that is no such file is returned
    as it is.
    """
    return b"".join(_kept(data, _PATH))


def _kept(data: bytes, path: tuple[bytes, ...]) -> Iterator[bytes]:
    position = 0
    while position + 8 <= len(data):
        size, kind = int.from_bytes(data[position : position + 4]), data[position + 4 : position + 8]
        if size < 8 or position + size > len(data):
            break
        body = data[position + 8 : position + size]
        position += size
        if path and kind == path[0]:
            body = b"".join(_kept(body, path[1:]))
        if path or kind != b"sdtp":
            yield (8 + len(body)).to_bytes(4) + kind + body
    yield data[position:]
