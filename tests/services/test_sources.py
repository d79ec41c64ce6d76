"""Originals from a storage elsewhere: no more of them is fetched than is needed, once, and nothing else is believed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mediaflow.domain.errors import NotFound, TaskFailed
from mediaflow.media.extents import Extents
from mediaflow.observability.metrics import PrometheusMetrics
from mediaflow.persistence.sqlite.database import SqliteDatabase
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow.services.originals.places import OriginalFiles
from mediaflow.services.pipeline.sources import Sources
from mediaflow.services.pipeline.sparse import AT_ONCE_BYTES, BLOCK_BYTES, SparseCopy
from mediaflow.testing.clips import run_ffmpeg
from mediaflow_local.storage import LocalStorage
from tests.services.remote import Remote, stored

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Noise of some megabytes as an MP4, which has an index, and its opening is far from all of it."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    picture = ("-f", "lavfi", "-i", "testsrc2=size=64x64:rate=5:duration=90,noise=alls=100:allf=t")
    run_ffmpeg([*picture, "-c:v", "mpeg4", "-q:v", "2", "-g", "5", "-movflags", "+faststart", str(path)])
    data = path.read_bytes()
    # what no track has: so the opening is small beside it
    return data + (32 * BLOCK_BYTES).to_bytes(4) + b"free" + bytes(32 * BLOCK_BYTES - 8)


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote(LocalStorage(tmp_path / "storage"))


def sources_of(remote: Remote, directory: Path, limit: int = 1 << 40) -> Sources:
    files = OriginalFiles(SqliteDatabase(directory.parent / "sources.sqlite3"), remote)
    return Sources(files, directory, limit, PrometheusMetrics(), SandboxedRunner("bwrap"), least_bytes=0)


def counted(sources: Sources) -> float:
    """The bytes that its metrics tell of."""
    registry = sources.metrics.registry  # type: ignore[attr-defined]
    return float(registry.get_sample_value("mediaflow_source_fetched_bytes_total"))


def taken(directory: Path) -> int:
    """What the copies take of the disk."""
    return sum(file.stat().st_blocks * 512 for file in directory.glob("*.copy"))


def opening(extents: Extents) -> list[range]:
    return list(extents.always)


def test_what_is_wanted_is_fetched_once_and_the_rest_when_it_is_needed(
    remote: Remote, film: bytes, tmp_path: Path
) -> None:
    asset, sources = stored(remote, "film", film), sources_of(remote, tmp_path / "cache")
    with sources.opened(asset, opening) as source:
        assert source.partial
        assert source.path.stat().st_size == len(film)
        assert source.path.read_bytes()[:MIB] == film[:MIB]
        first = remote.read_bytes
        assert first < len(film) / 2
    assert counted(sources) == first
    with (again := sources_of(remote, tmp_path / "cache")).opened(asset, opening) as source:
        assert remote.read_bytes == first, "fetched again"
        source.complete()
        assert not source.partial
        assert source.path.read_bytes() == film
        assert remote.read_bytes == len(film)
    assert counted(again) == len(film) - first
    with sources.opened(asset, opening) as source:
        assert not source.partial, "all of it is there"
    with sources_of(remote, tmp_path / "other").opened(asset) as source:
        assert source.path.read_bytes() == film


@pytest.mark.parametrize("data", [b"\x1aE\xdf\xa3" + bytes(MIB), b"\0\0\0\x18ftypisom" + bytes(MIB), b"short", b""])
def test_what_has_no_index_that_one_can_rely_on_is_fetched_whole(remote: Remote, tmp_path: Path, data: bytes) -> None:
    asset = stored(remote, "other", data)
    with sources_of(remote, tmp_path / "cache").opened(asset, opening) as source:
        assert not source.partial
        assert source.path.read_bytes() == data


def test_a_short_file_is_fetched_whole(remote: Remote, film: bytes, tmp_path: Path) -> None:
    asset = stored(remote, "film", film)
    with replace(sources_of(remote, tmp_path), least_bytes=len(film) + 1).opened(asset, opening) as source:
        assert source.path.read_bytes() == film


def test_an_original_that_is_gone_is_told(remote: Remote, tmp_path: Path) -> None:
    asset = stored(remote, "film", b"x")
    remote.delete("uploads/film")
    with pytest.raises(NotFound), sources_of(remote, tmp_path / "cache").opened(asset):
        pass
    assert list((tmp_path / "cache").iterdir()) == []


def test_what_was_not_fetched_to_its_end_does_not_count(remote: Remote, film: bytes, tmp_path: Path) -> None:
    asset, sources = stored(remote, "film", film), sources_of(remote, tmp_path / "cache")
    for broken in (0, BLOCK_BYTES, 2 * MIB):
        remote.breaks_after = broken
        with pytest.raises(ConnectionResetError), sources.opened(asset):
            pass
    with sources.opened(asset) as source:
        assert source.path.read_bytes() == film


def test_an_object_that_is_shorter_than_it_was_is_no_original(remote: Remote, film: bytes, tmp_path: Path) -> None:
    asset, sources = stored(remote, "film", film), sources_of(remote, tmp_path / "cache")
    with sources.opened(asset, opening):
        pass
    stored(remote, "film", film[:-MIB])
    with pytest.raises(TaskFailed) as caught, sources.opened(asset):
        pass
    assert caught.value.code == "storage.short_read"


KILLED = """
import sys, time
from pathlib import Path
from mediaflow.services.pipeline.sparse import SparseCopy
from mediaflow_local.storage import LocalStorage

class Slow(LocalStorage):
    def read(self, key, *, offset=0, length=None):
        for block in super().read(key, offset=offset, length=length):
            yield block
            print("read", flush=True)
            time.sleep(60)

place = Path(sys.argv[1])
with SparseCopy.opened(Slow(place / "storage"), "uploads/film", place / "a.copy", place / "a.record", 4 << 20) as copy:
    copy.ensure([range(1 << 20)])
    print("never")
"""


def test_who_is_killed_while_it_fetches_leaves_nothing_that_is_not_there(remote: Remote, tmp_path: Path) -> None:
    data = random.Random(1).randbytes(4 * MIB)
    stored(remote, "film", data)
    argv = [sys.executable, "-c", KILLED, str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "read\n"
        with _copy(remote, tmp_path, len(data)) as copy:
            copy.ensure([range(2 * MIB, 3 * MIB)])  # which nobody else fetches
            process.send_signal(signal.SIGKILL)
            process.wait()
            copy.ensure([range(10)])
            assert copy.read(0, MIB) == data[:MIB]
            assert not copy.is_whole
            copy.ensure_all()
            assert copy.is_whole
    assert (tmp_path / "a.copy").read_bytes() == data


def _copy(remote: Remote, place: Path, size: int) -> Any:
    return SparseCopy.opened(remote, "uploads/film", place / "a.copy", place / "a.record", size)


def test_several_who_need_the_same_fetch_it_once(remote: Remote, tmp_path: Path) -> None:
    data = random.Random(2).randbytes(8 * MIB + 5)
    stored(remote, "film", data)
    places = [range(n * MIB, min(len(data), (n + 4) * MIB)) for n in range(6)] * 2
    barrier, wrong = threading.Barrier(len(places)), []

    def fetch(place: range) -> None:
        with _copy(remote, tmp_path, len(data)) as copy:
            barrier.wait()
            copy.ensure([place])
            if copy.read(place.start, len(place)) != data[place.start : place.stop]:
                wrong.append(place)

    (tmp_path / "a.copy").touch()
    os.truncate(tmp_path / "a.copy", len(data))
    threads = [threading.Thread(target=fetch, args=(place,)) for place in places]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert remote.read_bytes == len(data)


def test_a_long_fetch_is_divided_so_that_others_wait_for_what_they_need(remote: Remote, tmp_path: Path) -> None:
    size = AT_ONCE_BYTES + 3 * BLOCK_BYTES
    remote.inner.put("uploads/film", [bytes(size)], size_bytes=size, content_type="video/mp4")
    remote.breaks_after = AT_ONCE_BYTES  # of one answer: none is so long
    with _copy(remote, tmp_path, size) as copy:
        copy.ensure_all()
        assert copy.fetched_bytes == size


def test_a_record_without_its_copy_is_not_believed(remote: Remote, film: bytes, tmp_path: Path) -> None:
    asset, sources = stored(remote, "film", film), sources_of(remote, tmp_path)
    with sources.opened(asset) as source:
        path = source.path
    path.unlink()
    with sources.opened(asset) as source:
        assert source.path.read_bytes() == film


def test_who_uses_an_original_keeps_nobody_from_it(remote: Remote, film: bytes, tmp_path: Path) -> None:
    """Seen: two workers of a machine waited for each other, from the first byte of a part to its end."""
    asset = stored(remote, "film", film)
    done = threading.Event()

    def use() -> None:
        with sources_of(remote, tmp_path / "cache").opened(asset):
            done.set()

    with sources_of(remote, tmp_path / "cache").opened(asset, opening):
        threading.Thread(target=use, daemon=True).start()
        assert done.wait(20)


def test_the_limit_counts_what_is_there_and_spares_what_is_used(remote: Remote, film: bytes, tmp_path: Path) -> None:
    assets = [stored(remote, f"film{n}", film) for n in range(4)]
    cache = tmp_path / "cache"
    with sources_of(remote, cache).opened(assets[0], opening):
        part = taken(cache)
    assert part < len(film) / 2
    room = sources_of(remote, cache, limit=3 * part + MIB // 4)
    for n, asset in enumerate(assets):
        with room.opened(asset, opening):
            os.utime(cache / f"film{n}.copy", (n, n))
            assert taken(cache) <= room.limit_bytes
    assert sorted(file.name for file in cache.glob("*.copy")) == ["film1.copy", "film2.copy", "film3.copy"]
    with room.opened(assets[1], opening), room.opened(assets[2]) as whole:
        assert (cache / "film1.copy").exists(), "in use"
        assert not (cache / "film3.copy").exists()
        assert whole.path.read_bytes() == film
    assert list(cache.iterdir()) == [], "one alone takes more"


def test_a_part_that_has_outgrown_the_room_by_itself_begins_anew(remote: Remote, film: bytes, tmp_path: Path) -> None:
    asset, cache = stored(remote, "film", film), tmp_path / "cache"
    small = sources_of(remote, cache, limit=BLOCK_BYTES)
    with small.opened(asset, opening) as source:
        assert source.path.exists()
    assert taken(cache) == 0
    with small.opened(asset):  # nothing less will do: it would be fetched again each time
        pass
    assert taken(cache) >= len(film)


def test_what_an_older_version_left_goes_like_the_rest(remote: Remote, film: bytes, tmp_path: Path) -> None:
    (tmp_path / "uploads_old").write_bytes(bytes(MIB))
    os.utime(tmp_path / "uploads_old", (1, 1))
    with sources_of(remote, tmp_path, limit=len(film) + MIB // 2).opened(stored(remote, "film", film)):
        assert not (tmp_path / "uploads_old").exists()
