"""Originals at a worker: read in place where the storage keeps local files, else fetched into a limited cache.

Of a long MP4 or MOV only what is needed is fetched (`media/extents.py`), of others all. ffmpeg never fetches anything
itself.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

from mediaflow.domain.errors import NotFound
from mediaflow.domain.records import Asset
from mediaflow.media.animated import UNPACKING, has_to_be_unpacked, unpack
from mediaflow.media.boxes import BadBoxes
from mediaflow.media.extents import Extents, read_extents
from mediaflow.media.indexed import LEAST_BYTES
from mediaflow.sandbox.ownership import let_read
from mediaflow.sandbox.process import ProcessRunner
from mediaflow.services.originals.places import OriginalFiles
from mediaflow.services.pipeline.sparse import SparseCopy
from mediaflow.services.pipeline.taskdocs import original_of
from mediaflow.services.ports import Metrics

_log = structlog.get_logger(__name__)
_COPY, _RECORD, _USE = ".copy", ".record", ".use"
_OLD_LOCK = ".lock"
"""Older versions locked by it, and had copies without an ending; those go like others."""
_UNPACKED: Final = ".unpacked"
_NO_COPIES: Final = (_RECORD, _USE, _OLD_LOCK, UNPACKING)
_FORSAKEN_SECONDS: Final = 3600.0
"""Who unpacks takes minutes."""
_REMEMBERED: Final = 4

Wanted = Callable[[Extents], Sequence[range]]
"""Which bytes of a source are needed, where its index tells what lies where."""


@dataclass(slots=True)
class OpenSource:
    """An original as a local file, to be read only. Where it is `partial`, only what was wanted may be read of it."""

    path: Path
    partial: bool = False
    _complete: Callable[[], None] = lambda: None

    def complete(self) -> None:
        """Fetch what is missing: afterwards all may be read."""
        if self.partial:
            self._complete()
            self.partial = False


@dataclass(frozen=True, slots=True)
class Sources:
    """`directory` holds the cache. It takes at most `limit_bytes` of the disk, or what is in use and the whole one that
    was used last, if that is more. Of what has at least `least_bytes` parts are fetched.
    """

    storage: OriginalFiles
    directory: Path
    limit_bytes: int
    metrics: Metrics
    processes: ProcessRunner
    least_bytes: int = LEAST_BYTES
    _extents: OrderedDict[str, Extents | None] = field(default_factory=OrderedDict)
    """What this process read last, by the upload; None for what has to be fetched whole."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def opened(self, asset: Asset, wanted: Wanted | None = None) -> Iterator[OpenSource]:
        """The asset's original for the length of the `with` block: all of it, or what is `wanted` of it where that can
        be told.

        NotFound (`storage.no_object`) when it is gone; what reading from the storage raises passes through.
        """
        key = original_of(asset)
        # not by its key, which changes when it has been hashed
        name = asset.upload_id
        if (place := self.storage.in_place(key)) is not None:
            with ExitStack() as stack:
                yield OpenSource(self._shown(stack, place, name))
            return
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.directory / (name + _COPY)
        with ExitStack() as stack:
            copy = self._copy(stack, key, path)
            stack.callback(lambda: self.metrics.count("mediaflow_source_fetched_bytes_total", copy.fetched_bytes))

            def complete() -> None:
                copy.ensure_all()
                self._sweep(path)

            extents = self._known(name, copy) if wanted is not None else None
            if wanted is None or extents is None:
                complete()
            else:
                copy.ensure(wanted(extents))
                self._sweep(path)
            yield OpenSource(self._shown(stack, path, name), not copy.is_whole, complete)
            whole = copy.is_whole
        # what has outgrown the room by itself begins anew, unless nobody could do with less than all of it
        self._sweep(path if whole else None)

    def _shown(self, stack: ExitStack, path: Path, name: str) -> Path:
        """What programs read: of images that move (`media/animated.py`), what was unpacked of them."""
        if not has_to_be_unpacked(_readable(path)):
            return path
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        target = self.directory / (name + _UNPACKED)
        with self._alone():
            fcntl.flock(stack.enter_context(target.with_suffix(_USE).open("w")), fcntl.LOCK_SH)
        if not target.exists():
            unpack(path, target, self.processes)
        os.utime(target)
        self._sweep(target)
        return _readable(target)

    def _copy(self, stack: ExitStack, key: str, path: Path) -> SparseCopy:
        """The copy, open and in use until the stack ends."""
        size = None if path.exists() else self._size(key)
        with self._alone():
            if size is None:
                size = path.stat().st_size if path.exists() else self._size(key)
            use = stack.enter_context(path.with_suffix(_USE).open("w"))
            # shared while in use: the sweep takes exclusive locks only
            fcntl.flock(use, fcntl.LOCK_SH)
            files = (path, path.with_suffix(_RECORD))
            copy = stack.enter_context(SparseCopy.opened(self.storage, key, *files, size))
            os.utime(path)
            return copy

    def _size(self, key: str) -> int:
        info = self.storage.stat(key)
        if info is None:
            raise NotFound("The original is not in the storage any more.", code="storage.no_object")
        return info.size_bytes

    def _known(self, name: str, copy: SparseCopy) -> Extents | None:
        """The extents of the original; None when its index does not tell them."""
        with self._lock:
            if name in self._extents:
                return self._extents[name]
        extents = self._read(copy)
        with self._lock:
            self._extents[name] = extents
            while len(self._extents) > _REMEMBERED:
                self._extents.popitem(last=False)
        return extents

    def _read(self, copy: SparseCopy) -> Extents | None:
        if copy.size_bytes < self.least_bytes or copy.read(4, 4) not in (b"ftyp", b"moov", b"wide", b"mdat"):
            return None
        try:
            return read_extents(copy.file(), copy.size_bytes)
        except BadBoxes as error:
            _log.info("an original is fetched whole", key=copy.key, reason=str(error))
            return None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other process makes or removes a copy here meanwhile."""
        place = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(place, fcntl.LOCK_EX)
            yield
        finally:
            os.close(place)

    def _sweep(self, keep: Path | None) -> None:
        """Remove the least recently used originals that nobody uses, but not that one, until the others fit."""
        with self._alone():
            for room in self.directory.glob(f"*{UNPACKING}"):
                if time.time() - room.stat().st_mtime > _FORSAKEN_SECONDS:
                    shutil.rmtree(room, ignore_errors=True)
            files = [file for file in self.directory.iterdir() if file.suffix not in _NO_COPIES]
            used = sum(_taken(file) for file in files)
            for file in sorted(files, key=lambda file: file.stat().st_mtime):
                if used <= self.limit_bytes:
                    return
                if file != keep:
                    used -= self._removed(file)

    def _removed(self, file: Path) -> int:
        """Remove a copy unless it is in use; the bytes that it took."""
        name = file.with_suffix(_USE)
        with name.open("w") as use:
            try:
                fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return 0
            taken = _taken(file)
            # the record first: a crash must not leave one without its copy
            for each in (file.with_suffix(_RECORD), file, name):
                each.unlink(missing_ok=True)
            return taken


def _taken(file: Path) -> int:
    """What a file takes of the disk, without its holes."""
    return file.stat().st_blocks * 512


def _readable(path: Path) -> Path:
    """The file, which a sandbox's user can read: where root works that is not the one who wrote it."""
    if os.geteuid() == 0:
        let_read(path)
    return path
