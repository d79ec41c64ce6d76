"""A library of as many assets as wanted, its documents in SQLite, its ten objects an asset made up as they are listed.

    python -m tests.benchmarks.integrity DIRECTORY ASSETS fsck|gc

prints one JSON line: seconds, the most memory at a time, what was looked at and found.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

from mediaflow.domain import keys
from mediaflow.domain.errors import NotFound
from mediaflow.domain.ids import job_id, task_id
from mediaflow.domain.publication import ARTIFACTS, FileType, Output, Publication, described
from mediaflow.domain.records import Asset, Blob, Job, Task, Upload
from mediaflow.persistence.fields import JSON, fields_of
from mediaflow.persistence.sqlite.sql import dumped, listed
from mediaflow.plugin import ObjectInfo
from mediaflow.services.integrity.collector import Collector
from mediaflow.services.integrity.fsck import Fsck, examiners_of
from mediaflow.services.originals.places import OriginalFiles
from mediaflow.services.uploads.blobs import blob_id
from tests.services.world import make_world

SHA: Final = "a" * 64
SEGMENTS: Final = 6
NAMES: Final = ("probe", "validate", "plan", "video-0", "package", "publish")
STRAY_EVERY: Final = 100
"""One asset in so many has files of a lost attempt beside its own."""


def asset_id(number: int) -> str:
    return f"{number:032x}"


def sha_of(number: int) -> str:
    return f"{number:064x}"


@dataclass
class MadeUp:
    """A storage of objects that are nowhere: ten of each asset, each of one byte, an hour old and more."""

    assets: int

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        if prefix.startswith("assets/") and len(prefix) > len("assets/"):
            number = int(prefix.split("/")[1], 16)
            yield from (info for info in self._of(number) if info.key.startswith(prefix))
        elif prefix == "assets/":
            for number in range(self.assets):
                yield from self._of(number)
        elif prefix == "originals/":
            for number in range(self.assets):
                yield ObjectInfo(keys.shared_original_key("ann", sha_of(number), asset_id(number)), 1, 1.0)

    def _of(self, number: int) -> Iterator[ObjectInfo]:
        paths = [f"g1/package.1/{name}" for name in (ARTIFACTS, "master.m3u8")]
        paths += [f"g1/video-0.1/{name}" for name in (*(f"{n}.m4s" for n in range(SEGMENTS)), ARTIFACTS)]
        paths += ["g1/video-0.2/0.m4s"] * (number % STRAY_EVERY == 0)
        prefix = keys.asset_prefix(asset_id(number))
        yield from (ObjectInfo(prefix + path, 1, 1.0) for path in paths)

    def stat(self, key: str) -> ObjectInfo | None:
        return ObjectInfo(key, 1, 1.0)

    def read(self, key: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        if not key.endswith(ARTIFACTS):
            raise NotFound("nothing")
        names = ["master.m3u8"] if "package" in key else [f"{n}.m4s" for n in range(SEGMENTS)]
        yield json.dumps([{"path": name, "size_bytes": 1} for name in names]).encode()

    def put(self, key: str, blocks: Iterable[bytes], *, size_bytes: int, content_type: str) -> ObjectInfo:
        raise AssertionError("nothing is written")

    def delete(self, key: str) -> None:
        """What is deleted is listed again: nothing is kept."""


def documents(number: int) -> Iterator[tuple[str, Any]]:
    """One asset with all that belongs to it: ten documents."""
    one, sha, now = asset_id(number), sha_of(number), 1_700_000_000.0
    key = keys.shared_original_key("ann", sha, one)
    at: dict[str, Any] = {"created_at": now, "updated_at": now}
    manifest = Output("hls", "manifest", "g1/package.1/master.m3u8", "application/vnd.apple.mpegurl", 1)
    files = (
        described("g1/package.1/", {"master.m3u8": FileType("manifest", manifest.content_type)}),
        described("g1/video-0.1/", {f"{n}.m4s": FileType("media", "video/mp4") for n in range(SEGMENTS)}),
    )
    publication = Publication(1, (manifest,), files, 9.0, ("g1/video-0.1",))
    job = job_id(one, 1)
    yield (
        "uploads",
        Upload(
            id=one, owner="ann", asset_id=one, filename="a.mp4", content_type=None, size_bytes=1, chunk_size_bytes=1024,
            chunk_count=1, declared_sha256=None, profile=None, dedup="link", auto_complete=True, state="queued",
            storage_key=keys.upload_key(one), parts_handle=one, expires_at=now, sha256=sha, **at,
        ),
    )  # fmt: skip
    yield (
        "assets",
        Asset(
            id=one, owner="ann", upload_id=one, filename="a.mp4", title="A clip", description="", visibility="private",
            state="ready", size_bytes=1, sha256=sha, original_key=key, generation=1, next_generation=1, job_id=job,
            playable=True, published=publication, search=["clip"], **at,
        ),
    )  # fmt: skip
    blob = blob_id("ann", sha)
    yield (
        "blobs",
        Blob(id=blob, owner="ann", sha256=sha, key=key, size_bytes=1, state="live", created_at=now, assets=[one]),
    )
    usual: dict[str, Any] = {"asset_id": one, "owner": "ann", "generation": 1, "state": "done", **at}
    yield "jobs", Job(id=job, profile="web-h264", finished_at=now, **usual)
    for name in NAMES:
        yield (
            "tasks",
            Task(id=task_id(job, name), job_id=job, name=name, stage="step", attempt=1, started_at=now, **usual),
        )


def fill(directory: Path, assets: int) -> None:
    """Many in a transaction: each on its own would be flushed to the disk."""
    world = make_world(directory)
    world.runtime.database.ping()
    world.runtime.close()
    with closing(sqlite3.connect(directory / "mediaflow.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        numbers = iter(range(assets))
        while some := list(islice(numbers, 5_000)):
            rows: dict[str, list[tuple[Any, ...]]] = {}
            for table, record in (each for number in some for each in documents(number)):
                rows.setdefault(table, []).append(_row(table, record))
            connection.execute("BEGIN")
            for table, found in rows.items():
                columns = listed(_FIELDS[table])
                marks = ", ".join("?" for _ in found[0])
                connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", found)
            connection.execute("COMMIT")


_KINDS: Final[dict[str, type[Any]]] = {"uploads": Upload, "assets": Asset, "blobs": Blob, "jobs": Job, "tasks": Task}
_FIELDS: Final = {table: fields_of(kind) for table, kind in _KINDS.items()}


def _row(table: str, record: Any) -> tuple[Any, ...]:
    values = [(field, field.checked(getattr(record, name))) for name, field in _FIELDS[table].items()]
    return tuple(dumped(v) if field.kind in JSON and v is not None else v for field, v in values)


def _watch(peak: dict[str, int]) -> None:
    """SQLite maps its file: what is resident of that is the system's to take back, and no memory of ours."""
    while True:
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        for name, field in (("anonymous_bytes", "RssAnon"), ("resident_bytes", "VmHWM")):
            peak[name] = max(peak[name], int(status[field].split()[0]) * 1024)
        time.sleep(0.05)


def run(directory: Path, assets: int, what: str) -> dict[str, Any]:
    """One check, or one pass."""
    runtime, storage = make_world(directory).runtime, MadeUp(assets)
    found, began, peak = 0, time.monotonic(), {"anonymous_bytes": 0, "resident_bytes": 0}
    threading.Thread(target=_watch, args=(peak,), daemon=True).start()
    if what == "fsck":
        ingest = replace(runtime.ingest, storage=storage)
        examiners = examiners_of(runtime.database, OriginalFiles(runtime.database, storage), ingest, runtime.jobs)
        check = Fsck(runtime.database, storage, examiners, 0.0)
        found = sum(1 for _ in check.findings())
        looked_at: dict[str, int] = dict(check.looked_at)
    else:
        done = [0]
        for place in Collector(runtime.database, storage, 3600).passing():
            done[0] += place is not None
        found, looked_at = done[0], {}
    seconds = time.monotonic() - began
    runtime.close()
    return {"what": what, "assets": assets, "seconds": seconds, "found": found, "looked_at": looked_at, **peak}


if __name__ == "__main__":
    place, count = Path(sys.argv[1]), int(sys.argv[2])
    if sys.argv[3] == "fill":
        fill(place, count)
    else:
        sys.stdout.write(json.dumps(run(place, count, sys.argv[3])) + "\n")
