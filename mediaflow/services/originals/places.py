"""Originals by their keys, wherever they lie. What was linked counts as there only while it is as it was taken."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mediaflow.domain import keys
from mediaflow.domain.errors import ConfigurationError, NotFound, Unavailable
from mediaflow.domain.imports import SourceFile
from mediaflow.plugin import HasLocalFiles, ObjectInfo, OffersFiles, Storage
from mediaflow.services.originals.localfiles import HERE, LocalFiles, path_of
from mediaflow.services.ports import Database

_READ_BY_ALL = stat.S_IROTH


def _no_other(url: str) -> Storage:
    raise ConfigurationError(f"There is no storage {url.split(':')[0]!r} here.")


@dataclass(frozen=True, slots=True)
class OriginalFiles:
    """Reads originals; nothing here writes. `open_storage` opens the storage of a URL that files were linked from,
    `archive` is the second storage.
    """

    database: Database
    storage: Storage
    open_storage: Callable[[str], Storage] = _no_other
    archive: Storage | None = None
    _opened: dict[str, OffersFiles] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def stat(self, key: str) -> ObjectInfo | None:
        """The original's size and time; None when it is not there (as it was)."""
        if (linked := keys.linked_file(key)) is None:
            return self._kept(key).stat(key)
        file = self._file(*linked)
        found = None if file is None else self.source(file.source).file(file.name)
        return ObjectInfo(key, found.size_bytes, found.modified_at) if found and file and is_same(found, file) else None

    def read(self, key: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The bytes as `Storage.read` gives them. NotFound (`storage.no_object`) when it is not there (as it was)."""
        if (linked := keys.linked_file(key)) is None:
            return self._kept(key).read(key, offset=offset, length=length)
        file = self._file(*linked)
        if file is None or self.stat(key) is None:
            raise gone()
        return self.source(file.source).read_file(file.name, offset=offset, length=length)

    def in_place(self, key: str) -> Path | None:
        """The original as a file of this host that programs in the sandbox can read; None when it has to be fetched.
        NotFound when it is not there.
        """
        if (linked := keys.linked_file(key)) is None:
            kept = self._kept(key)
            return kept.local_path(key) if isinstance(kept, HasLocalFiles) else None
        file = self._file(*linked)
        if file is None or self.stat(key) is None:
            raise gone()
        path = path_of(file.name)
        return path if file.source == HERE and _is_readable(path) else None

    def source(self, url: str) -> OffersFiles:
        """Where files are taken from, by its URL (`/`: this machine). ConfigurationError when it is none."""
        if url == HERE:
            return LocalFiles()
        with self._lock:
            if url not in self._opened:
                opened = self.open_storage(url)
                if not isinstance(opened, OffersFiles):
                    raise ConfigurationError(f"Nothing can be imported from a storage {url.split(':')[0]!r}.")
                self._opened[url] = opened
            return self._opened[url]

    def _kept(self, key: str) -> Storage:
        if not keys.is_archived(key):
            return self.storage
        if self.archive is None:
            raise Unavailable("The original is in the archive, which is not set up here (MEDIAFLOW_ARCHIVE_URL).")
        return self.archive

    def _file(self, file_id: str, asset_id: str) -> SourceFile | None:
        """None when another file lies at its place now, which is another asset's."""
        file = self.database.source_files.get(file_id)
        return file if file is not None and file.asset_id == asset_id else None


def is_same(found: ObjectInfo, file: SourceFile) -> bool:
    """Whether it is as it was taken, by what changes with every write."""
    return found.size_bytes == file.size_bytes and found.modified_at == file.modified_at


def gone() -> NotFound:
    """What is said of a linked original that was moved, deleted or changed."""
    return NotFound("The linked file is not there any more as it was when it was imported.", code="storage.no_object")


def _is_readable(path: Path) -> bool:
    """Whether a sandbox's user can: it is not root, who may have started us. Nobody's files get other modes by us."""
    try:
        return os.geteuid() != 0 or bool(path.stat().st_mode & _READ_BY_ALL)
    except OSError as error:
        raise Unavailable(f"The file can't be read ({error.strerror}).", code="storage.unreadable") from error
