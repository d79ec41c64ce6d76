"""The storage `local:PATH`: each object is a file whose path below the root is its key."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mediaflow.plugin import InvalidInput, NotFound, ObjectInfo, Reception, Room, checked_key
from mediaflow_local import reading, staging
from mediaflow_local.errors import IN_THE_WAY, no_object, no_parts, storage_errors
from mediaflow_local.ledger import Gone
from mediaflow_local.parts import Parts
from mediaflow_local.reading import FileBlocks
from mediaflow_local.tree import Tree


@dataclass(slots=True)
class LocalStorage:
    """Objects below one directory of this host; several processes may use it at once.

    A content type is not kept: it is in the documents of whoever stored the object. Parts (not objects) leave
    `min_free_bytes` of the disk free.
    """

    root: Path
    min_free_bytes: int = 0
    _tree: Tree = field(init=False)
    _parts: Parts = field(init=False)
    _swept: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self._tree = Tree(self.root)
        self._parts = Parts(self._tree, self.min_free_bytes)

    # --- Storage

    def put(self, key: str, blocks: Iterable[bytes], *, size_bytes: int, content_type: str) -> ObjectInfo:  # noqa: ARG002
        path = _path(key)
        if not self._swept:  # once a process is enough: what died left little
            self._swept = True
            with storage_errors():
                staging.sweep(self._tree)
        status = staging.store(self._tree, path, blocks, size_bytes)
        return ObjectInfo(key, status.st_size, status.st_mtime)

    def read(self, key: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        if offset < 0 or (length is not None and length < 0):
            raise InvalidInput(f"{length} bytes at {offset} can't be read.", code="storage.bad_range")
        descriptor = self._open(key)
        size = os.fstat(descriptor).st_size
        return FileBlocks(descriptor, offset, size if length is None else min(size, offset + length))

    def stat(self, key: str) -> ObjectInfo | None:
        path = _path(key)
        with storage_errors():
            try:
                with self._tree.directory(path[:-1]) as parent:
                    status = os.stat(path[-1], dir_fd=parent, follow_symlinks=False)
            except (FileNotFoundError, NotADirectoryError):
                return None
        return ObjectInfo(key, status.st_size, status.st_mtime) if stat.S_ISREG(status.st_mode) else None

    def delete(self, key: str) -> None:
        with storage_errors():
            self._tree.remove(_path(key))

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        return reading.objects(self._tree, prefix)

    # --- ReceivesParts

    @property
    def min_part_bytes(self) -> int:
        return 1

    def begin_parts(self, key: str, *, size_bytes: int, part_bytes: int, content_type: str) -> str:  # noqa: ARG002
        return self._parts.begin(checked_key(key), size_bytes, part_bytes)

    def put_part(self, key: str, handle: str, index: int, blocks: Iterable[bytes], *, offset: int, length: int) -> str:
        self._parts.put(checked_key(key), handle, index, blocks, offset=offset, length=length)
        return ""

    def complete_parts(self, key: str, handle: str, receipts: Sequence[str], *, size_bytes: int) -> ObjectInfo:
        with suppress(Gone):  # completed before, or aborted: the object tells
            self._parts.complete(checked_key(key), handle, receipts, size_bytes)
        found = self.stat(key)
        if found is None or found.size_bytes != size_bytes:
            raise no_parts(key)
        return found

    def abort_parts(self, key: str, handle: str) -> None:
        self._parts.abort(checked_key(key), handle)

    # --- KnowsParts

    def parts_of(self, key: str, handle: str) -> Mapping[int, int] | None:
        try:
            return self._parts.parts_of(checked_key(key), handle)
        except NotFound:
            return None

    def receptions(self) -> Iterator[Reception]:
        return self._parts.receptions()

    def discard(self, reception: Reception) -> None:
        self._parts.discard(reception.handle)

    # --- CopiesObjects

    def move(self, source: str, target: str) -> ObjectInfo:
        path, to = _path(source), _path(target)
        # without the source it was moved before, or never there: the target tells
        if self.stat(source) is not None:
            with storage_errors(), suppress(FileNotFoundError), self._tree.directory(path[:-1]) as directory:
                self._tree.rename(directory, path[-1], to)
                os.fsync(directory)
            self._tree.prune(path[:-1])
        found = self.stat(target)
        if found is None:
            raise no_object(source)
        return found

    # --- HasLocalFiles

    def local_path(self, key: str) -> Path:
        os.close(self._open(key))
        return self.root.joinpath(*_path(key))

    # --- MeasuresRoom

    def room(self) -> Room:
        there = self.root.absolute()
        while not there.exists():  # it is made with the first object, on the file system of its nearest parent
            there = there.parent
        with storage_errors():
            usage = shutil.disk_usage(there)
        return Room(usage.free, usage.total)

    def _open(self, key: str) -> int:
        path = _path(key)
        with storage_errors():
            try:
                return self._tree.open_file(path, os.O_RDONLY)
            except FileNotFoundError:
                raise no_object(key) from None
            except OSError as error:
                if error.errno in IN_THE_WAY:
                    raise no_object(key) from None
                raise


def _path(key: str) -> Sequence[str]:
    return checked_key(key).split("/")
