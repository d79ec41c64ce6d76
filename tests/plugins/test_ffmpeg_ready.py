"""Several sizes of a film that are there already: put into one file, uploaded, and played as they are."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mediaflow.client.joining import PROFILE, joined
from mediaflow.domain.records import Asset
from mediaflow.plugin import InvalidInput
from mediaflow.testing.clips import run_ffmpeg
from tests.services.working import asset_of, ingest, track, work, working_world
from tests.services.world import World

PICTURE = "testsrc2=size=320x180:rate=25:duration=9"
KEYS = ["-force_key_frames", "0,3,4.2,7.6", "-sc_threshold", "0"]


def size(path: Path, height: int, *options: str, picture: str = PICTURE) -> Path:
    """A size of the film, with its sound."""
    inputs = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", "sine=880:duration=9:sample_rate=44100"]
    scaled = ["-vf", f"scale=-2:{height}", "-c:v", "libx264", "-pix_fmt", "yuv420p", *KEYS, *options]
    run_ffmpeg([*inputs, *scaled, "-c:a", "aac", "-ac", "2", str(path)])
    return path


@pytest.fixture(scope="module")
def sizes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    directory = tmp_path_factory.mktemp("ready")
    return {f"{height}p": size(directory / f"film {height}.mp4", height, "-crf", "30") for height in (180, 90)}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with working_world(tmp_path_factory.mktemp("world")) as world:
        yield world


def processed(world: World, film: Path, *others: Path) -> Asset:
    with joined(film, others) as file:
        assert file.name == f"{film.stem}.mp4"
        asset_id = ingest(world, file, profile=PROFILE)
    assert not file.exists()
    work(world)
    return asset_of(world, asset_id)


@pytest.fixture(scope="module")
def asset(world: World, sizes: dict[str, Path]) -> Asset:
    asset = processed(world, sizes["90p"], sizes["180p"])
    assert asset.state == "ready", asset.error
    return asset


def packets(file: Path, kind: str) -> list[str]:
    """The size and the checksum of each packet, without the messages beside the pictures."""
    argv = ["ffmpeg", "-v", "error", "-i", str(file), "-map", f"0:{kind}", "-c", "copy"]
    argv += ["-bsf:v", "filter_units=remove_types=6"] if kind == "v" else []
    told = subprocess.run([*argv, "-f", "framecrc", "-"], check=True, capture_output=True, text=True).stdout
    return [",".join(line.split(",")[4:6]) for line in told.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("name", ["180p", "90p"])
def test_each_size_is_what_was_sent(
    world: World, asset: Asset, sizes: dict[str, Path], name: str, tmp_path: Path
) -> None:
    assert packets(track(world, asset, name, tmp_path), "v") == packets(sizes[name], "v")


def test_the_sound_is_that_of_the_first_file(
    world: World, asset: Asset, sizes: dict[str, Path], tmp_path: Path
) -> None:
    assert packets(track(world, asset, "audio", tmp_path), "a") == packets(sizes["90p"], "a")


def test_its_plan_tells_of_the_sizes(world: World, asset: Asset) -> None:
    job = world.runtime.database.jobs.get(asset.job_id or "")
    assert job is not None
    assert job.plan is not None
    assert [(each["name"], each["copied"]) for each in job.plan["video"]] == [("180p", True), ("90p", True)]


def test_it_has_a_picture_and_files_to_keep(asset: Asset) -> None:
    assert asset.published is not None
    assert [each["name"] for each in asset.published.renditions] == ["180p", "90p"]
    assert {output.kind for output in asset.published.outputs} >= {"manifest", "image", "storyboard", "download"}
    assert asset.published.warnings == ()


def test_another_film_is_refused_in_a_sentence(world: World, sizes: dict[str, Path], tmp_path: Path) -> None:
    other = size(tmp_path / "other.mp4", 90, picture=PICTURE.replace("duration=9", "duration=8"))

    asset = processed(world, sizes["180p"], other)

    assert asset.state == "rejected"
    assert asset.error is not None
    assert "it has 200 pictures, and the largest has 225. Another profile encodes it." in asset.error["detail"]


def test_files_that_are_none_are_named(tmp_path: Path, sizes: dict[str, Path]) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("no film")

    with (
        pytest.raises(InvalidInput, match=r"missing\.mp4 is no file"),
        joined(sizes["90p"], [tmp_path / "missing.mp4"]),
    ):
        pass
    with pytest.raises(InvalidInput, match=r"notes\.mp4: Invalid data"), joined(sizes["90p"], [text]):
        pass
