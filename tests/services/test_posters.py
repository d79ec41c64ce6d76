"""The picture that an owner chooses: the frame of that moment, kept through reprocessing, the last wish winning."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mediaflow.domain.errors import Conflict, Forbidden, InvalidInput, NotFound
from mediaflow.domain.records import Asset, Job
from mediaflow.services.access.principals import Principal
from mediaflow.services.pipeline.posters import Wish
from mediaflow.testing import clips
from tests.services.records import a_published_asset, an_asset
from tests.services.working import asset_of, ingest, published_file, work, working_world
from tests.services.world import World

ANN = Principal("ann", "user")
COLOURS = {"red": (255, 0, 0), "lime": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}
"""A second of each, in this order."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with working_world(tmp_path_factory.mktemp("posters")) as world:
        yield world


@pytest.fixture(scope="module")
def published(house: World, tmp_path_factory: pytest.TempPathFactory) -> str:
    found = ingest(house, colour_clip(tmp_path_factory.mktemp("clip") / "colours.mp4"))
    work(house)
    return found


@pytest.fixture
def asset_id(house: World, published: str) -> str:
    """A published video of four colours with the picture that the profile chose."""
    house.runtime.posters.choose(ANN, published, None)
    work(house)
    return published


def colour_clip(path: Path) -> Path:
    inputs = [f"color={colour}:size=160x90:rate=25:duration=1" for colour in COLOURS]
    arguments = [argument for graph in inputs for argument in ("-f", "lavfi", "-i", graph)]
    clips.run_ffmpeg([*arguments, "-filter_complex", f"concat=n={len(inputs)}", "-c:v", "libx264", str(path)])
    return path


def picture(world: World, asset_id: str) -> str:
    """The colour in the middle of the picture that viewers get."""
    asset = asset_of(world, asset_id)
    data = published_file(world, asset, image(asset))
    argv = [
        "ffmpeg",
        "-v",
        "error",
        "-f",
        "mjpeg",
        "-i",
        "-",
        "-vf",
        "scale=1:1",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-",
    ]
    pixel = subprocess.run(argv, input=data, capture_output=True, check=True).stdout
    return min(COLOURS, key=lambda name: sum(abs(a - b) for a, b in zip(COLOURS[name], pixel, strict=True)))


def image(asset: Asset) -> str:
    """The path of the picture that stands for the asset."""
    found = asset.published and asset.published.first("image")
    assert found
    return found.path


def choose(world: World, asset_id: str, seconds: float | None) -> None:
    world.runtime.posters.choose(ANN, asset_id, seconds)


def poster_jobs(world: World, asset_id: str) -> list[Job]:
    return world.runtime.database.jobs.find({"asset_id": asset_id, "kind": "poster"}, sort=("created_at",))


@pytest.mark.parametrize(
    ("seconds", "colour"),
    [
        (0, "red"),
        (0.96, "red"),
        (0.99, "red"),
        (1.0, "lime"),
        (1.5, "lime"),
        (2.999, "blue"),
        (3.0, "white"),
        (4.0, "white"),
    ],
)
def test_the_picture_is_what_a_viewer_sees_at_that_time(
    house: World, published: str, seconds: float, colour: str
) -> None:
    choose(house, published, seconds)
    work(house)

    assert picture(house, published) == colour
    assert asset_of(house, published).poster_seconds == seconds
    assert poster_jobs(house, published)[-1].state == "done"


def test_the_old_picture_stays_until_the_new_one_is_made(house: World, asset_id: str) -> None:
    before = asset_of(house, asset_id).published

    choose(house, asset_id, 2.5)

    assert asset_of(house, asset_id).published == before
    assert picture(house, asset_id) == "red"
    assert asset_of(house, asset_id).state == "ready"


def test_the_automatic_picture_comes_back(house: World, asset_id: str) -> None:
    automatic = image(asset_of(house, asset_id))
    choose(house, asset_id, 2.5)
    work(house)
    assert picture(house, asset_id) == "blue"
    assert published_file(house, asset_of(house, asset_id), automatic).startswith(b"\xff\xd8"), "pages show it still"

    choose(house, asset_id, None)
    work(house)

    assert picture(house, asset_id) == "red"
    assert asset_of(house, asset_id).poster_seconds is None
    jobs = len(poster_jobs(house, asset_id))
    choose(house, asset_id, None)
    assert len(poster_jobs(house, asset_id)) == jobs, "nothing is left to do"


def test_the_last_wish_wins_in_whatever_order_the_work_is_done(house: World, asset_id: str) -> None:
    choose(house, asset_id, 1.5)
    choose(house, asset_id, 2.5)
    choose(house, asset_id, 3.5)
    work(house, "step")

    tasks = house.runtime.database.tasks.find({"stage": "poster", "state": "pending"}, sort=("-created_at",))
    assert len(tasks) == 3
    for task in tasks:  # the newest first
        assert task.ready
        house.runtime.execution.handlers["poster"](task, None)  # type: ignore[arg-type]
    assert picture(house, asset_id) == "white"
    work(house)
    assert picture(house, asset_id) == "white"


def test_a_choice_is_kept_when_the_asset_is_processed_again(house: World, asset_id: str) -> None:
    choose(house, asset_id, 2.5)
    work(house)
    jobs = len(poster_jobs(house, asset_id))
    house.runtime.reprocess.asset(ANN, asset_id)
    work(house)

    asset = asset_of(house, asset_id)
    assert image(asset).startswith(f"g{asset.generation}/thumbnail.")
    assert picture(house, asset_id) == "blue"
    assert len(poster_jobs(house, asset_id)) == jobs


@pytest.mark.parametrize("when", ["while it is encoded", "before the old generation's picture is made"])
def test_a_choice_during_processing_is_shown_by_the_next_generation(house: World, asset_id: str, when: str) -> None:
    house.runtime.reprocess.asset(ANN, asset_id)
    work(house, "probe", "validate", "plan")
    choose(house, asset_id, 3.5)
    if when == "while it is encoded":
        work(house, "step", "poster")
        assert picture(house, asset_id) == "white"
    work(house, "step", "package", "publish")
    work(house)

    asset = asset_of(house, asset_id)
    assert image(asset).startswith(f"g{asset.generation}/poster-")
    assert picture(house, asset_id) == "white"


def test_captions_and_picture_do_not_undo_each_other(house: World, asset_id: str) -> None:
    choose(house, asset_id, 2.5)
    cue = b"WEBVTT\n\n00:01.000 --> 00:02.000\nHello\n"
    house.runtime.captions.put(ANN, asset_id, "en", [cue], label=None, default=False)
    work(house)

    published = asset_of(house, asset_id).published
    assert published is not None
    assert [caption.name for caption in published.of_kind("captions")] == ["en"]
    assert picture(house, asset_id) == "blue"


def test_a_picture_that_was_never_wished_for_changes_nothing(house: World, asset_id: str) -> None:
    """The job is kept before the wish; here the process died in between."""
    posters, asset = house.runtime.posters, asset_of(house, asset_id)
    job = posters._added(asset, Wish(2.5))
    house.runtime.reconciler.sweep()
    work(house)

    done = house.runtime.database.jobs.get(job.id)
    assert done is not None
    assert done.state == "done"
    assert asset_of(house, asset_id).published == asset.published
    choose(house, asset_id, 2.5)
    work(house)
    assert picture(house, asset_id) == "blue"


def test_a_time_outside_of_the_video_is_refused_with_its_duration(house: World, asset_id: str) -> None:
    for seconds in (4.1, -1):
        with pytest.raises(InvalidInput, match="must be 0 to 4, the video's duration in seconds") as caught:
            choose(house, asset_id, seconds)
        assert caught.value.problems[0].pointer == "/time_seconds"


def test_sound_has_no_picture(house: World, tmp_path: Path) -> None:
    asset_id = ingest(house, clips.audio_only(tmp_path / "c.m4a", seconds=1.0))
    work(house)
    assert asset_of(house, asset_id).state == "ready"
    with pytest.raises(InvalidInput, match="no video"):
        choose(house, asset_id, 0.5)
    choose(house, asset_id, None)
    assert poster_jobs(house, asset_id) == []


def test_nothing_published_or_no_original_is_a_conflict(house: World, asset_id: str) -> None:
    database = house.runtime.database
    new = an_asset()
    lost = replace(asset_of(house, asset_id), id=new.upload_id, original_key="originals/ann/gone", rev=1)
    for asset in (new, lost):
        database.assets.insert(asset)
    for asset, sentence in ((new, "not ready yet"), (lost, "original is gone")):
        with pytest.raises(Conflict, match=sentence):
            choose(house, asset.id, 1.0)
        assert asset_of(house, asset.id).poster_seconds is None


def test_only_who_may_change_the_asset_chooses(world: World) -> None:
    asset = a_published_asset(shared_with=["carol"])
    world.runtime.database.assets.insert(asset)
    for name, refusal in (("bob", NotFound), ("carol", Forbidden)):
        with pytest.raises(refusal):
            world.runtime.posters.choose(Principal(name, "user"), asset.id, 1.0)


def test_a_deleted_asset_gets_no_picture(house: World, asset_id: str) -> None:
    choose(house, asset_id, 2.5)
    house.runtime.trash.delete(ANN, asset_id)
    work(house)
    assert poster_jobs(house, asset_id)[-1].state == "cancelled"
    house.runtime.trash.restore(ANN, asset_id)
    choose(house, asset_id, 2.5)
    work(house)
    assert picture(house, asset_id) == "blue"
