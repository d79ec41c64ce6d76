"""What an owner may have on the way: announcing is not allocating, and does not last."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mediaflow.domain.errors import LimitReached
from mediaflow.domain.records import Upload
from mediaflow.services.uploads.acceptance import NewUpload
from tests.services.together import at_once
from tests.services.world import World, make_world


def upload(size: int) -> NewUpload:
    return NewUpload(filename="clip.mp4", size_bytes=size)


@pytest.fixture
def under_way(tmp_path: Path) -> Iterator[World]:
    world = make_world(
        tmp_path / "data", quota_open_uploads="3", quota_unreceived_bytes="10000", max_upload_bytes="10000"
    )
    yield world
    world.runtime.close()


def refusal(world: World, size: int) -> LimitReached:
    with pytest.raises(LimitReached) as caught:
        world.runtime.ingest.announce("ann", upload(size))
    return caught.value


def send(world: World, announced: Upload, index: int) -> None:
    length = min(announced.chunk_size_bytes, announced.size_bytes - index * announced.chunk_size_bytes)
    world.runtime.ingest.receive("ann", announced.id, index, [b"x" * length], content_length=length, digest=None)


def test_an_owner_has_so_many_open_uploads_and_is_told_how_there_can_be_more(under_way: World) -> None:
    ingest = under_way.runtime.ingest
    first, *_ = (ingest.announce("ann", upload(10))[0] for _ in range(3))
    error = refusal(under_way, 10)
    assert (error.code, error.facts) == ("limit.open_uploads", {"used": 3, "limit": 3, "asked": 1})
    assert "MEDIAFLOW_QUOTA_OPEN_UPLOADS" in error.detail
    assert under_way.runtime.database.assets.count({}) == under_way.runtime.database.uploads.count({}) == 3
    ingest.announce("bob", upload(10))
    send(under_way, first, 0)  # complete, and so no more on the way
    fourth, _ = ingest.announce("ann", upload(10))
    refusal(under_way, 10)
    ingest.abort("ann", fourth.id)
    ingest.announce("ann", upload(10))


def test_only_bytes_that_have_not_come_count(under_way: World) -> None:
    ingest = under_way.runtime.ingest
    first, _ = ingest.announce("ann", replace(upload(8000), chunk_size_bytes=4000))
    error = refusal(under_way, 2001)
    assert (error.code, error.facts) == ("limit.unreceived_bytes", {"used": 8000, "limit": 10000, "asked": 2001})
    assert "MEDIAFLOW_QUOTA_UNRECEIVED_BYTES" in error.detail
    send(under_way, first, 0)
    ingest.announce("ann", upload(6000))
    assert refusal(under_way, 1).facts == {"used": 10000, "limit": 10000, "asked": 1}


def test_the_largest_upload_fits_whatever_the_limit_of_bytes(tmp_path: Path) -> None:
    world = make_world(tmp_path / "data", quota_unreceived_bytes="10", max_upload_bytes="1000")
    world.runtime.ingest.announce("ann", upload(1000))
    refusal(world, 1)
    world.runtime.close()


def test_announcements_at_once_never_exceed_what_may_be_on_the_way(under_way: World) -> None:
    refused = []

    def announce() -> None:
        try:
            under_way.runtime.ingest.announce("ann", upload(4000))
        except LimitReached as error:
            refused.append(error.code)

    at_once(8, announce)
    database = under_way.runtime.database
    assert database.uploads.count({}) == database.assets.count({}) == 8 - len(refused) <= 2


def test_what_people_do_every_day_is_within_the_defaults(tmp_path: Path) -> None:
    world = make_world(tmp_path / "data")
    world.runtime.ingest.announce("ann", upload(world.runtime.settings.max_upload_bytes))
    for _ in range(150):
        world.runtime.ingest.announce("bob", upload(10**9))
    world.runtime.close()


def test_announcing_takes_no_room_from_anybody(tmp_path: Path) -> None:
    """One request without a byte took 20 GiB until tomorrow, and four at once passed the check of what must be free."""
    free = shutil.disk_usage(tmp_path).free
    size = free // 2
    world = make_world(
        tmp_path / "data", min_free_bytes=str(free // 4), max_upload_bytes=str(size), quota_unreceived_bytes="0"
    )
    for _ in range(4):
        world.runtime.ingest.announce("ann", upload(size))
    taken = sum(path.stat().st_blocks * 512 for path in (tmp_path / "data").rglob("*") if path.is_file())
    assert taken < 8 * 1024**2
    world.runtime.ingest.announce("bob", upload(size))
    world.runtime.close()


def test_an_upload_without_a_chunk_lives_a_quarter_of_an_hour(under_way: World) -> None:
    runtime = under_way.runtime
    announced, _ = runtime.ingest.announce("ann", replace(upload(2048), chunk_size_bytes=1024))
    begun, _ = runtime.ingest.announce("ann", upload(10))
    arriving, _ = runtime.ingest.announce("ann", upload(20))
    assert announced.expires_at - announced.created_at == 900
    send(under_way, announced, 0)
    kept = runtime.database.uploads.get(announced.id)
    assert kept is not None
    assert kept.expires_at - kept.created_at == 86400

    def body() -> Iterator[bytes]:
        # a quarter of an hour later
        for each in (begun, arriving):
            runtime.database.uploads.change(each.id, {}, {"expires_at": each.expires_at - 901})
        runtime.reconciler.sweep()
        yield b"x" * 20

    runtime.ingest.receive("ann", arriving.id, 0, body(), content_length=20, digest=None)
    states = {each.id: each.state for each in runtime.database.uploads.find({})}
    assert [states[each.id] for each in (announced, begun, arriving)] == ["receiving", "expired", "assembling"]
