"""The contract of putting and reading objects; `StorageContract` includes it."""

# ruff: noqa: S101 - asserting is what tests do

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable

import pytest

from mediaflow.domain.ids import new_id
from mediaflow.plugin import InvalidInput, NotFound, Storage
from mediaflow.testing.bodies import MIB, Interrupted, blocks_of, content, raising

KIND = "application/octet-stream"


class ObjectsContract:
    """What `mediaflow.plugin.Storage` says of `put`, `read`, `stat` and `delete`."""

    @pytest.fixture
    def storage(self) -> Storage:
        """The storage under test: override this fixture."""
        raise NotImplementedError("give a fixture `storage`")

    @pytest.fixture
    def area(self) -> str:
        """A prefix that no other test uses."""
        return f"contract/{new_id()}/"

    @pytest.fixture
    def put(self, storage: Storage, area: str) -> Callable[[str, bytes], str]:
        """Stores bytes under a name in the area and returns the key."""

        def put(name: str, data: bytes) -> str:
            storage.put(area + name, blocks_of(data), size_bytes=len(data), content_type=KIND)
            return area + name

        return put

    # --- put and read

    @pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB + 7])
    def test_an_object_reads_as_it_was_put_in_blocks_of_at_most_1_mib(
        self, storage: Storage, area: str, size: int
    ) -> None:
        data = content(size)
        info = storage.put(area + "object", blocks_of(data), size_bytes=size, content_type="video/mp4")
        blocks = list(storage.read(area + "object"))
        assert b"".join(blocks) == data
        assert all(0 < len(block) <= MIB for block in blocks)
        assert (info.key, info.size_bytes) == (area + "object", size)
        assert storage.stat(area + "object") is not None

    def test_small_and_empty_blocks_make_an_object_too(self, storage: Storage, area: str) -> None:
        storage.put(area + "object", iter([b"", b"a", b"", b"bc", b""]), size_bytes=3, content_type=KIND)
        assert b"".join(storage.read(area + "object")) == b"abc"

    def test_stat_and_put_tell_size_and_time(self, storage: Storage, area: str) -> None:
        put = storage.put(area + "object", [b"12345"], size_bytes=5, content_type=KIND)
        found = storage.stat(area + "object")
        assert found is not None
        assert (found.key, found.size_bytes) == (area + "object", 5)
        assert abs(found.modified_at - time.time()) < 3600
        assert abs(put.modified_at - found.modified_at) < 60

    def test_a_second_put_replaces_the_object(self, storage: Storage, put: Callable[[str, bytes], str]) -> None:
        put("object", b"old and longer")
        key = put("object", b"new")
        assert b"".join(storage.read(key)) == b"new"
        assert [info.size_bytes for info in storage.list(key)] == [3]

    def test_an_object_can_be_written_anew_from_itself(
        self, storage: Storage, put: Callable[[str, bytes], str]
    ) -> None:
        data = content(2 * MIB + 5)
        key = put("object", data)
        storage.put(key, storage.read(key), size_bytes=len(data), content_type=KIND)
        assert b"".join(storage.read(key)) == data

    def test_bodies_pass_through_and_are_never_held_whole(self, storage: Storage, area: str) -> None:
        block = content(MIB)
        storage.put(area + "warm", [block], size_bytes=MIB, content_type=KIND)  # connections and buffers are made
        tracemalloc.start()
        try:
            storage.put(area + "large", (block for _ in range(24)), size_bytes=24 * MIB, content_type=KIND)
            assert sum(len(read) for read in storage.read(area + "large")) == 24 * MIB
            assert tracemalloc.get_traced_memory()[1] < 6 * MIB
        finally:
            tracemalloc.stop()

    # --- ranges

    @pytest.mark.parametrize(
        ("offset", "length", "expected"),
        [
            (0, None, b"0123456789"),
            (0, 4, b"0123"),
            (3, 4, b"3456"),
            (3, None, b"3456789"),
            (9, 1, b"9"),
            (0, 0, b""),
            (5, 0, b""),
            (8, 100, b"89"),
            (0, 100, b"0123456789"),
            (10, None, b""),
            (10, 1, b""),
            (1000, None, b""),
            (1000, 10, b""),
        ],
    )
    def test_a_range_gives_what_there_is_of_it(
        self, storage: Storage, put: Callable[[str, bytes], str], offset: int, length: int | None, expected: bytes
    ) -> None:
        key = put("object", b"0123456789")
        assert b"".join(storage.read(key, offset=offset, length=length)) == expected

    @pytest.mark.parametrize(("offset", "length"), [(0, None), (0, 1), (7, None), (7, 7)])
    def test_every_range_of_an_empty_object_is_empty(
        self, storage: Storage, put: Callable[[str, bytes], str], offset: int, length: int | None
    ) -> None:
        assert list(storage.read(put("empty", b""), offset=offset, length=length)) == []

    def test_a_range_over_several_blocks_is_exact(self, storage: Storage, put: Callable[[str, bytes], str]) -> None:
        data = content(3 * MIB + 100)
        key = put("object", data)
        read = b"".join(storage.read(key, offset=MIB - 10, length=2 * MIB + 20))
        assert read == data[MIB - 10 : 3 * MIB + 10]

    @pytest.mark.parametrize(("offset", "length"), [(-1, None), (0, -1), (-5, 3)])
    def test_a_negative_range_is_refused(
        self, storage: Storage, put: Callable[[str, bytes], str], offset: int, length: int | None
    ) -> None:
        key = put("object", b"0123456789")
        with pytest.raises(InvalidInput) as caught:
            storage.read(key, offset=offset, length=length)
        assert caught.value.code == "storage.bad_range"

    # --- what is not there

    @pytest.mark.parametrize(("offset", "length"), [(0, None), (0, 10), (0, 0), (5, None)])
    def test_reading_a_missing_object_raises_at_the_call(
        self, storage: Storage, area: str, offset: int, length: int | None
    ) -> None:
        with pytest.raises(NotFound) as caught:
            storage.read(area + "missing", offset=offset, length=length)
        assert caught.value.code == "storage.no_object"

    def test_stat_of_a_missing_object_is_none(self, storage: Storage, put: Callable[[str, bytes], str]) -> None:
        key = put("directory/object", b"x")
        assert storage.stat(key + "x") is None
        assert storage.stat(key.rpartition("/")[0]) is None, "a directory is no object"

    def test_a_deleted_object_is_gone_and_deleting_it_again_is_no_error(
        self, storage: Storage, area: str, put: Callable[[str, bytes], str]
    ) -> None:
        key, other = put("a/b/object", b"x"), put("a/b/other", b"y")
        for _ in range(2):
            storage.delete(key)
            assert storage.stat(key) is None
        assert [info.key for info in storage.list(area)] == [other]
        with pytest.raises(NotFound):
            storage.read(key)

    # --- bodies that go wrong

    @pytest.mark.parametrize("error", [Interrupted("stop"), ConnectionResetError("reset"), TimeoutError("slow")])
    @pytest.mark.parametrize("before", [0, 3, 2 * MIB])
    def test_a_body_that_raises_leaves_nothing_and_its_error_passes_through(
        self, storage: Storage, area: str, error: Exception, before: int
    ) -> None:
        with pytest.raises(type(error)) as caught:
            storage.put(area + "object", raising(content(before), error), size_bytes=4 * MIB, content_type=KIND)
        assert caught.value is error
        assert storage.stat(area + "object") is None
        assert list(storage.list(area)) == []

    @pytest.mark.parametrize("size", [0, 1, MIB + 1])
    def test_a_body_that_raises_after_its_last_byte_leaves_nothing(
        self, storage: Storage, area: str, size: int
    ) -> None:
        data = content(size)
        with pytest.raises(Interrupted):
            storage.put(
                area + "object", raising(data, Interrupted("wrong digest")), size_bytes=len(data), content_type=KIND
            )
        assert storage.stat(area + "object") is None

    @pytest.mark.parametrize(
        ("size", "blocks"),
        [
            (10, []),
            (10, [b"12345"]),
            (10, [b"1234567890", b"1"]),
            (10, [b"12345678901"]),
            (0, [b"1"]),
            (2 * MIB, [bytes(MIB), bytes(MIB), b"1"]),
            (2 * MIB, [bytes(MIB), bytes(MIB - 1)]),
        ],
        ids=["none", "short", "block too many", "byte too many", "not empty", "large and long", "large and short"],
    )
    def test_a_body_of_another_length_is_refused_and_the_old_object_stays(
        self, storage: Storage, put: Callable[[str, bytes], str], size: int, blocks: list[bytes]
    ) -> None:
        key = put("object", b"old")
        with pytest.raises(InvalidInput) as caught:
            storage.put(key, iter(blocks), size_bytes=size, content_type=KIND)
        assert caught.value.code == "storage.wrong_length"
        assert b"".join(storage.read(key)) == b"old"
