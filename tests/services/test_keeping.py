"""Originals that are archived, brought back, deleted: by wish and by profile, whatever dies over it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from mediaflow.domain import keys
from mediaflow.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from mediaflow.domain.records import Asset
from mediaflow.plugin import ConfigurationError
from mediaflow.services.access.principals import Principal
from mediaflow.services.originals.states import original_state
from mediaflow.services.upkeep.linkwatch import LinkWatch
from mediaflow.testing.clips import make_clip
from mediaflow_local.storage import LocalStorage
from tests.services.test_folders import Bench as Library
from tests.services.test_folders import Killed
from tests.services.world import World, make_world

ANN = Principal("ann", "user")


@dataclass
class Bench:
    """A film of ann's that is ready, with a second storage."""

    world: World
    archive: LocalStorage
    asset_id: str

    @property
    def asset(self) -> Asset:
        asset = self.world.runtime.database.assets.get(self.asset_id)
        assert asset is not None
        return asset

    @property
    def state(self) -> str:
        return original_state(self.asset)

    def work(self) -> None:
        self.world.runtime.keeping.sweep()
        while self.world.runtime.execution.work():
            pass

    def wish(self, place: str) -> str:
        self.world.runtime.keeping.wish(ANN, self.asset_id, place)
        self.work()
        assert self.asset.original_wanted is None
        return self.state

    @property
    def kept(self) -> tuple[int, int]:
        """Originals in the storage, and in the archive."""
        stored = sum(1 for _ in self.world.runtime.storage.list("originals/"))
        return stored, sum(1 for _ in self.archive.list(""))

    def check(self) -> None:
        assert list(self.world.runtime.fsck(deep=True).findings()) == []


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("film") / "film.mp4", seconds=1)


def a_bench(directory: Path, film: Path, **settings: str) -> Bench:
    archive = directory / "archive"
    world = make_world(directory / "service", **{"archive_url": f"local:{archive}", **settings})
    (folder := directory / "library").mkdir()
    (folder / "film.mp4").write_bytes(film.read_bytes())
    library = Library(world, folder)
    library.taken()
    library.process()
    (asset,) = library.assets().values()
    assert (asset.state, asset.error) == ("ready", None)
    return Bench(world, LocalStorage(archive), asset.id)


@pytest.fixture
def bench(tmp_path: Path, film: Path) -> Iterator[Bench]:
    made = a_bench(tmp_path, film)
    yield made
    made.world.runtime.close()


def test_it_goes_to_the_archive_is_processed_from_there_and_comes_back(bench: Bench, film: Path) -> None:
    assert (bench.state, bench.kept) == ("stored", (1, 0))
    assert bench.wish("archived") == "archived"
    assert bench.kept == (0, 1)
    bench.check()
    runtime = bench.world.runtime
    assert b"".join(runtime.files.read(bench.asset.original_key or "")) == film.read_bytes()

    runtime.reprocess.asset(ANN, bench.asset_id)
    bench.work()

    assert (bench.asset.state, bench.asset.generation, bench.asset.error) == ("ready", 2, None)
    assert (bench.state, bench.kept) == ("archived", (0, 1))
    assert bench.wish("stored") == "stored"
    assert bench.kept == (1, 0)
    bench.check()
    told = [event.data["state"] for event in runtime.events.after(0) if event.name == "original.changed"]
    assert told == ["archived", "stored"]


def test_what_is_deleted_plays_on_and_says_why_nothing_else_is_made_of_it(bench: Bench) -> None:
    assert bench.wish("deleted") == "deleted"
    assert bench.kept == (0, 0)
    bench.check()
    asset, runtime = bench.asset, bench.world.runtime
    assert (asset.state, asset.playable) == ("ready", True)
    with pytest.raises(Conflict):
        runtime.reprocess.asset(ANN, asset.id)
    with pytest.raises(Conflict):
        runtime.posters.choose(ANN, asset.id, 0.5)
    for place in ("stored", "archived"):
        with pytest.raises(Conflict):
            runtime.keeping.wish(ANN, asset.id, place)
    assert runtime.keeping.wish(ANN, asset.id, "deleted").original_wanted is None


def test_a_wish_is_taken_back_by_that_for_where_it_is(bench: Bench) -> None:
    keeping = bench.world.runtime.keeping
    assert keeping.wish(ANN, bench.asset_id, "deleted").original_wanted == "deleted"
    assert keeping.wish(ANN, bench.asset_id, "stored").original_wanted is None
    bench.work()
    assert (bench.state, bench.kept) == ("stored", (1, 0))
    bench.check()


def test_others_may_not_and_nobody_without_an_archive(tmp_path: Path, film: Path) -> None:
    bench = a_bench(tmp_path, film, archive_url="")
    keeping = bench.world.runtime.keeping
    with pytest.raises(Conflict) as refused:
        keeping.wish(ANN, bench.asset_id, "archived")
    assert refused.value.code == "asset.no_archive"
    with pytest.raises(NotFound):
        keeping.wish(Principal("bob", "user"), bench.asset_id, "deleted")
    bench.world.runtime.database.assets.change(bench.asset_id, {}, {"shared_with": ["bob"]})
    with pytest.raises(Forbidden):
        keeping.wish(Principal("bob", "user"), bench.asset_id, "deleted")
    bench.world.runtime.close()


def test_an_original_that_sizes_are_made_of_stays(bench: Bench) -> None:
    published = bench.asset.published
    assert published is not None
    demanded = tuple({**each, "when": "on_demand"} for each in published.renditions)
    bench.world.runtime.database.assets.change(
        bench.asset_id, {}, {"published": replace(published, renditions=demanded)}
    )
    for place in ("archived", "deleted"):
        with pytest.raises(Conflict) as refused:
            bench.world.runtime.keeping.wish(ANN, bench.asset_id, place)
        assert refused.value.code == "asset.needs_original"


def test_the_other_asset_of_the_same_bytes_keeps_its_original(bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "second"
    folder.mkdir()
    (folder / "again.mp4").write_bytes((tmp_path / "library" / "film.mp4").read_bytes())
    library = Library(bench.world, folder)
    library.taken()
    library.process()
    again = library.assets()["again"]
    assert bench.kept == (1, 0)
    assert bench.wish("archived") == "archived"
    assert bench.kept == (1, 1)
    assert bench.wish("deleted") == "deleted"
    assert bench.kept == (1, 0)
    assert again.original_key is not None
    assert bench.world.runtime.storage.stat(again.original_key) is not None
    bench.check()


def test_a_purge_takes_the_archived_original_too(bench: Bench) -> None:
    bench.wish("archived")
    runtime = bench.world.runtime
    runtime.trash.delete(ANN, bench.asset_id)
    runtime.database.assets.change(bench.asset_id, {}, {"purge_at": 1.0})
    runtime.reconciler.sweep()
    assert runtime.database.assets.get(bench.asset_id) is None
    assert bench.kept == (0, 0)


@pytest.mark.parametrize("route", [("archived", "stored"), ("deleted",)], ids=["there and back", "deleted"])
def test_whoever_dies_over_it_loses_nothing(
    bench: Bench, film: Path, route: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before any write of a document or an object: it is where it was or where it is to be, and once only."""
    runtime = bench.world.runtime
    keeping: Any = runtime.keeping
    documents: Any = type(runtime.database.assets)
    for place in route:
        for dies_at in range(1, 30):
            keeping.wish(ANN, bench.asset_id, place)
            if bench.state == place:
                break
            writes = 0

            def dying(real: Any, dies_at: int = dies_at) -> Any:
                def counted(*given: Any, **more: Any) -> Any:
                    nonlocal writes
                    writes += 1
                    if writes == dies_at:
                        raise Killed
                    return real(*given, **more)

                return counted

            with monkeypatch.context() as patch, suppress(Killed):
                for owner, names in ((documents, ("insert", "change", "remove")), (LocalStorage, ("put", "delete"))):
                    for name in names:
                        patch.setattr(owner, name, dying(getattr(owner, name)))
                while runtime.execution.work():
                    pass
            assert sum(bench.kept) >= 1 or place == "deleted"
            if bench.state != "deleted":
                assert b"".join(runtime.files.read(bench.asset.original_key or "")) == film.read_bytes()
            # its lease ends, and another worker goes on
            for task in runtime.database.tasks.find({"state": "running"}):
                runtime.database.tasks.change(task.id, {}, {"lease_until": 1.0})
            runtime.reconciler.sweep()
            bench.work()
            assert bench.state == place
            assert bench.kept == {"stored": (1, 0), "archived": (0, 1), "deleted": (0, 0)}[place]
            bench.check()
            if writes < dies_at or place == "deleted":
                break
            bench.wish("stored" if place == "archived" else "archived")


def test_a_linked_file_is_copied_or_forgotten_and_never_deleted(tmp_path: Path, film: Path) -> None:
    world = make_world(tmp_path / "service", archive_url=f"local:{tmp_path / 'archive'}")
    (folder := tmp_path / "library").mkdir()
    paths = [folder / f"{name}.mp4" for name in ("stored", "archived", "deleted")]
    for number, path in enumerate(paths):
        path.write_bytes(film.read_bytes() + (9).to_bytes(4) + b"free" + bytes([number]))
    library = Library(world, folder)
    library.taken(link=True)
    library.process()
    archive = LocalStorage(tmp_path / "archive")
    for title, asset in library.assets().items():
        bench = Bench(world, archive, asset.id)
        assert bench.state == "linked"
        assert bench.wish(title) == title
    assert all(path.exists() for path in paths)
    assert bench.kept == (1, 1)
    assert library.assets()["archived"].original_key == keys.archived_key(library.assets()["archived"].id)
    bench.check()
    for path in paths:  # nobody looks after them any more
        path.unlink()
    LinkWatch(world.runtime.database, world.runtime.files, world.runtime.relay).sweep()
    assert [each.original_gone_at for each in library.assets().values()] == [None] * 3
    world.runtime.close()


PROFILE = """
name: once
description: For a test
segment_seconds: 4
frame_rate_max: 30
ladder: [{name: 144p, height: 144, video_bitrate_bps: 200000, audio_bitrate_bps: 64000%s}]
steps: [{step: video.h264}, {step: audio.aac}]
manifests: [hls]
original: %s
"""


@pytest.mark.parametrize(("policy", "state", "kept"), [("archive", "archived", (0, 1)), ("delete", "deleted", (0, 0))])
def test_a_profile_may_say_so(tmp_path: Path, film: Path, policy: str, state: str, kept: tuple[int, int]) -> None:
    (profiles := tmp_path / "profiles").mkdir()
    (profiles / "once.yaml").write_text(PROFILE % ("", policy))
    bench = a_bench(tmp_path, film, profiles_dir=str(profiles), default_profile="once")
    assert str(bench.asset.original_wanted) == state
    bench.work()
    assert (bench.state, bench.kept) == (state, kept)
    assert bench.asset.original_wanted is None
    bench.check()
    bench.world.runtime.close()


@pytest.mark.parametrize(
    ("when", "policy", "archive", "said"),
    [
        (", when: on_demand", "delete", "x", "what is made on demand needs its original"),
        ("", "archive", "", "set MEDIAFLOW_ARCHIVE_URL"),
        ("", "forget", "", "must be keep or archive or delete"),
    ],
)
def test_a_profile_that_can_not_is_refused(tmp_path: Path, when: str, policy: str, archive: str, said: str) -> None:
    (profiles := tmp_path / "profiles").mkdir()
    (profiles / "once.yaml").write_text(PROFILE % (when, policy))
    with pytest.raises(ConfigurationError, match=said):
        make_world(tmp_path / "service", profiles_dir=str(profiles), archive_url=archive and f"local:{tmp_path}/a")


def test_sizes_are_dropped_and_added_later(tmp_path: Path, film: Path) -> None:
    (profiles := tmp_path / "profiles").mkdir()
    rungs = ", ".join(
        f"{{name: {height}p, height: {height}, video_bitrate_bps: 200000, audio_bitrate_bps: 64000}}"
        for height in (120, 90)
    )
    ladder = re.sub(r"ladder: \[.*\]", f"ladder: [{rungs}]", PROFILE % ("", "keep"))
    (profiles / "once.yaml").write_text(ladder)
    bench = a_bench(tmp_path, film, profiles_dir=str(profiles), default_profile="once")
    reprocess = bench.world.runtime.reprocess

    def heights() -> list[int]:
        assert (bench.asset.state, bench.asset.error) == ("ready", None)
        assert bench.asset.published is not None
        return sorted(int(each["height"]) for each in bench.asset.published.renditions)

    assert heights() == [90, 120]
    with pytest.raises(InvalidInput) as refused:
        reprocess.asset(ANN, bench.asset_id, None, ["120p", "1080p"])
    assert refused.value.problems[0].pointer == "/renditions/1"
    for wished, expected in ((["90p"], [90]), (None, [90]), (["120p"], [120]), ([], [90, 120])):
        reprocess.asset(ANN, bench.asset_id, None, wished)
        bench.work()
        assert heights() == expected
    bench.world.runtime.close()
