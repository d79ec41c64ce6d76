"""The contract of keys, listings and several users at once; `StorageContract` includes it."""

# ruff: noqa: S101 - asserting is what tests do

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from mediaflow.plugin import InvalidInput, Storage
from mediaflow.testing.bodies import MIB, content
from mediaflow.testing.storage_objects import KIND, ObjectsContract


class KeysContract(ObjectsContract):
    """What `mediaflow.plugin.Storage` says of keys and of `list`, and of objects that appear whole or not at all."""

    # --- keys

    @pytest.mark.parametrize(
        "key", ["", "/", "/a", "a/", "a//b", "..", "../a", "a/../b", ".a", "a/.b", "ä", "a b", "a\0"]
    )
    def test_a_wrong_key_is_refused_by_every_operation(self, storage: Storage, key: str) -> None:
        for operation in (
            lambda: storage.put(key, [], size_bytes=0, content_type=KIND),
            lambda: storage.read(key),
            lambda: storage.stat(key),
            lambda: storage.delete(key),
        ):
            with pytest.raises(InvalidInput) as caught:
                operation()
            assert caught.value.code == "storage.bad_key"

    @pytest.mark.parametrize("name", ["a.b_c%2F=@+-.d", "0", "%41", "a%", "A" * 200, "/".join(["part"] * 100)])
    def test_every_key_that_is_allowed_works(
        self, storage: Storage, put: Callable[[str, bytes], str], name: str
    ) -> None:
        key = put(name, name.encode())
        assert b"".join(storage.read(key)) == name.encode()
        assert [info.key for info in storage.list(key)] == [key]

    # --- list

    def test_a_list_has_every_object_below_the_prefix_sorted_by_key(
        self, storage: Storage, area: str, put: Callable[[str, bytes], str]
    ) -> None:
        # characters on both sides of "/" in ASCII, next to directories of the same name: a plain walk gets these wrong
        names = ["a/b", "a-b", "a+b", "a.b", "a%b", "a0", "a/b-c/d", "a/c", "a=_", "B/x", "b/c/d", "b/c.d", "ab"]
        for number, name in enumerate(names):
            put(name, bytes(number))
        found = list(storage.list(area))
        assert [info.key for info in found] == sorted(area + name for name in names)
        sizes = {info.key: info.size_bytes for info in found}
        assert sizes == {area + name: number for number, name in enumerate(names)}

    @pytest.mark.parametrize(
        ("prefix", "expected"),
        [
            ("", ["a/1", "a/2", "ab/3", "b"]),
            ("a", ["a/1", "a/2", "ab/3"]),
            ("a/", ["a/1", "a/2"]),
            ("a/1", ["a/1"]),
            ("b", ["b"]),
            ("b/", []),
            ("c", []),
            ("a/1/", []),
            ("c/d/", []),
        ],
    )
    def test_a_prefix_is_text_and_need_not_end_at_a_slash(
        self, storage: Storage, area: str, put: Callable[[str, bytes], str], prefix: str, expected: list[str]
    ) -> None:
        for name in ("b", "ab/3", "a/2", "a/1"):
            put(name, b"x")
        assert [info.key for info in storage.list(area + prefix)] == [area + name for name in expected]

    def test_the_list_of_everything_contains_the_object(
        self, storage: Storage, put: Callable[[str, bytes], str]
    ) -> None:
        key = put("object", b"x")
        assert key in {info.key for info in storage.list("")}

    # --- several at once

    def test_readers_may_stop_early_as_often_as_they_like(
        self, storage: Storage, put: Callable[[str, bytes], str]
    ) -> None:
        data = content(3 * MIB)
        key = put("object", data)
        for _ in range(40):
            reader = storage.read(key)
            first = next(reader)
            assert first
            assert data.startswith(first)
            del reader
            storage.read(key)
        assert b"".join(storage.read(key)) == data

    def test_a_reader_never_sees_a_part_of_one_version(
        self, storage: Storage, put: Callable[[str, bytes], str]
    ) -> None:
        versions = [bytes([number]) * (200_000 + number) for number in range(12)]
        key = put("object", versions[0])

        def read() -> bool:
            return b"".join(storage.read(key)) in versions

        with ThreadPoolExecutor(4) as pool:
            reads = [pool.submit(read) for _ in range(24)]
            for version in versions:
                put("object", version)
            assert all(result.result() for result in reads)

    def test_objects_come_and_go_in_one_directory_without_losing_any(
        self, storage: Storage, area: str, put: Callable[[str, bytes], str]
    ) -> None:
        def come_and_go(number: int) -> None:
            for turn in range(8):
                storage.delete(put(f"shared/{number}/{turn}", b"x"))
            put(f"shared/{number}/last", b"x")

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(come_and_go, range(4)))
        assert [info.key for info in storage.list(area)] == [f"{area}shared/{number}/last" for number in range(4)]
