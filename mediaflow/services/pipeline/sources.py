"""Originals at a worker: read in place where the storage keeps local files, else fetched once into a limited cache.

ffmpeg never fetches anything itself.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mediaflow.domain.errors import NotFound, TaskFailed
from mediaflow.plugin import HasLocalFiles, Storage
from mediaflow.sandbox.ownership import let_read


@dataclass(frozen=True, slots=True)
class Sources:
    """`directory` holds the cache, of at most `limit_bytes` beside what is in use."""

    storage: Storage
    directory: Path
    limit_bytes: int

    @contextmanager
    def opened(self, key: str) -> Iterator[Path]:
        """The original as a local file, to be read only, for the length of the `with` block."""
        if isinstance(self.storage, HasLocalFiles):
            yield _readable(self.storage.local_path(key))
            return
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.directory / key.replace("/", "_")
        with path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                self._fetch(key, path)
            os.utime(path)
            fcntl.flock(lock, fcntl.LOCK_SH)  # shared while in use: the sweep takes exclusive locks only
            self._sweep(path)
            yield _readable(path)

    def _fetch(self, key: str, path: Path) -> None:
        info = self.storage.stat(key)
        if info is None:
            raise NotFound("The original is not in the storage any more.", code="storage.no_object")
        part = path.with_suffix(".part")
        try:
            with part.open("wb") as file:
                for block in self.storage.read(key):
                    file.write(block)
                written = file.tell()
            if written != info.size_bytes:
                raise TaskFailed(
                    f"{written} of {info.size_bytes} bytes of the original arrived.", code="storage.short_read"
                )
            part.rename(path)
        finally:
            part.unlink(missing_ok=True)

    def _sweep(self, keep: Path) -> None:
        """Remove the least recently used originals over the limit that nobody uses."""
        files = [file for file in self.directory.iterdir() if file.suffix not in (".lock", ".part") and file != keep]
        used = sum(file.stat().st_size for file in files)
        for file in sorted(files, key=lambda file: file.stat().st_mtime):
            if used <= self.limit_bytes:
                return
            with file.with_suffix(".lock").open("w") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                used -= file.stat().st_size
                file.unlink(missing_ok=True)


def _readable(path: Path) -> Path:
    """The file, which a sandbox's user can read: where root works that is not the one who wrote it."""
    if os.geteuid() == 0:
        let_read(path)
    return path
