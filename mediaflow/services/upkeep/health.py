"""How the service is, for admins: what it depends on, disk and memory, the work that waits."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from mediaflow.plugin import MeasuresRoom, Room, Storage
from mediaflow.services.pipeline.pausing import Pausing
from mediaflow.services.ports import Between, Database
from mediaflow.settings import Settings

State = Literal["ok", "warning", "critical"]
STATES: Final[tuple[State, ...]] = ("ok", "warning", "critical")
SLOW_SECONDS: Final = 1.0
"""A dependency that takes longer to answer is worth a look."""


@dataclass(frozen=True, slots=True)
class Disk:
    """Room of a file system; `kind` is what lies there: `data` or `objects`."""

    kind: str
    free_bytes: int
    total_bytes: int
    state: State


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of this process and of its machine; None where the system does not tell."""

    process_bytes: int | None
    available_bytes: int | None
    total_bytes: int | None


@dataclass(frozen=True, slots=True)
class Work:
    """Workers that are there, idle ones too, the tasks that they hold, and those that could begin and wait."""

    workers: int
    running_tasks: int
    pending_tasks: int
    oldest_pending_seconds: float | None
    paused: bool


@dataclass(frozen=True, slots=True)
class Linked:
    """Originals that were linked, and those of them that are not there any more as they were."""

    linked: int
    gone: int
    state: State


def worst(states: Iterable[State]) -> State:
    """The worst of several states; `ok` of none."""
    return max(states, key=STATES.index, default="ok")


def disks(settings: Settings, storage: Storage) -> list[Disk]:
    """The data directory's file system, and the one of objects that are files of this host."""
    found = [_disk("data", _room(settings.data_path), settings)]
    if isinstance(storage, MeasuresRoom):
        found.append(_disk("objects", storage.room(), settings))
    return found


def memory(proc: Path = Path("/proc")) -> Memory:
    """From Linux' process file system (proc(5)), where sizes are in KiB."""
    status, machine = _sizes(proc / "self" / "status"), _sizes(proc / "meminfo")
    return Memory(status.get("VmRSS"), machine.get("MemAvailable"), machine.get("MemTotal"))


def work(database: Database, alive: Collection[str] = ()) -> Work:
    """What is done and what waits. `alive` are workers that said so; who holds a task by a lease that runs, is too."""
    now = database.now()
    running = database.tasks.find({"state": "running", "lease_until": Between(least=now)})
    waiting = {"state": "pending", "ready": True}
    oldest = database.tasks.find(waiting, sort=("created_at", "id"), limit=1)
    return Work(
        workers=len({*alive, *(task.worker for task in running)}),
        running_tasks=len(running),
        pending_tasks=database.tasks.count(waiting),
        oldest_pending_seconds=max(0.0, now - oldest[0].created_at) if oldest else None,
        paused=Pausing(database).is_paused(),
    )


def linked_originals(database: Database) -> Linked:
    """How many there are. That some are gone is worth a look: what is made of them plays on."""
    where = {"linked": True, "state": "taken"}
    gone = database.source_files.count({**where, "gone_at": Between()})
    return Linked(database.source_files.count(where), gone, "warning" if gone else "ok")


def _room(directory: Path) -> Room:
    usage = shutil.disk_usage(directory)
    return Room(usage.free, usage.total)


def _disk(kind: str, room: Room, settings: Settings) -> Disk:
    state: State = "ok"
    if room.free_bytes < settings.disk_critical_bytes:
        state = "critical"
    elif room.free_bytes < settings.disk_warning_bytes:
        state = "warning"
    return Disk(kind, room.free_bytes, room.total_bytes, state)


def _sizes(file: Path) -> dict[str, int]:
    """`Name:   123 kB` of each line, in bytes."""
    try:
        lines = file.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return {}
    fields = (line.split() for line in lines)
    return {
        name.rstrip(":"): int(value) * 1024
        for name, value, *unit in (f for f in fields if len(f) == 3)
        if unit == ["kB"]
    }
