"""Bodies as they pass: blocks of bytes whose total length was promised."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from mediaflow.domain.errors import InvalidInput

BLOCK_BYTES: Final = 1024 * 1024
"""Bodies are read and written in blocks of this size: of 16 KiB, 64 KiB and 1 MiB the fastest on loopback."""


def exact_blocks(blocks: Iterable[bytes], length: int) -> Iterator[bytes]:
    """The blocks, for a storage to write. Raises InvalidInput (`storage.wrong_length`) when they are not `length` long.

    The last block is held back until `blocks` has ended in order: a server that commits an object with its last byte
    commits nothing when there are more bytes than promised, or when `blocks` raises at its very end (a wrong digest).
    """
    held, count = b"", 0
    for block in blocks:
        if not block:
            continue
        count += len(block)
        if count > length:
            raise _wrong_length(length, f"more than {length}")
        if held:
            yield held
        held = block
    if count != length:
        raise _wrong_length(length, str(count))
    if held:
        yield held


def _wrong_length(expected: int, got: str) -> InvalidInput:
    return InvalidInput(f"{expected} bytes were announced, {got} came.", code="storage.wrong_length")
