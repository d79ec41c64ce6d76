"""What `local:` does with parts beyond the contract: several writers, stragglers, forged handles, crashes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from pathlib import Path

import pytest

from mediaflow.plugin import Busy, NotFound
from mediaflow.testing.bodies import MIB, blocks_of, content
from mediaflow_local.storage import LocalStorage
from tests.plugins.storages import KIND, files_below, put, read


@pytest.fixture
def storage(root: Path) -> LocalStorage:
    return LocalStorage(root)


@pytest.mark.parametrize(
    ("index", "offset", "length"), [(1, 0, 5), (0, 5, 5), (2, 10, 5), (3, 15, 5), (-1, -5, 5), (0, 0, 4), (0, 0, 11)]
)
def test_a_part_at_a_wrong_place_is_refused(storage: LocalStorage, index: int, offset: int, length: int) -> None:
    handle = storage.begin_parts("key", size_bytes=11, part_bytes=5, content_type=KIND)
    with pytest.raises(Exception, match="the object has 11 bytes in parts of 5"):
        storage.put_part("key", handle, index, [bytes(length)], offset=offset, length=length)


def test_a_handle_is_of_one_key_only(storage: LocalStorage) -> None:
    handle = storage.begin_parts("key", size_bytes=5, part_bytes=5, content_type=KIND)
    with pytest.raises(NotFound):
        storage.put_part("other", handle, 0, [b"12345"], offset=0, length=5)
    storage.abort_parts("other", handle)
    storage.put_part("key", handle, 0, [b"12345"], offset=0, length=5)
    with pytest.raises(NotFound):
        storage.complete_parts("other", handle, [""], size_bytes=5)
    assert storage.complete_parts("key", handle, [""], size_bytes=5).size_bytes == 5


@pytest.mark.parametrize("handle", ["../../key", "", "/etc/passwd", "0" * 16 + "-" + "0" * 32])
def test_a_forged_handle_reaches_nothing(storage: LocalStorage, handle: str) -> None:
    put(storage, "key", b"12345")
    with pytest.raises(NotFound):
        storage.put_part("key", handle, 0, [b"x"], offset=0, length=1)
    storage.abort_parts("key", handle)
    assert read(storage, "key") == b"12345"


def test_of_two_writers_of_one_part_the_later_wins_and_bytes_never_mix(storage: LocalStorage) -> None:
    size = 3 * MIB
    handle = storage.begin_parts("key", size_bytes=size, part_bytes=size, content_type=KIND)
    late = content(size, seed=2)

    def slow() -> Iterator[bytes]:
        """While it is between two blocks, another writer writes the whole part."""
        early = blocks_of(content(size, seed=1))
        yield next(early)
        yield next(early)
        storage.put_part("key", handle, 0, blocks_of(late), offset=0, length=size)
        yield next(early)

    with pytest.raises(Busy) as caught:
        storage.put_part("key", handle, 0, slow(), offset=0, length=size)
    assert caught.value.code == "storage.part_busy"
    storage.complete_parts("key", handle, [""], size_bytes=size)
    assert read(storage, "key") == late


def test_a_straggler_can_not_change_the_object_after_completion(storage: LocalStorage) -> None:
    size = 3 * MIB
    handle = storage.begin_parts("key", size_bytes=size, part_bytes=size, content_type=KIND)
    good = content(size, seed=2)

    def slow() -> Iterator[bytes]:
        early = blocks_of(content(size, seed=1))
        yield next(early)
        yield next(early)
        storage.put_part("key", handle, 0, blocks_of(good), offset=0, length=size)
        storage.complete_parts("key", handle, [""], size_bytes=size)
        yield next(early)

    with pytest.raises(NotFound):
        storage.put_part("key", handle, 0, slow(), offset=0, length=size)
    assert read(storage, "key") == good


def test_a_part_being_written_during_an_abort_is_not_taken_for_written(storage: LocalStorage) -> None:
    handle = storage.begin_parts("key", size_bytes=2 * MIB, part_bytes=2 * MIB, content_type=KIND)

    def aborted() -> Iterator[bytes]:
        yield bytes(MIB)
        storage.abort_parts("key", handle)
        yield bytes(MIB)

    with pytest.raises(NotFound):
        storage.put_part("key", handle, 0, aborted(), offset=0, length=2 * MIB)


def test_a_completion_that_was_cut_off_goes_on(storage: LocalStorage, root: Path) -> None:
    # given: a process that died between sealing the parts and naming the object
    data = content(MIB + 5)
    handle = storage.begin_parts("a/key", size_bytes=len(data), part_bytes=len(data), content_type=KIND)
    storage.put_part("a/key", handle, 0, blocks_of(data), offset=0, length=len(data))
    parts = root / ".mediaflow" / "parts"
    (parts / handle).rename(parts / f"{handle}.sealed")
    # when / then
    assert storage.complete_parts("a/key", handle, [""], size_bytes=len(data)).size_bytes == len(data)
    assert read(storage, "a/key") == data
    assert files_below(root) == ["a/key"]


def send_part(root: Path, handle: str, index: int, part_bytes: int) -> str:
    """Runs in a process of its own."""
    part = content(part_bytes, seed=index)
    storage = LocalStorage(root)
    return storage.put_part("key", handle, index, blocks_of(part), offset=index * part_bytes, length=part_bytes)


def test_several_processes_write_parts_of_one_object(storage: LocalStorage, root: Path) -> None:
    part_bytes, count = 2 * MIB + 1, 6
    handle = storage.begin_parts("key", size_bytes=count * part_bytes, part_bytes=part_bytes, content_type=KIND)
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        sent = pool.starmap(send_part, [(root, handle, index, part_bytes) for index in reversed(range(count))])
        pool.close()
        pool.join()
    storage.complete_parts("key", handle, sent, size_bytes=count * part_bytes)
    assert read(storage, "key") == b"".join(content(part_bytes, seed=index) for index in range(count))
