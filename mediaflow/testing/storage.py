"""The contract of a storage, as tests. Subclass it in your package's tests and give a `storage`:

    from mediaflow.testing.storage import StorageContract

    class TestMyStorage(StorageContract):
        @pytest.fixture
        def storage(self, tmp_path):
            return MyStorage(tmp_path)

Tests of abilities that the storage does not have (`ReceivesParts`, `CopiesObjects`, ...) are skipped, and so are those
that need a second process's view until you give `opened_again`. All store under keys of their own (`area`), so that a
bucket that holds other things can be used. pytest must be installed.
"""

# ruff: noqa: S101 - asserting is what tests do

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest

from mediaflow.plugin import (
    CopiesObjects,
    HasLocalFiles,
    MeasuresRoom,
    NotFound,
    OffersFiles,
    PresignsParts,
    PresignsUrls,
    ReceivesParts,
    Storage,
)
from mediaflow.testing.bodies import MIB, content
from mediaflow.testing.storage_keys import KeysContract
from mediaflow.testing.storage_objects import ObjectsContract
from mediaflow.testing.storage_receptions import ReceptionsContract


class MovesContract(ObjectsContract):
    """Every sentence of `mediaflow.plugin.CopiesObjects`."""

    @pytest.fixture
    def mover(self, storage: Storage) -> CopiesObjects:
        """The storage, when it can move objects."""
        if not isinstance(storage, CopiesObjects):
            pytest.skip("the storage does not copy objects")
        return storage

    @pytest.mark.parametrize("size", [0, 5, 2 * MIB + 1])
    def test_a_moved_object_is_at_its_target_only(
        self, storage: Storage, mover: CopiesObjects, area: str, put: Callable[[str, bytes], str], size: int
    ) -> None:
        source, target = put("from/here", content(size)), area + "to/there/object"
        info = mover.move(source, target)
        assert (info.key, info.size_bytes) == (target, size)
        assert b"".join(storage.read(target)) == content(size)
        assert [found.key for found in storage.list(area)] == [target]

    def test_a_repeated_move_returns_the_object(
        self, storage: Storage, mover: CopiesObjects, area: str, put: Callable[[str, bytes], str]
    ) -> None:
        source = put("source", b"x")
        first = mover.move(source, area + "target")
        again = mover.move(source, area + "target")
        assert (first.key, first.size_bytes) == (again.key, again.size_bytes)
        assert b"".join(storage.read(area + "target")) == b"x"

    def test_a_move_replaces_what_is_at_the_target(
        self, storage: Storage, mover: CopiesObjects, put: Callable[[str, bytes], str]
    ) -> None:
        source, target = put("source", b"new"), put("target", b"old and longer")
        mover.move(source, target)
        assert b"".join(storage.read(target)) == b"new"
        assert storage.stat(source) is None

    def test_a_move_to_itself_keeps_the_object(
        self, storage: Storage, mover: CopiesObjects, put: Callable[[str, bytes], str]
    ) -> None:
        key = put("source", b"x")
        assert mover.move(key, key).key == key
        assert b"".join(storage.read(key)) == b"x"

    def test_moving_what_is_nowhere_raises(self, mover: CopiesObjects, area: str) -> None:
        with pytest.raises(NotFound) as caught:
            mover.move(area + "missing", area + "target")
        assert caught.value.code == "storage.no_object"


class UrlsContract(ObjectsContract):
    """Every sentence of `mediaflow.plugin.PresignsUrls` and `HasLocalFiles`."""

    @pytest.fixture
    def presigner(self, storage: Storage) -> PresignsUrls:
        """The storage, when it can presign URLs."""
        if not isinstance(storage, PresignsUrls):
            pytest.skip("the storage does not presign URLs")
        return storage

    @pytest.fixture
    def files(self, storage: Storage) -> HasLocalFiles:
        """The storage, when it keeps objects as local files."""
        if not isinstance(storage, HasLocalFiles):
            pytest.skip("the storage has no local files")
        return storage

    def test_anyone_can_get_a_presigned_url(self, presigner: PresignsUrls, put: Callable[[str, bytes], str]) -> None:
        url = presigner.presign(put("object@1+2=3%25", b"0123456789"), seconds=60)
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - made by the storage under test
            assert answer.read() == b"0123456789"

    def test_a_presigned_url_takes_ranges(self, presigner: PresignsUrls, put: Callable[[str, bytes], str]) -> None:
        url = presigner.presign(put("object", b"0123456789"), seconds=60)
        request = urllib.request.Request(url, headers={"Range": "bytes=2-4"})  # noqa: S310 - as above
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
            assert (answer.status, answer.read()) == (206, b"234")

    def test_a_changed_signature_is_refused(self, presigner: PresignsUrls, put: Callable[[str, bytes], str]) -> None:
        url = presigner.presign(put("object", b"x"), seconds=60)
        assert _status(url[:-1] + ("0" if url[-1] != "0" else "1")) == 403
        assert _status(url.partition("?")[0]) in (401, 403)

    def test_a_presigned_url_ends_with_its_time(
        self, presigner: PresignsUrls, put: Callable[[str, bytes], str]
    ) -> None:
        url = presigner.presign(put("object", b"x"), seconds=1)
        time.sleep(2.2)
        assert _status(url) == 403

    def test_a_local_path_is_the_object(self, files: HasLocalFiles, put: Callable[[str, bytes], str]) -> None:
        assert files.local_path(put("a/object", b"0123")).read_bytes() == b"0123"

    @pytest.mark.parametrize("name", ["missing", "a/object/below", "a"])
    def test_a_local_path_of_nothing_raises(
        self, files: HasLocalFiles, area: str, put: Callable[[str, bytes], str], name: str
    ) -> None:
        put("a/object", b"x")
        with pytest.raises(NotFound) as caught:
            files.local_path(area + name)
        assert caught.value.code == "storage.no_object"


class OfferedFilesContract(ObjectsContract):
    """Every sentence of `mediaflow.plugin.OffersFiles`, of files that are objects."""

    @pytest.fixture
    def offering(self, storage: Storage) -> OffersFiles:
        """The storage, if it has files of others."""
        if not isinstance(storage, OffersFiles):
            pytest.skip("the storage has no files of others")
        return storage

    def test_files_are_listed_by_name(self, offering: OffersFiles, area: str, put: Callable[[str, bytes], str]) -> None:
        names = [put(name, name.encode()) for name in ("films/b.mp4", "films/a/c.mp4", "films/a.mp4", "other.mp4")]
        found = list(offering.files(f"{area}films/"))
        assert [info.key for info in found] == sorted(names[:3])
        assert [info.size_bytes for info in found] == [len("films/a.mp4"), len("films/a/c.mp4"), len("films/b.mp4")]
        assert found == [offering.file(info.key) for info in found]

    def test_a_file_is_read_whole_and_in_part(self, offering: OffersFiles, put: Callable[[str, bytes], str]) -> None:
        name = put("film.mp4", b"0123456789")
        assert b"".join(offering.read_file(name)) == b"0123456789"
        assert b"".join(offering.read_file(name, offset=3, length=4)) == b"3456"
        assert b"".join(offering.read_file(name, offset=10)) == b""

    def test_what_is_not_there_is_told_at_once(self, offering: OffersFiles, area: str) -> None:
        assert offering.file(f"{area}nothing.mp4") is None
        with pytest.raises(NotFound) as caught:
            offering.read_file(f"{area}nothing.mp4")
        assert caught.value.code == "storage.no_object"


class PresignedPartsContract(ObjectsContract):
    """Every sentence of `mediaflow.plugin.PresignsParts`."""

    def test_anyone_can_put_parts_and_their_receipts_complete_them(self, storage: Storage, area: str) -> None:
        if not isinstance(storage, PresignsParts) or not isinstance(storage, ReceivesParts):
            pytest.skip("the storage signs no parts")
        size = storage.min_part_bytes
        key, parts = f"{area}sent", (b"a" * size, b"end")
        handle = storage.begin_parts(key, size_bytes=size + 3, part_bytes=size, content_type="video/mp4")
        assert list(storage.receipts(key, handle)) == []
        for index, data in ((1, b"other"), (1, parts[1]), (0, parts[0])):
            url = storage.presign_part(key, handle, index, seconds=60)
            request = urllib.request.Request(url, data=data, method="PUT")  # noqa: S310 - made by the storage
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
                assert answer.status == 200
            time.sleep(1.1)  # stores tell times to the second
        found = {part.index: part for part in storage.receipts(key, handle)}
        assert {part.index: part.size_bytes for part in found.values()} == {0: size, 1: 3}
        receipts = [found[index].receipt for index in range(2)]
        assert storage.complete_parts(key, handle, receipts, size_bytes=size + 3).size_bytes == size + 3
        assert b"".join(storage.read(key)) == b"".join(parts)
        with pytest.raises(NotFound) as caught:
            storage.receipts(key, handle)
        assert caught.value.code == "storage.no_parts"


class RoomContract(ObjectsContract):
    """Every sentence of `mediaflow.plugin.MeasuresRoom`."""

    def test_the_room_is_plausible(self, storage: Storage) -> None:
        if not isinstance(storage, MeasuresRoom):
            pytest.skip("the storage does not measure its room")
        room = storage.room()
        assert 0 <= room.free_bytes <= room.total_bytes


class StorageContract(
    KeysContract,
    ReceptionsContract,
    MovesContract,
    UrlsContract,
    OfferedFilesContract,
    PresignedPartsContract,
    RoomContract,
):
    """All of it: what a storage must do, and what it may do when it says that it can."""


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - made by the storage under test
            status: int = answer.status
            return status
    except urllib.error.HTTPError as error:
        with error:
            return error.code
