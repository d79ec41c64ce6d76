"""Captions that are in the file: shown as uploaded ones, the owner's from then on, whatever is processed again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import m3u8
import pytest

from mediaflow.domain.records import Asset
from mediaflow.services.access.principals import Principal
from mediaflow.services.pipeline.foundcaptions import with_found
from mediaflow.testing.clips import subtitled
from tests.services.working import asset_of, ingest, published_file, work, working_world
from tests.services.world import World

ANN = Principal("ann", "user")
OWN = b"WEBVTT\n\n00:00.500 --> 00:01.500\nmine\n"


def entry(language: str, label: str = "", *, found: bool = True, default: bool = False, path: str = "new") -> Any:
    told = {"language": language, "label": label or language, "default": default, "path": path, "size_bytes": 9}
    return told | ({"found": True} if found else {})


@pytest.mark.parametrize(
    ("captions", "known", "found", "then"),
    [
        pytest.param([], [], [("en", "new")], [("en", "new")], id="found for the first time"),
        pytest.param([entry("en", path="old")], ["en"], [("en", "new")], [("en", "new")], id="found again"),
        pytest.param([entry("en", found=False, path="own")], [], [("en", "new")], [("en", "own")], id="uploaded"),
        pytest.param([], ["en"], [("en", "new"), ("de", "new")], [("de", "new")], id="deleted, and another"),
        pytest.param([entry("en", path="old")], ["en"], [], [("en", "old")], id="found no more"),
    ],
)
def test_what_is_found_changes_nothing_of_the_owners(
    captions: list[Any], known: list[str], found: list[tuple[str, str]], then: list[tuple[str, str]]
) -> None:
    merged = with_found(captions, known, [entry(language, path=path) for language, path in found])

    assert [(each["language"], each["path"]) for each in merged] == then


def test_labels_stay_distinct_and_one_is_the_default() -> None:
    own = entry("en", "Deutsch", found=False, default=True)

    merged = with_found([own], [], [entry("de", "Deutsch", default=True), entry("fr", "x"), entry("it", "X")])

    assert [(each["label"], each["default"]) for each in merged] == [
        ("Deutsch", True),
        ("Deutsch (de)", False),
        ("x", False),
        ("Italiano", False),
    ]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with working_world(tmp_path_factory.mktemp("found")) as world:
        yield world


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("clip")
    texts = {}
    for tag in ("eng", "deu", "fra"):
        texts[tag] = directory / f"{tag}.srt"
        texts[tag].write_text(f"1\n00:00:00,200 --> 00:00:00,800\n{tag} <script>x</script>\n")
    empty = directory / "ita.srt"
    empty.write_text("1\n00:00:00,200 --> 00:00:00,800\n \n")
    return subtitled(directory / "a.mkv", {**texts, "ita": empty}, seconds=1.0)


def told(asset: Asset) -> dict[str, tuple[str, bool]]:
    return {caption["language"]: (caption["label"], bool(caption.get("found"))) for caption in asset.captions}


def shown(world: World, asset: Asset) -> Mapping[str, str]:
    """The text of each language, by way of the HLS playlists."""
    assert asset.published is not None
    entry = asset.published.manifest("hls")
    assert entry is not None
    root = entry.path.rpartition("/")[0]
    found = {}
    for media in m3u8.loads(published_file(world, asset, entry.path).decode()).media:
        if media.type == "SUBTITLES":
            (segment,) = m3u8.loads(published_file(world, asset, f"{root}/{media.uri}").decode()).segments
            text = published_file(world, asset, f"{root}/{segment.uri}").decode()
            found[media.language] = text.splitlines()[-1]
    return found


def test_they_are_in_the_stream_and_the_owners_from_then_on(house: World, clip: Path) -> None:
    asset_id, captions = ingest(house, clip), house.runtime.captions
    work(house)

    asset = asset_of(house, asset_id)
    assert told(asset) == {"en": ("English", True), "de": ("Deutsch", True), "fr": ("Français", True)}
    assert shown(house, asset) == {"en": "eng x", "de": "deu x", "fr": "fra x"}
    assert (asset.media or {})["warnings"] == [
        "The subtitles in 'ita' (stream 5) are left out: no text was found in them."
    ]

    captions.remove(ANN, asset_id, "de")
    captions.put(ANN, asset_id, "fr", [OWN], label=None, default=False)
    first = {caption["language"]: caption["path"] for caption in asset_of(house, asset_id).captions}
    house.runtime.reprocess.asset(ANN, asset_id)
    work(house)

    asset = asset_of(house, asset_id)
    assert asset.generation == 2
    assert told(asset) == {"en": ("English", True), "fr": ("Français", False)}
    assert shown(house, asset) == {"en": "eng x", "fr": "mine"}
    prefix = f"assets/{asset_id}/captions/"
    kept = {info.key for info in house.runtime.storage.list(prefix)}
    assert kept == {f"assets/{asset_id}/{caption['path']}" for caption in asset.captions}
    assert first["en"] not in {caption["path"] for caption in asset.captions}
