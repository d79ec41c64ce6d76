"""What plugins implement to keep objects. An ability that not every storage has is a Protocol of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """A stored object. `modified_at` is seconds since the epoch (UTC)."""

    key: str
    size_bytes: int
    modified_at: float


@runtime_checkable
class Storage(Protocol):
    """Objects by key. An object appears whole or not at all, and is durable when `put` returns.

    Keys are `/`-joined parts of `[A-Za-z0-9._%=@+-]`, none starting with a dot. A failing backend raises
    `mediaflow.plugin.Unavailable`; a full one `InsufficientStorage`. No key may be a directory of another (`a` and
    `a/b`): a storage may refuse it with Conflict (`storage.key_in_the_way`).
    """

    def put(self, key: str, blocks: Iterable[bytes], *, size_bytes: int, content_type: str) -> ObjectInfo:
        """Store an object of exactly `size_bytes`, replacing one of that key. When `blocks` raises or has another
        length (then InvalidInput, code `storage.wrong_length`), nothing is left behind and an older object stays.
        """
        ...

    def read(self, key: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The bytes from `offset` (all, or `length` of them), in blocks of at most 1 MiB. A missing key raises
        NotFound (code `storage.no_object`) from this call itself, not from the first block. An offset at or beyond
        the end gives no bytes, a length that reaches beyond it what there is; a negative one is InvalidInput
        (`storage.bad_range`). A reader may stop early.
        """
        ...

    def stat(self, key: str) -> ObjectInfo | None:
        """The object's size and time, or None."""
        ...

    def delete(self, key: str) -> None:
        """Remove the object; one that is not there is no error."""
        ...

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Every object whose key starts with `prefix`, sorted by key."""
        ...


@runtime_checkable
class ReceivesParts(Protocol):
    """An object received in parts: in any order, in parallel, from several processes. Uploads need this.

    Part i (0-based) lies at byte i * part_bytes; all but the last have `part_bytes`. Nothing is visible at `key` before
    `complete_parts`. `min_part_bytes` is the smallest part that the storage takes (the last may be smaller).
    """

    @property
    def min_part_bytes(self) -> int: ...

    def begin_parts(self, key: str, *, size_bytes: int, part_bytes: int, content_type: str) -> str:
        """Begin; the answer is a handle that the other calls take, valid in every process and after restarts.

        It takes no room worth mentioning: most of what is announced may never come.
        """
        ...

    def put_part(self, key: str, handle: str, index: int, blocks: Iterable[bytes], *, offset: int, length: int) -> str:
        """Write one part durably and return its receipt (an ETag, or ""). The same part may be written again. When
        `blocks` raises, the error passes through and the part counts as not written. Another length than `length`
        raises InvalidInput (`storage.wrong_length`); an unknown handle NotFound (`storage.no_parts`).

        Who stood still while it wrote a part may go on when another has written the same part meanwhile, and got its
        receipt. What it writes then is dropped (it may raise anything), or `complete_parts` refuses that receipt.
        """
        ...

    def complete_parts(self, key: str, handle: str, receipts: Sequence[str], *, size_bytes: int) -> ObjectInfo:
        """Turn the parts into the object; `receipts` are all parts' receipts in the order of the parts. Calling it
        again after it succeeded returns the same object. A part that is missing, or another size, raises InvalidInput
        (`storage.wrong_parts`) and nothing is visible; an unknown handle NotFound (`storage.no_parts`).
        """
        ...

    def abort_parts(self, key: str, handle: str) -> None:
        """Forget the parts and free their room; harmless when there is nothing (any more)."""
        ...


@dataclass(frozen=True, slots=True)
class PartReceipt:
    """A part that a storage has. `receipt` is what `complete_parts` takes for it."""

    index: int
    size_bytes: int
    receipt: str


@runtime_checkable
class PresignsParts(Protocol):
    """A storage that receives parts, and lets clients send them to it themselves: uploads with `mode` `direct`."""

    def presign_part(self, key: str, handle: str, index: int, *, seconds: int) -> str:
        """A URL to which anyone can PUT that part for `seconds`, again and again, of whatever length."""
        ...

    def receipts(self, key: str, handle: str) -> Sequence[PartReceipt]:
        """The parts that are there whole, the oldest first: of one that came again both may be told, and it is the
        caller who knows which length is right. NotFound (`storage.no_parts`) when the handle is not known (any more).
        """
        ...


@dataclass(frozen=True, slots=True)
class Reception:
    """Parts that were begun and neither completed nor aborted. `handle` is that of `begin_parts`; `key` is None where
    the storage does not keep it. `changed_at` is when bytes came last (or it was begun), `size_bytes` what it takes.
    """

    handle: str
    key: str | None
    changed_at: float
    size_bytes: int


@runtime_checkable
class KnowsParts(Protocol):
    """A storage that receives parts and can tell of them: `mediaflow fsck` and `mediaflow gc` look with this."""

    def parts_of(self, key: str, handle: str) -> Mapping[int, int] | None:
        """The lengths of the parts that are there whole, by index; None when the handle is not known (any more). While
        parts are being completed, the answer may be empty.
        """
        ...

    def receptions(self) -> Iterator[Reception]:
        """All that are open, in any order."""
        ...

    def discard(self, reception: Reception) -> None:
        """Abort it; harmless when there is nothing (any more)."""
        ...


@runtime_checkable
class CopiesObjects(Protocol):
    """Moves an object without its bytes passing through us."""

    def move(self, source: str, target: str) -> ObjectInfo:
        """Afterwards the object is at `target` only. A repeat after success returns the object; a source that is
        missing with no target there raises NotFound (`storage.no_object`).
        """
        ...


@runtime_checkable
class PresignsUrls(Protocol):
    """Makes URLs that anyone can GET for a while."""

    def presign(self, key: str, *, seconds: int) -> str:
        """A URL to GET the object, valid for `seconds`."""
        ...


@runtime_checkable
class HasLocalFiles(Protocol):
    """Keeps objects as files of this host, so that a worker may read them in place."""

    def local_path(self, key: str) -> Path:
        """The object's file, to be read only; NotFound (`storage.no_object`) when it is missing."""
        ...


@dataclass(frozen=True, slots=True)
class Room:
    """Space of a file system, in bytes. `free_bytes` is what an ordinary user may still fill."""

    free_bytes: int
    total_bytes: int


@runtime_checkable
class OffersFiles(Protocol):
    """Has files that others keep there, under any names: imports take them, or link them as originals. Nothing of it is
    written or deleted.

    A name is any text, with `/` between its parts, below what the storage's URL names; it is `ObjectInfo.key` here.
    """

    def files(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Every file whose name starts with `prefix`, sorted by name: what begins in the same way comes together."""
        ...

    def file(self, name: str) -> ObjectInfo | None:
        """The file's size and time as they are now, or None."""
        ...

    def read_file(self, name: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Its bytes, as `Storage.read` gives those of an object. NotFound (`storage.no_object`) from this call."""
        ...


@runtime_checkable
class MeasuresRoom(Protocol):
    """Knows how much more it can keep, so that an upload without room is refused before its first byte."""

    def room(self) -> Room:
        """The space now; Unavailable when it can't be told."""
        ...


@dataclass(frozen=True, slots=True)
class StorageScheme:
    """Opens storages for URLs `scheme:...`. `shared` is True when workers on other hosts can reach it.

    `open(url, settings)` raises ConfigurationError with the way out when the URL or a setting is wrong; it must not
    connect yet. `check` of an opened storage is done with `list("")`.
    """

    scheme: str
    open: Callable[[str, Mapping[str, Any]], Storage]
    shared: bool
