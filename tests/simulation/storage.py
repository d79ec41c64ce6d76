"""Objects in memory: a storage with parts, as S3 keeps them. What it is told in parts is held whole: it has no disk."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mediaflow.domain.keys import checked_key
from mediaflow.plugin import BLOCK_BYTES, InvalidInput, NotFound, ObjectInfo, Reception, exact_blocks

ObjectWatcher = Callable[[str, bytes | None, bytes | None], None]
"""Told `(key, before, after)` of each object that is written or deleted; None stands for no object."""
PartWatcher = Callable[[str, int, bytes], None]
"""Told `(key, index, bytes)` of each part that is written."""


@dataclass
class Incoming:
    """An object on its way. `receipts` are what was answered for each part that came."""

    key: str
    size_bytes: int
    part_bytes: int
    changed_at: float
    parts: dict[int, bytes] = field(default_factory=dict)


@dataclass
class MemoryStorage:
    """Implements `Storage`, `ReceivesParts`, `KnowsParts` and `CopiesObjects`."""

    clock: Callable[[], float] = time.time
    watch: ObjectWatcher = lambda _key, _before, _after: None
    watch_part: PartWatcher = lambda _key, _index, _data: None
    objects: dict[str, tuple[bytes, float]] = field(default_factory=dict)
    incoming: dict[str, Incoming] = field(default_factory=dict)
    completed: dict[str, str] = field(default_factory=dict)
    """Keys by the handles that became them."""

    min_part_bytes: int = 1

    # --- objects

    def put(self, key: str, blocks: Iterable[bytes], *, size_bytes: int, content_type: str) -> ObjectInfo:
        checked_key(key)
        return self._keep(key, b"".join(exact_blocks(blocks, size_bytes)))

    def read(self, key: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        checked_key(key)
        if offset < 0 or (length is not None and length < 0):
            raise InvalidInput(f"{offset} and {length} are no range.", code="storage.bad_range")
        data = self._found(key)[offset : None if length is None else offset + length]
        return (data[start : start + BLOCK_BYTES] for start in range(0, len(data), BLOCK_BYTES))

    def stat(self, key: str) -> ObjectInfo | None:
        found = self.objects.get(checked_key(key))
        return None if found is None else ObjectInfo(key, len(found[0]), found[1])

    def delete(self, key: str) -> None:
        gone = self.objects.pop(checked_key(key), None)
        if gone is not None:
            self.watch(key, gone[0], None)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        found = sorted(key for key in self.objects if key.startswith(prefix))
        return (
            ObjectInfo(key, len(self.objects[key][0]), self.objects[key][1]) for key in found if key in self.objects
        )

    def move(self, source: str, target: str) -> ObjectInfo:
        checked_key(source)
        checked_key(target)
        if source not in self.objects:
            return ObjectInfo(target, len(self._found(target)), self.objects[target][1])
        info = self._keep(target, self._found(source))
        if source != target:
            self.delete(source)
        return info

    # --- parts

    def begin_parts(self, key: str, *, size_bytes: int, part_bytes: int, content_type: str) -> str:
        checked_key(key)
        handle = secrets.token_hex(8)
        self.incoming[handle] = Incoming(key, size_bytes, part_bytes, self.clock())
        return handle

    def put_part(self, key: str, handle: str, index: int, blocks: Iterable[bytes], *, offset: int, length: int) -> str:
        self._transfer(key, handle)
        data = b"".join(exact_blocks(blocks, length))
        transfer = self._transfer(key, handle)  # it may have ended while the bytes came
        transfer.parts[index], transfer.changed_at = data, self.clock()
        self.watch_part(key, index, data)
        return _receipt(data)

    def complete_parts(self, key: str, handle: str, receipts: Sequence[str], *, size_bytes: int) -> ObjectInfo:
        checked_key(key)
        if self.completed.get(handle) == key:
            return ObjectInfo(key, len(self._found(key)), self.objects[key][1])
        transfer = self._transfer(key, handle)
        parts = [transfer.parts.get(index, b"") for index in range(len(receipts))]
        if any(receipt and receipt != _receipt(part) for receipt, part in zip(receipts, parts, strict=True)):
            raise InvalidInput("A part is another than its receipt says.", code="storage.wrong_parts")
        data = b"".join(parts)
        if not all(parts) or not len(data) == size_bytes == transfer.size_bytes:
            raise InvalidInput(f"The parts make {len(data)} bytes, not {size_bytes}.", code="storage.wrong_parts")
        del self.incoming[handle]
        self.completed[handle] = key
        return self._keep(key, data)

    def abort_parts(self, key: str, handle: str) -> None:
        if (found := self.incoming.get(handle)) is not None and found.key == key:
            del self.incoming[handle]

    # --- what is open

    def parts_of(self, key: str, handle: str) -> Mapping[int, int] | None:
        found = self.incoming.get(handle)
        return None if found is None or found.key != key else {i: len(part) for i, part in found.parts.items()}

    def receptions(self) -> Iterator[Reception]:
        for handle, found in list(self.incoming.items()):
            yield Reception(handle, found.key, found.changed_at, sum(map(len, found.parts.values())))

    def discard(self, reception: Reception) -> None:
        self.incoming.pop(reception.handle, None)

    # --- inside

    def _keep(self, key: str, data: bytes) -> ObjectInfo:
        before = self.objects.get(key)
        self.objects[key] = data, self.clock()
        self.watch(key, None if before is None else before[0], data)
        return ObjectInfo(key, len(data), self.objects[key][1])

    def _found(self, key: str) -> bytes:
        if key not in self.objects:
            raise NotFound(f"There is no object {key}.", code="storage.no_object")
        return self.objects[key][0]

    def _transfer(self, key: str, handle: str) -> Incoming:
        found = self.incoming.get(handle)
        if found is None or found.key != key:
            raise NotFound(f"There are no parts of {key}.", code="storage.no_parts")
        return found


def _receipt(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
