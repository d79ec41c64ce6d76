"""Whatever a service depends on is cut off, silent, slow or full: it says so soon, and goes on when that is over."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos.campaign import make_short_clip
from tests.chaos.customers import Customers
from tests.chaos.outages import BOUND_SECONDS, CHUNK_SECONDS, LIVE_SECONDS, Asker, files_of, segment_of, threads_of
from tests.chaos.proxy import Mode, Proxy, running_proxy
from tests.chaos.shapes import Shape, running_shape

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

SLOW_SECONDS = 60.0
"""A request asks several questions, each of which comes two seconds late."""
BACK_SECONDS = 15.0
READY_SECONDS = 120.0
NEEDED = {
    "mongo": ("list", "asset", "announce", "announce, keyed", "chunk", "edit", "playback", "segment", "jobs"),
    "s3": ("announce", "announce, keyed", "segment"),
    "redis": (),
}
"""What can't be answered without."""
ALWAYS = ("livez", "page", "profiles")


@dataclass
class Bench:
    """A service behind proxies, a customer, and how many threads and files there were at first."""

    shape: Shape
    proxies: dict[str, Proxy]
    customers: Customers
    asker: Asker
    threads: dict[int, int]
    files: dict[int, int]

    def one_more_is_ready(self) -> None:
        """Somebody uploads a file, and it is processed."""
        before = len(self.customers.sent)
        self.customers.go_on()
        deadline = time.monotonic() + READY_SECONDS
        while len(self.customers.sent) == before or self.customers.waiting():
            if len(self.customers.sent) > before:
                self.customers.halt()
            assert time.monotonic() < deadline, self.customers.waiting()
            time.sleep(0.1)
        assert {sent.state for sent in self.customers.sent.values()} == {"ready"}
        assert not self.customers.faults


def traces(log: Path) -> list[str]:
    """What was logged as a fault of ours, with a trace; Dramatiq's consumer tells each lost connection so."""
    lines = log.read_text(errors="replace").splitlines()
    return [line[-3000:] for line in lines if "Traceback" in line and '"logger": "dramatiq.' not in line]


@contextmanager
def _customers(shape: Shape, clip: Path, chunk_bytes: int) -> Iterator[Customers]:
    customers = Customers(shape.url, shape.token, clip, 1, chunk_bytes, backlog=1, deletes=0.0)
    customers.halt()
    customers.start(1)
    try:
        yield customers
    finally:
        customers.end()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    directory = tmp_path_factory.mktemp("away")
    clip = make_short_clip(directory / "clip.mp4")
    proxies: dict[str, Proxy] = {}
    with ExitStack() as stack:

        def through(name: str, address: str) -> str:
            proxies[name] = stack.enter_context(running_proxy(address))
            return proxies[name].address

        environ = {"MEDIAFLOW_WEB_PROCESSES": "1", "MEDIAFLOW_WEB_THREADS": "20", "MEDIAFLOW_WORKER_LOAD": "2"}
        shape = stack.enter_context(
            running_shape("production", directory / "service", workers=1, environ=environ, through=through)
        )
        customers = stack.enter_context(_customers(shape, clip, 5 * 1024**2))
        bench = Bench(shape, proxies, customers, Asker(shape, "", ""), {}, {})
        bench.one_more_is_ready()
        (sent,) = customers.sent.values()
        bench.asker = Asker(shape, segment_of(shape, sent.asset_id), sent.asset_id)
        bench.asker.ask(4)  # every thread is there
        bench.threads, bench.files = threads_of(shape), files_of(shape)
        yield bench
        for unit in shape.units:
            assert not traces(unit.log)


@pytest.mark.parametrize("mode", ["cut", "hang", "reset", "slow"])
@pytest.mark.parametrize("away", ["mongo", "redis", "s3", "mongo s3", "mongo redis", "redis s3"])
def test_what_is_away_is_told_soon_and_work_goes_on_when_it_is_back(bench: Bench, away: str, mode: Mode) -> None:
    names = away.split()
    bench.asker.announce()
    for name in names:
        bench.proxies[name].become(mode)
    try:
        rounds = [bench.asker.ask(), bench.asker.ask()]
    finally:
        for name in names:
            bench.proxies[name].become("ok")
        bench.shape.wait_ready(BACK_SECONDS)
    bound = SLOW_SECONDS if mode == "slow" else BOUND_SECONDS
    told = [each for every in rounds for each in every]
    assert not [each.fault for each in told if each.fault]
    assert not [each for each in told if each.seconds > (CHUNK_SECONDS if each.name == "chunk" else bound)]
    assert not [each for each in told if each.name == "livez" and each.seconds > LIVE_SECONDS]
    assert not [each for each in told if each.name in ALWAYS and each.status != 200]
    without = {each for name in names for each in NEEDED[name]}
    if mode != "slow":
        assert not [each for each in told if each.name in without and each.status != 503]
    assert not [each for each in told if each.name not in (*without, "readyz", "chunk") and each.status >= 500]
    bench.one_more_is_ready()
    assert bench.threads.keys() == threads_of(bench.shape).keys()  # nobody had to be started again
    for now, before, most in (
        (threads_of(bench.shape), bench.threads, 4),
        (files_of(bench.shape), bench.files, 40),
    ):
        assert not {pid: (now[pid], before[pid]) for pid in now if now[pid] > before[pid] + most}


@contextmanager
def small_disk(path: Path, mebibytes: int) -> Iterator[Path]:
    path.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def fill(disk: Path) -> Path:
    """A file that takes all room that is left."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1024**2, 4096, 1):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue
    return filler


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting takes root")
@pytest.mark.parametrize("full", ["work", "objects", "work objects", "data"])
def test_a_full_disk_is_told_and_work_goes_on_when_there_is_room(tmp_path: Path, full: str) -> None:
    clip = make_short_clip(tmp_path / "clip.mp4")
    with ExitStack() as stack:
        disks = {name: stack.enter_context(small_disk(tmp_path / name, 64)) for name in ("data", "work", "objects")}
        environ = {
            "MEDIAFLOW_DATA_DIR": str(disks["data"] / "mediaflow"),
            "MEDIAFLOW_WORK_DIR": str(disks["work"]),
            "MEDIAFLOW_STORAGE_URL": f"local:{disks['objects']}/objects",
        }
        shape = stack.enter_context(running_shape("embedded", tmp_path / "service", workers=1, environ=environ))
        customers = stack.enter_context(_customers(shape, clip, 16 * 1024))
        bench = Bench(shape, {}, customers, Asker(shape, "", ""), {}, {})
        bench.one_more_is_ready()
        (sent,) = customers.sent.values()
        asker = Asker(shape, segment_of(shape, sent.asset_id), sent.asset_id)
        asker.announce()
        fillers = [fill(disks[name]) for name in full.split()]
        customers.go_on()
        told = [*asker.ask(), *asker.ask()]
        time.sleep(5)
        customers.halt()
        for filler in fillers:
            filler.unlink()
        assert not [each.fault for each in told if each.fault]
        assert not [each for each in told if each.seconds > BOUND_SECONDS]
        assert not [each for each in told if each.name in (*ALWAYS, "segment") and each.status != 200]
        shape.wait_ready(BACK_SECONDS)
        bench.one_more_is_ready()
        assert not traces(shape.units[0].log)
