"""Libraries of small files: a folder with `--link`, and a prefix of an S3 server; a kill in the middle of each.

`BENCH_FILES` says how many (2000). The queue is paused: what is measured is the taking. Printed are the seconds of the
first look (with a worker killed at a third) and of the second one, and the memory of a worker without pages of files.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from minio import Minio

from mediaflow.testing.clips import make_clip
from tests.contracts.s3server import ACCESS_KEY, SECRET_KEY, running_s3_server
from tests.integration.service import Service, running_service
from tests.integration.test_up import find

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
FILES = int(os.environ.get("BENCH_FILES", "2000"))
GROWTH_KIB = 40 * 1024
"""The database keeps at most 16 MiB of its pages for each connection (`persistence/sqlite/connections.py`)."""


def names() -> Iterator[tuple[str, bytes]]:
    """Where a file lies, and what makes it another than the others: an empty box of its own."""
    for number in range(FILES):
        yield f"{number // 500:03d}/clip {number:05d}.mp4", (16).to_bytes(4) + b"free" + number.to_bytes(8)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", seconds=1).read_bytes()


def memory(service: Service) -> int:
    """KiB of its own that the worker with the most has."""
    found = []
    for worker in find(service, "mediaflow", "worker"):
        status = Path(f"/proc/{worker}/status").read_text(encoding="ascii")
        found.append(next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon")))
    return max(found, default=0)


def looked(service: Service, place: str, *, kill: bool, **options: Any) -> tuple[dict[str, Any], float, int]:
    """The import when it has ended, how long that took, and the most memory meanwhile."""
    began, top = time.monotonic(), 0
    body = {"folder": place, "recursive": True, **options}
    asked = service.call("POST", "/imports", json=body).json()
    while asked["state"] in ("waiting", "running"):
        time.sleep(0.25)
        asked = service.call("GET", f"/imports/{asked['id']}").json()
        top = max(top, memory(service))
        if kill and asked["counts"]["taken"] > FILES // 3:
            kill = False
            for worker in find(service, "mediaflow", "worker"):
                os.kill(worker, signal.SIGKILL)
    assert not kill, "it was through before anybody was killed"
    return asked, time.monotonic() - began, top


def measured(service: Service, place: str, **options: Any) -> None:
    service.call("POST", "/queue/pause", json={"reason": "measuring"})
    before = memory(service)
    first, seconds, top = looked(service, place, kill=True, **options)
    assert (first["state"], first["counts"]["taken"], first["counts"]["failed"]) == ("done", FILES, 0)
    second, again, _ = looked(service, place, kill=False, **options)
    assert (second["state"], second["counts"]["unchanged"], second["counts"]["taken"]) == ("done", FILES, 0)
    assert service.call("GET", "/assets?page_size=1").json()["total"] == FILES
    checked = [sys.executable, "-m", "mediaflow", "fsck", "--data-dir", str(service.data_dir)]
    assert subprocess.run(checked, check=False, timeout=600).returncode == 0
    print(
        f"\n{place.partition(':')[0][:20]} {options}: {FILES} files in {seconds:.1f} s with a killed worker"
        f" ({1000 * seconds / FILES:.2f} ms each); nothing to do in {again:.1f} s;"
        f" memory {before // 1024} -> {top // 1024} MiB"
    )
    assert top - before < GROWTH_KIB
    assert again < 0.5 * seconds


def test_a_folder_is_linked(tmp_path: Path, film: bytes) -> None:
    for name, tail in names():
        path = tmp_path / "library" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(film + tail)
    with running_service(tmp_path / "data") as service:
        measured(service, str(tmp_path / "library"), link=True)


@pytest.mark.parametrize("link", [True, False], ids=["linked", "copied"])
def test_a_prefix_is_imported(tmp_path: Path, film: bytes, *, link: bool) -> None:
    (s3 := tmp_path / "s3").mkdir()
    with running_s3_server(s3) as server:
        client = Minio(server.endpoint, access_key=ACCESS_KEY, secret_key=SECRET_KEY, secure=False)
        client.make_bucket("library")
        (tmp_path / "files").mkdir()

        def put(named: tuple[str, bytes]) -> None:
            from io import BytesIO

            data = film + named[1]
            client.put_object("library", f"films/{named[0]}", BytesIO(data), len(data))

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(put, names()))
        place = f"s3:http://{server.endpoint}/library?prefix=films"
        keys = {"MEDIAFLOW_S3_ACCESS_KEY": ACCESS_KEY, "MEDIAFLOW_S3_SECRET_KEY": SECRET_KEY}
        with running_service(tmp_path / "data", **keys) as service:
            measured(service, place, link=link)
