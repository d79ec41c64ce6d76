"""Captions in what viewers get: at once, in every later generation, and whatever else changes at the same moment."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import m3u8
import pytest

from mediaflow.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, TooLarge
from mediaflow.domain.ids import new_id
from mediaflow.domain.records import SCHEMA_VERSION, Asset
from mediaflow.plugin import ObjectInfo
from mediaflow.services.access.principals import Principal
from mediaflow.services.assets.captions import Captions
from mediaflow.services.pipeline.rendering import Rendering
from mediaflow.services.text.captionlimits import MOST_LANGUAGES
from mediaflow.testing import clips
from mediaflow_local.storage import LocalStorage
from tests.services.records import a_published_asset, an_asset
from tests.services.working import asset_of, ingest, published_file, work, working_world
from tests.services.world import World

ANN, BOB = Principal("ann", "user"), Principal("bob", "user")
HELLO = b"WEBVTT\n\n00:00.500 --> 00:01.500\nHello\n"
SCHEMA_1 = Path(__file__).parents[1] / "data" / "documents" / "published-schema-1.json"
FIRST = "g1/package.1/master.m3u8"
REGIONS = re.findall("..", "AUBECACHDEDKESFIFRGBIEINITJPLUMCNLNONZPLPTSESGUSZA")
HALLO = b"1\n00:00:00,500 --> 00:00:01,500\nHallo\n"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with working_world(tmp_path_factory.mktemp("captions")) as world:
        yield world


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clips.make_clip(tmp_path_factory.mktemp("clip") / "c.mp4", seconds=1.0)


@pytest.fixture(scope="module")
def published(house: World, clip: Path) -> str:
    found = ingest(house, clip)
    work(house)
    assert asset_of(house, found).state == "ready"
    return found


@pytest.fixture
def asset_id(house: World, published: str) -> str:
    """A published asset without captions."""
    for caption in asset_of(house, published).captions:
        house.runtime.captions.remove(ANN, published, caption["language"])
    return published


def next_generation(world: World, asset_id: str) -> int:
    """Begin to process the asset again; the generation that will come of it."""
    return world.runtime.reprocess.asset(ANN, asset_id).generation + 1


def put(world: World, asset_id: str, language: str, data: bytes = HELLO, **options: Any) -> Asset:
    options = {"label": None, "default": False} | options
    return world.runtime.captions.put(ANN, asset_id, language, [data], **options)[0]


def shown(world: World, asset_id: str) -> dict[str, str]:
    """What a player finds: the file of each language, by way of the manifests. Everything that they name is there."""
    asset = asset_of(world, asset_id)
    entry = hls(asset)
    root = entry.rpartition("/")[0]
    master = m3u8.loads(published_file(world, asset, entry).decode())
    found: dict[str, str] = {}
    for media in [*master.media, *master.playlists]:
        playlist = m3u8.loads(published_file(world, asset, f"{root}/{media.uri}").decode())
        segments = [segment.uri for segment in playlist.segments]
        for uri in segments:
            data = published_file(world, asset, _normal(f"{root}/{uri}"))
            if getattr(media, "type", None) == "SUBTITLES":
                found[media.language] = data.decode()
    grouped = {playlist.stream_info.subtitles for playlist in master.playlists}
    assert grouped == ({"captions"} if found else {None})
    return found


def hls(asset: Asset) -> str:
    """The path of the HLS manifest."""
    found = asset.published and asset.published.manifest("hls")
    assert found
    return found.path


def _normal(path: str) -> str:
    parts: list[str] = []
    for part in path.split("/"):
        parts = parts[:-1] if part == ".." else [*parts, part]
    return "/".join(parts)


def test_captions_are_in_the_stream_at_once(house: World, asset_id: str) -> None:
    before = asset_of(house, asset_id)

    asset = put(house, asset_id, "EN", default=True)
    put(house, asset_id, "ger", HALLO)

    found = shown(house, asset_id)
    assert found.keys() == {"en", "de"}
    assert found["en"] == (
        "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:90000,LOCAL:00:00:00.000\n\n00:00:00.500 --> 00:00:01.500\nHello\n"
    )
    assert "Hallo" in found["de"]
    told, known = (
        {(output.kind, output.name): output for output in (a.published.outputs if a.published else ())}
        for a in (asset, before)
    )
    assert {key for key in told if told[key] != known.get(key)} == {("manifest", "hls"), ("captions", "en")}
    assert told["captions", "en"].title == "English"
    assert published_file(house, asset, hls(before)).startswith(b"#EXTM3U"), "who watches goes on"


def test_the_list_tells_label_and_default(house: World, asset_id: str) -> None:
    put(house, asset_id, "en", label="For the deaf", default=True)
    put(house, asset_id, "pt-br", default=True)

    told = [(c["language"], c["label"], c["default"]) for c in asset_of(house, asset_id).captions]
    assert told == [("en", "For the deaf", False), ("pt-BR", "Português (Brasil)", True)]
    put(house, asset_id, "en", HALLO)
    assert [c["language"] for c in asset_of(house, asset_id).captions] == ["en", "pt-BR"], (
        "a replaced one stays in place"
    )


def test_replaced_and_removed_captions_leave_no_upload_behind(house: World, asset_id: str) -> None:
    put(house, asset_id, "en")
    put(house, asset_id, "en", HALLO)
    assert "Hallo" in shown(house, asset_id)["en"]
    assert len(list(house.runtime.storage.list(f"assets/{asset_id}/captions/"))) == 1

    house.runtime.captions.remove(ANN, asset_id, "EN")

    assert shown(house, asset_id) == {}
    assert asset_of(house, asset_id).captions == []
    assert list(house.runtime.storage.list(f"assets/{asset_id}/captions/")) == []
    with pytest.raises(NotFound, match="no captions"):
        house.runtime.captions.remove(ANN, asset_id, "en")


def test_captions_that_come_first_are_shown_when_the_asset_is_published(house: World, clip: Path) -> None:
    asset_id = ingest(house, clip)
    put(house, asset_id, "en")

    work(house)

    assert shown(house, asset_id).keys() == {"en"}


def test_the_next_generation_has_them_too(house: World, asset_id: str) -> None:
    put(house, asset_id, "en")
    generation = next_generation(house, asset_id)
    put(house, asset_id, "de", HALLO)
    assert shown(house, asset_id).keys() == {"en", "de"}

    work(house)

    asset = asset_of(house, asset_id)
    assert (asset.generation, asset.published and asset.published.generation) == (generation, generation)
    assert hls(asset).startswith(f"g{generation}/captions.")
    assert shown(house, asset_id).keys() == {"en", "de"}


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"WEBVTT\n\nno times", "captions.invalid"), (b"\x00\xff", "captions.invalid")],
)
def test_a_broken_file_changes_nothing(house: World, asset_id: str, data: bytes, code: str) -> None:
    before = asset_of(house, asset_id)

    with pytest.raises(InvalidInput) as caught:
        put(house, asset_id, "en", data)

    assert caught.value.code == code
    assert asset_of(house, asset_id) == before


def test_limits_are_kept(world: World) -> None:
    asset = an_asset()
    world.runtime.database.assets.insert(asset)
    with pytest.raises(TooLarge, match="524288 bytes"):
        world.runtime.captions.put(ANN, asset.id, "en", iter(lambda: b"x" * 1000, b""), label=None, default=False)
    tags = [f"{language}-{region}" for language in ("en", "fr") for region in REGIONS]
    assert len(tags) == MOST_LANGUAGES
    for tag in tags:
        put(world, asset.id, tag)
    with pytest.raises(Conflict, match="captions in 50 languages"):
        put(world, asset.id, "de")
    put(world, asset.id, tags[0])
    assert len(list(world.runtime.storage.list(f"assets/{asset.id}/captions/"))) == 50


def test_two_captions_have_two_names(world: World) -> None:
    asset = an_asset()
    world.runtime.database.assets.insert(asset)
    put(world, asset.id, "en")
    with pytest.raises(InvalidInput, match="captions in en are called 'English' already"):
        put(world, asset.id, "fr", label="ENGLISH")


def test_only_who_may_change_the_asset_changes_captions(world: World) -> None:
    asset = an_asset(shared_with=["carol"])
    world.runtime.database.assets.insert(asset)
    for principal, refusal in ((BOB, NotFound), (Principal("carol", "user"), Forbidden)):
        with pytest.raises(refusal):
            world.runtime.captions.put(principal, asset.id, "en", [HELLO], label=None, default=False)
        with pytest.raises(refusal):
            world.runtime.captions.remove(principal, asset.id, "en")
    assert world.runtime.captions.of(Principal("carol", "user"), asset.id).captions == []
    world.runtime.captions.put(Principal("root", "admin"), asset.id, "en", [HELLO], label=None, default=False)


def test_what_was_published_before_captions_were_known_of_stays_as_it_is(world: World) -> None:
    asset = a_published_asset()
    world.runtime.database.assets.insert(asset)

    changed = put(world, asset.id, "en")

    assert changed.published == asset.published
    assert len(changed.captions) == 1


def test_an_asset_of_schema_1_plays_and_gets_captions_and_another_picture(house: World, published: str) -> None:
    """Its document as it was written then, its files as they were made then."""
    runtime, new = house.runtime, new_id()
    for info in list(runtime.storage.list(f"assets/{published}/g1/")):
        data = b"".join(runtime.storage.read(info.key))
        key = info.key.replace(published, new)
        runtime.storage.put(key, [data], size_bytes=len(data), content_type="text/plain")
    fresh: dict[str, Any] = {
        "generation": 1,
        "next_generation": 1,
        "captions": [],
        "poster_seconds": None,
        "published": None,
        "rev": 1,
    }
    runtime.database.assets.insert(replace(asset_of(house, published), id=new, **fresh))
    document = json.loads(SCHEMA_1.read_text())
    document |= {"hls": FIRST, "manifests": {"hls": FIRST}, "captions": []}
    with closing(sqlite3.connect(Path(runtime.settings.data_dir) / "mediaflow.db")) as connection:
        connection.execute("UPDATE assets SET published = ?, schema = 1 WHERE id = ?", (json.dumps(document), new))
        connection.commit()
    assert shown(house, new) == {}
    made = {info.key: info.modified_at for info in runtime.storage.list(f"assets/{new}/g1/")}

    put(house, new, "en")
    assert shown(house, new).keys() == {"en"}
    runtime.posters.choose(ANN, new, 0.5)
    work(house)

    asset = asset_of(house, new)
    assert shown(house, new).keys() == {"en"}
    assert asset.schema == SCHEMA_VERSION
    picture = asset.published and asset.published.first("image")
    assert picture
    assert picture.path.startswith("g1/poster-")
    for path in (FIRST, "g1/thumbnail.1/thumbnail.jpg", picture.path):
        assert published_file(house, asset, path), "who watches goes on"
    after = {info.key: info.modified_at for info in runtime.storage.list(f"assets/{new}/g1/")}
    assert after.items() >= made.items(), "nothing was made again"


def test_captions_of_a_deleted_asset_are_refused_and_nothing_is_left(house: World, asset_id: str) -> None:
    files = [info.key for info in house.runtime.storage.list(f"assets/{asset_id}/")]
    meddling = Meddling(house, "/captions.", lambda: house.runtime.trash.delete(ANN, asset_id))

    with pytest.raises(NotFound):
        meddling.captions.put(ANN, asset_id, "en", [HELLO], label=None, default=False)

    assert [info.key for info in house.runtime.storage.list(f"assets/{asset_id}/")] == files
    house.runtime.trash.restore(ANN, asset_id)


# --- what happens at the same moment


class Meddling(LocalStorage):
    """The world's storage, with something that happens just before the first object of a kind is put into it."""

    def __init__(self, world: World, within: str, happens: Callable[[], object]) -> None:
        super().__init__(Path(world.runtime.settings.data_dir) / "objects")
        self._within, self._happens = within, happens
        self.happened = False
        self.captions = Captions(
            world.runtime.database, self, Rendering(self, world.runtime.plugins, 3600), world.runtime.relay
        )

    def put(self, key: str, blocks: Iterable[bytes], *, size_bytes: int, content_type: str) -> ObjectInfo:
        if self._within in key and not self.happened:
            self.happened = True
            self._happens()
        return super().put(key, blocks, size_bytes=size_bytes, content_type=content_type)


def test_a_generation_published_meanwhile_gets_the_captions(house: World, asset_id: str) -> None:
    generation = next_generation(house, asset_id)
    work(house, "probe", "validate", "plan", "step", "package")
    meddling = Meddling(house, "/captions.", lambda: work(house))

    meddling.captions.put(ANN, asset_id, "en", [HELLO], label=None, default=False)

    published = asset_of(house, asset_id).published
    assert meddling.happened
    assert published is not None
    assert published.generation == generation
    assert shown(house, asset_id).keys() == {"en"}


def test_captions_that_come_while_a_generation_is_published_are_in_it(house: World, asset_id: str) -> None:
    put(house, asset_id, "en")
    generation = next_generation(house, asset_id)
    work(house, "probe", "validate", "plan", "step", "package")
    meddling = Meddling(house, f"g{generation}/captions.", lambda: put(house, asset_id, "de", HALLO))
    publishing = house.runtime.execution.handlers["publish"].__self__  # type: ignore[attr-defined]
    object.__setattr__(publishing, "rendering", Rendering(meddling, house.runtime.plugins, 3600))

    try:
        work(house)
    finally:
        object.__setattr__(publishing, "rendering", Rendering(house.runtime.storage, house.runtime.plugins, 3600))

    assert meddling.happened
    assert asset_of(house, asset_id).generation == generation
    assert shown(house, asset_id).keys() == {"en", "de"}


def test_many_changes_at_once_are_all_kept(house: World, asset_id: str) -> None:
    tags = ["en", "de", "fr", "es", "it", "nl"]
    before = rendered(house, asset_id)

    def change(tag: str) -> None:
        for _ in range(20):
            try:
                put(house, asset_id, tag)
            except Conflict:
                continue
            return

    threads = [threading.Thread(target=change, args=(tag,)) for tag in tags]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert shown(house, asset_id).keys() == set(tags)
    made = rendered(house, asset_id) - before
    assert hls(asset_of(house, asset_id)).rpartition("/")[0] in made
    assert len(made) == len(tags), "what lost is removed, what was published stays"


def rendered(world: World, asset_id: str) -> set[str]:
    """The paths under which manifests with captions lie."""
    keys = [info.key for info in world.runtime.storage.list(f"assets/{asset_id}/")]
    return {"/".join(key.split("/")[2:4]) for key in keys if "/captions." in key}
