"""A storage on another machine: no local files, and it tells what is read of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mediaflow.domain.records import Asset
from mediaflow.plugin import ObjectInfo, Storage

BLOCK: Final = 64 * 1024


@dataclass
class Remote:
    """What another storage has. `breaks_after` bytes of an answer it breaks off, once."""

    inner: Storage
    reads: list[range] = field(default_factory=list)
    breaks_after: int | None = None

    @property
    def read_bytes(self) -> int:
        """What was read in all."""
        return sum(map(len, self.reads))

    def put(self, key: str, blocks: Iterable[bytes], *, size_bytes: int, content_type: str) -> ObjectInfo:
        return self.inner.put(key, blocks, size_bytes=size_bytes, content_type=content_type)

    def read(self, key: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        blocks = self.inner.read(key, offset=offset, length=length)
        return self._counted(blocks, offset)

    def _counted(self, blocks: Iterator[bytes], position: int) -> Iterator[bytes]:
        given = 0
        for block in blocks:
            for part in (block[at : at + BLOCK] for at in range(0, len(block), BLOCK)):
                if self.breaks_after is not None and given >= self.breaks_after:
                    self.breaks_after = None
                    raise ConnectionResetError("the storage broke off")
                self.reads.append(range(position, position + len(part)))
                position, given = position + len(part), given + len(part)
                yield part

    def stat(self, key: str) -> ObjectInfo | None:
        return self.inner.stat(key)

    def delete(self, key: str) -> None:
        self.inner.delete(key)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        return self.inner.list(prefix)


def stored(remote: Remote, name: str, source: Path | bytes) -> Asset:
    """An asset whose original is these bytes."""
    data = source if isinstance(source, bytes) else source.read_bytes()
    key = f"uploads/{name}"
    remote.put(key, [data], size_bytes=len(data), content_type="video/mp4")
    return Asset(
        id=name,
        owner="ann",
        upload_id=name,
        filename="f.mp4",
        title="",
        description="",
        visibility="private",
        state="processing",
        created_at=0.0,
        updated_at=0.0,
        original_key=key,
    )
