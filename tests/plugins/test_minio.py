"""What `s3:` does beyond the contract: settings, failures of the server and of the way to it, large objects, forks."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from mediaflow.plugin import ConfigurationError, InvalidInput, Unavailable
from mediaflow.testing.bodies import MIB, Interrupted, blocks_of, content, raising
from mediaflow_minio.location import location_of
from mediaflow_minio.plugin import mediaflow_register_settings, mediaflow_register_storages, open_s3
from mediaflow_minio.storage import S3Storage
from tests.contracts.s3server import S3Server, running_s3_server
from tests.plugins.storages import KIND, S3_SETTINGS, put


@pytest.fixture
def storage(s3_server: S3Server, bucket: str) -> S3Storage:
    """With small pieces, so that a test of large objects is small."""
    location = location_of(s3_server.url(bucket), s3_server.settings)
    return S3Storage(location, part_bytes=5 * MIB, copy_bytes=5 * MIB)


def kind_of(storage: S3Storage, key: str) -> str | None:
    return storage._connection.client().stat_object(storage.location.bucket, key).content_type


# --- settings and URLs


def test_a_url_tells_server_bucket_prefix_and_region() -> None:
    location = location_of("s3:https://s3.example.com:9443/media-1?prefix=/a/b/&region=eu-west-1", S3_SETTINGS)
    assert (location.endpoint, location.secure, location.bucket) == ("s3.example.com:9443", True, "media-1")
    assert (location.prefix, location.region) == ("a/b/", "eu-west-1")


def test_the_region_of_the_settings_counts_when_the_url_names_none() -> None:
    location = location_of("s3:http://[::1]:9000/media/", S3_SETTINGS | {"s3_region": "eu-north-1"})
    assert (location.endpoint, location.secure, location.region) == ("[::1]:9000", False, "eu-north-1")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("s3:", "names no http or https server"),
        ("s3:bucket", "names no http or https server"),
        ("s3://host/bucket", "names no http or https server"),
        ("s3:ftp://host/bucket", "names no http or https server"),
        ("s3:http:///bucket", "names no http or https server"),
        ("s3:http://host:99999/bucket", "out of range"),
        ("s3:http://host:x/bucket", "Port could not be cast"),
        ("s3:http://host", "names no bucket"),
        ("s3:http://host/", "names no bucket"),
        ("s3:http://host/bucket/deeper/place", r"/bucket\?prefix=deeper/place"),
        ("s3:http://host/Bucket_1", "no name of an S3 bucket"),
        ("s3:http://host/b1", "no name of an S3 bucket"),
        ("s3:http://host/127.0.0.1", "no name of an S3 bucket"),
        ("s3:http://host/a..b", "no name of an S3 bucket"),
        ("s3:http://AK:very-secret@host/bucket", "MEDIAFLOW_S3_ACCESS_KEY"),
        ("s3:http://host/bucket?preifx=a", "'preifx'"),
        ("s3:http://host/bucket?prefix=../a", "prefix '../a'"),
        ("s3:http://host/bucket#a", "fragment"),
    ],
)
def test_a_wrong_url_is_refused_with_the_way_out(url: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        open_s3(url, S3_SETTINGS)
    assert "very-secret" not in caught.value.detail


@pytest.mark.parametrize("name", ["s3_access_key", "s3_secret_key"])
def test_a_missing_key_is_named(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"MEDIAFLOW_{name.upper()}"):
        open_s3("s3:http://host/bucket", S3_SETTINGS | {name: ""})


def test_the_plugin_offers_a_shared_scheme_and_keeps_its_secret_masked() -> None:
    (scheme,) = mediaflow_register_storages()
    assert (scheme.scheme, scheme.shared) == ("s3", True)
    secret = {spec.name for spec in mediaflow_register_settings() if spec.secret}
    assert secret == {"s3_secret_key"}
    assert "very-secret" not in repr(open_s3("s3:http://host/bucket", S3_SETTINGS))


def test_the_bucket_is_made_once_however_many_come_first(s3_server: S3Server, bucket: str) -> None:
    def first(number: int) -> None:
        storage = open_s3(s3_server.url(bucket), s3_server.settings)
        storage.put(f"key{number}", [b"x"], size_bytes=1, content_type=KIND)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(first, range(4)))
    kept = open_s3(s3_server.url(bucket), s3_server.settings).list("key")
    assert sorted(info.key for info in kept) == ["key0", "key1", "key2", "key3"]


# --- large objects


@pytest.mark.parametrize("size", [5 * MIB, 5 * MIB + 1, 12 * MIB + 345])
def test_large_objects_are_put_and_copied_in_pieces_and_keep_their_type(storage: S3Storage, size: int) -> None:
    data = content(size)
    info = storage.put("large", blocks_of(data, 700_001), size_bytes=size, content_type=KIND)
    assert info.size_bytes == size
    assert kind_of(storage, "large") == KIND
    assert storage.move("large", "moved").size_bytes == size
    assert b"".join(storage.read("moved")) == data
    assert kind_of(storage, "moved") == KIND
    assert storage.stat("large") is None


@pytest.mark.parametrize("extra", [-1, 1])
def test_a_large_body_that_goes_wrong_leaves_no_object_and_no_parts(storage: S3Storage, extra: int) -> None:
    size = 11 * MIB
    with pytest.raises(InvalidInput) as caught:
        storage.put("large", blocks_of(content(size + extra)), size_bytes=size, content_type=KIND)
    assert caught.value.code == "storage.wrong_length"
    with pytest.raises(Interrupted):
        storage.put("large", raising(content(7 * MIB), Interrupted()), size_bytes=size, content_type=KIND)
    assert storage.stat("large") is None
    uploads = storage._connection.client()._list_multipart_uploads(storage.location.bucket)
    assert uploads.uploads == []


@pytest.mark.parametrize(
    ("size", "part_bytes"), [(0, 5 * MIB), (5 * MIB, 5 * MIB - 1), (10_001 * 5 * MIB, 5 * MIB), (10, 0)]
)
def test_parts_that_s3_does_not_take_are_refused_before_a_byte_is_sent(
    storage: S3Storage, size: int, part_bytes: int
) -> None:
    with pytest.raises(InvalidInput) as caught:
        storage.begin_parts("key", size_bytes=size, part_bytes=part_bytes, content_type=KIND)
    assert caught.value.code == "storage.wrong_parts"


def test_a_list_of_more_than_a_page_is_whole_and_sorted(storage: S3Storage) -> None:
    names = [f"d{number % 3}/{number:04}" for number in range(1100)] + ["d1-x", "d1.y", "d10", "a", "z/z/z"]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: put(storage, name, b"x"), names))
    assert [info.key for info in storage.list("")] == sorted(names)
    assert [info.key for info in storage.list("d1")] == sorted(name for name in names if name.startswith("d1"))


def test_what_others_keep_in_the_bucket_is_not_ours(storage: S3Storage) -> None:
    put(storage, "ours", b"x")
    put(replace_prefix(storage, "other/"), "theirs", b"x")
    client = storage._connection.client()
    client.put_object(storage.location.bucket, "with space and ä", BytesIO(b"x"), 1)
    assert [info.key for info in storage.list("")] == ["other/theirs", "ours"]
    assert [info.key for info in replace_prefix(storage, "other/").list("")] == ["theirs"]


def replace_prefix(storage: S3Storage, prefix: str) -> S3Storage:
    return S3Storage(replace(storage.location, prefix=prefix))


@pytest.mark.parametrize("seconds", [0, -1, 7 * 24 * 3600 + 1])
def test_a_presigned_url_is_valid_for_a_week_at_most(storage: S3Storage, seconds: int) -> None:
    with pytest.raises(InvalidInput, match="1 to 604800 seconds"):
        storage.presign("key", seconds=seconds)


# --- processes and crashes


def test_a_forked_child_makes_its_own_connections(storage: S3Storage) -> None:
    put(storage, "key", b"parent")
    before = storage._connection.session()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            ok = b"".join(storage.read("key")) == b"parent"
            code = 0 if ok and storage._connection.session() is not before else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert b"".join(storage.read("key")) == b"parent"
    assert storage._connection.session() is before


def test_what_was_acknowledged_is_there_after_a_kill_and_a_restart(tmp_path: Path) -> None:
    with running_s3_server(tmp_path) as server:
        storage = open_s3(server.url("crash"), server.settings)
        assert isinstance(storage, S3Storage)
        objects = {f"object{number}": content(300_000 * number, number) for number in range(5)}
        for key, data in objects.items():
            put(storage, key, data)
        large = content(5 * MIB + 9, 77)
        handle = storage.begin_parts("large", size_bytes=len(large), part_bytes=5 * MIB, content_type=KIND)
        first = storage.put_part("large", handle, 0, blocks_of(large[: 5 * MIB]), offset=0, length=5 * MIB)
        # when
        server.kill()
        with pytest.raises(Unavailable):
            storage.stat("object1")
        server.start()
        # then: objects and parts are whole, and the same storage goes on
        for key, data in objects.items():
            assert b"".join(storage.read(key)) == data
        last = storage.put_part("large", handle, 1, [large[5 * MIB :]], offset=5 * MIB, length=9)
        storage.complete_parts("large", handle, [first, last], size_bytes=len(large))
        assert b"".join(storage.read("large")) == large
