"""Who may watch, and which files leave the house."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from mediaflow.domain.errors import NotFound
from mediaflow.domain.ids import new_id
from mediaflow.domain.publication import Files, FileType, Publication
from mediaflow.domain.records import Asset
from mediaflow.persistence import open_database
from mediaflow.services.access.principals import Principal
from mediaflow.services.assets.trash import Trash
from mediaflow.services.delivery.composing import Composing
from mediaflow.services.delivery.delivery import Delivery
from mediaflow.services.delivery.stream_tokens import StreamTokens
from mediaflow.services.originals.places import OriginalFiles
from mediaflow.services.ports import Increment
from mediaflow.settings import Settings
from mediaflow_local.storage import LocalStorage
from tests.services.records import PUBLICATION, a_published_asset, an_asset, published_with
from tests.services.world import a_trash, editing_of

KEY = b"a key of the tests, 32 bytes and more"
ANN, BOB, ADMIN = Principal("ann", "user"), Principal("bob", "user"), Principal("root", "admin")
MASTER = "g1/publish.1/master.m3u8"
PICTURE = "g1/thumbnail.1/thumbnail.jpg"
FILES = {MASTER: b"#EXTM3U\n", PICTURE: b"picture", "g2/publish.1/master.m3u8": b"next"}
INTERNAL = "g1/video-0.1/artifacts.json"
FAILED = "g1/video-0.2/360p/00000.m4s"


@dataclass
class House:
    delivery: Delivery

    def published(self, **fields: Any) -> Asset:
        asset = a_published_asset(**fields)
        self.delivery.database.assets.insert(asset)
        for path, content in {**FILES, INTERNAL: b"[]", FAILED: b"half", "g1/video-0.1/unlisted.html": b"?"}.items():
            self.put(asset, path, content)
        return asset

    def put(self, asset: Asset, path: str, content: bytes = b"x") -> None:
        key = f"assets/{asset.id}/{path}"
        self.delivery.storage.put(key, [content], size_bytes=len(content), content_type="text/plain")

    @property
    def trash(self) -> Trash:
        storage = self.delivery.storage
        assert isinstance(storage, LocalStorage)
        return a_trash(self.delivery.database, storage.root)

    def token(self, asset: Asset) -> str:
        return self.delivery.stream_tokens.mint(asset)[0]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    database = open_database(f"sqlite:{tmp_path / 'test.db'}")
    settings = Settings()
    tokens = StreamTokens(KEY, settings.stream_bucket_seconds)
    files = OriginalFiles(database, storage := LocalStorage(tmp_path / "objects"))
    yield House(Delivery(database, storage, files, tokens, settings, Composing(storage)))
    database.close()


# --- playback


@pytest.mark.parametrize(
    ("visibility", "principal", "allowed"),
    [
        ("private", ANN, True),
        ("private", ADMIN, True),
        ("private", BOB, False),
        ("private", None, False),
        ("unlisted", BOB, True),
        ("unlisted", None, True),
        ("public", None, True),
    ],
)
def test_who_may_watch(house: House, visibility: Any, principal: Principal | None, allowed: bool) -> None:
    asset = house.published(visibility=visibility)
    if not allowed:
        with pytest.raises(NotFound):
            house.delivery.playback(principal, asset.id)
        return
    playback = house.delivery.playback(principal, asset.id)
    assert playback.first("manifest", "hls") == f"/stream/{playback.token}/{asset.id}/{MASTER}"
    assert playback.first("image") == f"/stream/{playback.token}/{asset.id}/{PICTURE}"
    assert (playback.first("manifest", "dash"), playback.first("storyboard")) == (None, None)


def test_nothing_plays_of_what_is_not_published(house: House) -> None:
    asset = an_asset()
    house.delivery.database.assets.insert(asset)
    assert house.delivery.playback(ANN, asset.id).outputs == ()


def test_a_deleted_asset_plays_for_nobody(house: House) -> None:
    asset = house.published(visibility="public")
    house.trash.delete(ANN, asset.id)
    for principal in (ANN, ADMIN, None):
        with pytest.raises(NotFound):
            house.delivery.playback(principal, asset.id)


# --- files


def test_a_published_file_is_read_by_its_token(house: House) -> None:
    asset = house.published()
    file = house.delivery.open(house.token(asset), asset.id, MASTER)
    assert (file.size_bytes, file.content_type) == (8, "application/vnd.apple.mpegurl")
    assert b"".join(house.delivery.read(file, offset=1, length=3)) == b"EXT"


@pytest.mark.parametrize(
    ("visibility", "path", "shared", "seconds"),
    [
        ("private", MASTER, False, 0),
        ("private", PICTURE, False, 3600),
        ("unlisted", MASTER, True, 10),
        ("unlisted", PICTURE, True, 60),
        ("public", MASTER, True, 10),
        ("public", PICTURE, True, 60),
    ],
)
def test_only_files_that_anyone_may_see_are_for_shared_caches(
    house: House, visibility: Any, path: str, shared: bool, seconds: int
) -> None:
    asset = house.published(visibility=visibility)
    file = house.delivery.open(house.token(asset), asset.id, path)
    assert (file.shared, file.max_age_seconds) == (shared, seconds)


@pytest.mark.parametrize(("setting", "manifest", "picture"), [(0, 0, 0), (5, 5, 5), (600, 10, 600)])
def test_no_shared_cache_keeps_anything_longer_than_set(
    house: House, setting: int, manifest: int, picture: int
) -> None:
    delivery = replace(house.delivery, settings=Settings(stream_cache_seconds=setting))
    asset = house.published(visibility="public")
    seconds = [delivery.open(house.token(asset), asset.id, path).max_age_seconds for path in (MASTER, PICTURE)]
    assert seconds == [manifest, picture]


@pytest.mark.parametrize(
    "path",
    [
        "g1/publish.1/missing.m3u8",
        INTERNAL,
        FAILED,
        "g1/video-0.1/unlisted.html",
        "g2/publish.1/master.m3u8",
        "g0/publish.1/master.m3u8",
        "g01/publish.1/master.m3u8",
        "publish.1/master.m3u8",
        "g1/../../../originals/ann/x",
        "g1/./publish.1/master.m3u8",
        "g1//publish.1/master.m3u8",
        "g1/.hidden",
        "g1/publish.1/",
        "g1/" + "a" * 2000,
        "g1/\0",
        "g1/\ud800",
        "",
    ],
)
def test_nothing_else_is_reached(house: House, path: str) -> None:
    asset = house.published()
    with pytest.raises(NotFound) as caught:
        house.delivery.open(house.token(asset), asset.id, path)
    assert caught.value.code == "asset.no_stream"


def test_a_token_is_worth_nothing_after_a_change_of_privacy_or_a_delete(house: House) -> None:
    changed, deleted = house.published(visibility="public"), house.published()
    tokens = {asset.id: house.token(asset) for asset in (changed, deleted)}
    editing_of(house.delivery.database).change(ANN, changed.id, {"visibility": "private"})
    house.trash.delete(ANN, deleted.id)
    for asset_id, token in tokens.items():
        with pytest.raises(NotFound):
            house.delivery.open(token, asset_id, MASTER)
    house.trash.restore(ANN, deleted.id)
    with pytest.raises(NotFound):
        house.delivery.open(tokens[deleted.id], deleted.id, MASTER)


@pytest.mark.parametrize(
    "change",
    [
        {"visibility": "private", "acl_epoch": Increment()},
        {"shared_with": [], "acl_epoch": Increment()},
        {"owner": "zoe", "acl_epoch": Increment()},
        {"deleted_at": 1.0},
        {"acl_epoch": Increment()},
    ],
)
def test_each_change_of_who_may_watch_ends_tokens_at_once_for_good(house: House, change: dict[str, Any]) -> None:
    asset = house.published(visibility="public", shared_with=["bob"])
    token = house.token(asset)
    house.delivery.open(token, asset.id, MASTER)
    house.delivery.database.assets.change(asset.id, {}, change)
    with pytest.raises(NotFound):
        house.delivery.open(token, asset.id, MASTER)


@pytest.mark.parametrize(("seconds", "duration"), [(3600, 30.7), (3600, 3 * 3600.0), (10, 7200.0), (1, 0.0)])
@pytest.mark.parametrize("into_the_bucket", [0.0, 0.5, 0.999])
def test_whoever_begins_to_watch_can_watch_to_the_end(
    house: House, seconds: int, duration: float, into_the_bucket: float
) -> None:
    """Also one who gets the token in the bucket's last moment, and pauses for a bucket."""
    begun = (1000 + into_the_bucket) * seconds
    asset = house.published(duration_seconds=duration)
    token, ends = StreamTokens(KEY, seconds, lambda: begun).mint(asset)
    assert ends >= begun + duration + seconds
    at_the_end = StreamTokens(KEY, seconds, lambda: begun + duration + seconds - 0.001)
    assert replace(house.delivery, stream_tokens=at_the_end).open(token, asset.id, MASTER).size_bytes == 8
    too_late = StreamTokens(KEY, seconds, lambda: ends)
    with pytest.raises(NotFound):
        replace(house.delivery, stream_tokens=too_late).open(token, asset.id, MASTER)


def test_a_token_of_another_asset_opens_nothing(house: House) -> None:
    first, second = house.published(), house.published()
    for asset_id in (second.id, new_id()):
        with pytest.raises(NotFound):
            house.delivery.open(house.token(first), asset_id, MASTER)


# --- what a file is


@pytest.mark.parametrize(
    ("kind", "content_type", "name", "attached", "seconds"),
    [
        # who begins to watch asks first, whatever the format
        ("manifest", "application/vnd.apple.mpegurl", "master.m3u8", None, 10),
        ("manifest", "audio/x-mpegurl", "list.m3u", None, 10),
        ("manifest", "application/dash+xml", "manifest.mpd", "manifest.mpd", 10),
        ("manifest", "text/html", "page.m3u8", "page.m3u8", 10),
        ("media", "video/mp4", "0.m4s", None, 60),
        ("media", 'video/mp4; codecs="av01.0.04M.08"', "0.html", None, 60),
        ("image", "image/avif", "picture.bin", None, 60),
        ("captions", "text/vtt; charset=utf-8", "en.vtt", None, 60),
        # what a browser could run, it keeps
        ("image", "image/svg+xml", "picture.jpg", "picture.jpg", 60),
        ("image", "Text/HTML", "picture.jpg", "picture.jpg", 60),
        ("media", "video/evil+xml", "0.m4s", "0.m4s", 60),
        ("media", "audio/html", "0.m4s", "0.m4s", 60),
        ("media", "application/x-unheard-of", "0.m4s", "0.m4s", 60),
        ("storyboard", "application/pdf", "board.vtt", "board.vtt", 60),
        ("captions", "text/javascript", "en.vtt", "en.vtt", 60),
        # what is not for looking at, whatever it is
        ("download", "audio/mp4", "sound.m4a", "sound.m4a", 60),
        ("file", "text/plain", "a=b@c+d%2e..txt", "a_b_c_d_2e..txt", 60),
    ],
)
def test_the_output_says_how_a_file_is_sent(
    house: House, kind: Any, content_type: str, name: str, attached: str | None, seconds: int
) -> None:
    path = f"g1/step.1/{name}"
    asset = house.published(visibility="public", published=published_with(path, FileType(kind, content_type)))
    house.put(asset, path)
    file = house.delivery.open(house.token(asset), asset.id, path)
    assert (file.content_type, file.attached, file.max_age_seconds) == (content_type, attached, seconds)


def test_what_was_published_before_is_sent_as_it_was_until_nobody_watches_it(house: House) -> None:
    now = house.delivery.stream_tokens.clock()
    page = FileType("file", "text/html")
    new = Publication(2, (), (Files("g2/publish.1/", {"master.m3u8": page}),), 30.7, sources=("g2/publish.1",))
    for until, there in ((now + 60, True), (now - 1, False)):
        followed = replace(new.following(PUBLICATION, now=now - 100, until=until), generation=2)
        asset = house.published(generation=2, published=followed)
        token = house.token(asset)
        assert house.delivery.open(token, asset.id, "g2/publish.1/master.m3u8").content_type == "text/html"
        for path, kept in ((MASTER, "application/vnd.apple.mpegurl"), (PICTURE, "image/jpeg")):
            if there:
                assert house.delivery.open(token, asset.id, path).content_type == kept
                continue
            with pytest.raises(NotFound):
                house.delivery.open(token, asset.id, path)
