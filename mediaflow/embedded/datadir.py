"""The data directory of `mediaflow up`: made private, held by one process, and the place to find a running one."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mediaflow.plugin import ConfigurationError

PRIVATE_DIRECTORY, PRIVATE_FILE = 0o700, 0o600


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """A data directory. `run` holds what belongs to one start only: configuration of children, sockets, metrics."""

    path: Path

    @property
    def run(self) -> Path:
        return self.path / "run"

    @property
    def metrics(self) -> Path:
        """The files of prometheus_client's multi-process mode."""
        return self.run / "metrics"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make the directory and hold it alone until the block ends (or this process dies, however that happens).

        Raises ConfigurationError when another process holds it, or when it can't be written.
        """
        lock = self._open_lock()
        try:
            _lock(lock, self)
            self._prepare_run()
            try:
                yield
            finally:
                self._announcement.unlink(missing_ok=True)
        finally:
            os.close(lock)

    def announce(self, facts: dict[str, Any]) -> None:
        """Leave a note for other commands of this user about the running service."""
        write_private(self._announcement, json.dumps(facts))

    def running(self) -> dict[str, Any] | None:
        """The note of the service that runs on this directory now, or None. A note of a dead one does not count."""
        try:
            lock = os.open(self._lock_file, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return self._note()
        finally:
            os.close(lock)
        return None

    @property
    def _lock_file(self) -> Path:
        return self.path / "lock"

    @property
    def _announcement(self) -> Path:
        return self.run / "up.json"

    def _note(self) -> dict[str, Any] | None:
        try:
            note = json.loads(self._announcement.read_text())
        except (OSError, ValueError):
            return None  # it is starting, or another user's
        return note if isinstance(note, dict) else None

    def _open_lock(self) -> int:
        try:
            if not self.path.exists():
                self.path.mkdir(mode=PRIVATE_DIRECTORY, parents=True)
            return os.open(self._lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
        except OSError as error:
            raise ConfigurationError(
                f"the data directory {self.path} can't be used ({error.strerror}); name another one with --data-dir"
            ) from error

    def _prepare_run(self) -> None:
        # the counters of an earlier start would be added to this one's
        shutil.rmtree(self.run, ignore_errors=True)
        self.run.mkdir(mode=PRIVATE_DIRECTORY)
        self.metrics.mkdir(mode=PRIVATE_DIRECTORY)


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read, whole or not at all."""
    temporary = path.with_name(path.name + ".new")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE), "w") as file:
        file.write(text)
    temporary.replace(path)


def _lock(lock: int, directory: DataDirectory) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        note = directory.running() or {}
        who = f" (process {note['pid']}, {note['url']})" if note else ""
        raise ConfigurationError(
            f"another `mediaflow up`{who} runs on the data directory {directory.path}; "
            "stop it, or give this one a directory of its own with --data-dir"
        ) from error
