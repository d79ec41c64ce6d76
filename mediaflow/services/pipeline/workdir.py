"""Directories of running tasks."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from mediaflow.domain.ids import new_id
from mediaflow.sandbox.ownership import remove_tree


@dataclass(slots=True)
class WorkDirectory:
    """The directory of a process, for its running tasks; made at first use.

    Each process holds a lock on its own while it lives, so that those of dead ones are known and removed along the way.
    """

    root: Path
    _held: int | None = None
    _path: Path | None = None

    @property
    def path(self) -> Path:
        if self._path is None:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._remove_dead()
            self._path = self.root / f"{os.getpid()}-{new_id()[:8]}"
            self._path.mkdir(mode=0o700)
            self._held = os.open(self._path, os.O_RDONLY)
            fcntl.flock(self._held, fcntl.LOCK_EX)
        return self._path

    def close(self) -> None:
        if self._path is not None and self._held is not None:
            remove_tree(self._path)
            os.close(self._held)
            self._path = self._held = None

    def _remove_dead(self) -> None:
        for directory in self.root.iterdir():
            try:
                handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
            except OSError:
                continue  # removed by a sibling just now
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove_tree(directory)
            except BlockingIOError:
                pass  # its process lives
            finally:
                os.close(handle)
