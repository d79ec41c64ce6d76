"""Where things are: the effective URLs, directories and load units of a process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from mediaflow.services.pipeline.gate import LoadGate
from mediaflow.settings import Settings

BOOKKEEPING_THREADS: Final = 2


def database_url(settings: Settings) -> str:
    """The effective database URL: a SQLite file in the data directory by default."""
    return settings.database_url or f"sqlite:{settings.data_path / 'mediaflow.db'}"


def storage_url(settings: Settings) -> str:
    """The effective storage URL: a directory in the data directory by default."""
    return settings.storage_url or f"local:{settings.data_path / 'objects'}"


def work_root(settings: Settings) -> Path:
    """Where running tasks have their directories."""
    return Path(settings.work_dir).absolute() if settings.work_dir else settings.data_path / "work"


def machine_cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0))


def worker_units(settings: Settings) -> int:
    """Load units of one worker process: this machine's cores, shared between the processes."""
    return settings.worker_load or max(1, machine_cores() // max(1, settings.worker_processes))


def worker_threads(settings: Settings) -> int:
    """How many tasks a worker process holds at once: a thread for each that `LoadGate` lets pass, and the others for
    bookkeeping, which never waits behind encodes.
    """
    return settings.worker_threads or LoadGate(worker_units(settings)).most + BOOKKEEPING_THREADS
