"""Bodies for tests: bytes whose every place is recognisable, in blocks, some of which end badly."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

MIB: Final = 1024 * 1024


class Interrupted(Exception):
    """What a body raises in tests."""


def content(size: int, seed: int = 0) -> bytes:
    """Bytes that do not repeat, the same for the same seed: a block at a wrong place is noticed."""
    return hashlib.shake_128(seed.to_bytes(8, "big")).digest(size)


def blocks_of(data: bytes, block_bytes: int = MIB) -> Iterator[bytes]:
    """The data in blocks, once."""
    for start in range(0, len(data), block_bytes):
        yield data[start : start + block_bytes]


def raising(data: bytes, error: Exception) -> Iterator[bytes]:
    """The data in blocks, then the error."""
    yield from blocks_of(data)
    raise error
