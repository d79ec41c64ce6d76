"""Directories of running tasks."""

from __future__ import annotations

import fcntl
import os
import threading
from dataclasses import dataclass, field
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
    _making: threading.Lock = field(default_factory=threading.Lock)

    @property
    def path(self) -> Path:
        """For any thread that asks. One makes it: two that did would wait for each other's lock for ever."""
        with self._making:
            if self._path is None:
                self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
                self.remove_dead()
                self._path, self._held = self._made()
            return self._path

    def _made(self) -> tuple[Path, int]:
        """A new directory, and the handle that locks it. A sibling may take it for a dead one's before it is locked."""
        while True:
            path = self.root / f"{os.getpid()}-{new_id()[:8]}"
            path.mkdir(mode=0o700)
            try:
                held = os.open(path, os.O_RDONLY)
            except FileNotFoundError:
                continue
            fcntl.flock(held, fcntl.LOCK_EX)
            if path.exists():
                return path, held
            os.close(held)

    def close(self) -> None:
        """Remove it, with all that is in it."""
        if self._path is not None and self._held is not None:
            remove_tree(self._path)
            os.close(self._held)
            self._path = self._held = None

    def remove_dead(self, *, dry: bool = False) -> list[Path]:
        """Remove the directories of processes that died (with `dry`, none); which those were."""
        return [each for each in sorted(self.root.glob("*")) if self._is_dead(each, dry=dry)]

    def _is_dead(self, directory: Path, *, dry: bool) -> bool:
        try:
            handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            return False  # removed by a sibling just now
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not dry:
                remove_tree(directory)
        except BlockingIOError:
            return False  # its process lives
        finally:
            os.close(handle)
        return True
