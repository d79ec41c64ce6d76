"""Who begins to watch while the rest is made: what is there from the first moment, and what becomes of it."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urljoin

import pytest

from mediaflow.domain.errors import NotFound, TaskFailed
from mediaflow.domain.keys import addressed_segment, asset_prefix
from mediaflow.domain.presentation import Artifact, Foretold, Track
from mediaflow.domain.publication import Publication
from mediaflow.domain.records import Asset
from mediaflow.services.access.principals import Principal
from mediaflow.services.delivery.awaiting import NotMade
from mediaflow.services.pipeline.lease import Lease
from mediaflow.services.pipeline.opening import foretold
from mediaflow.services.pipeline.packaging import Produced
from mediaflow.testing.clips import make_clip
from tests.services.working import asset_of, ingest, published_file, small_world, work
from tests.services.world import World

ANN = Principal("ann", "user")
SECONDS = 5.0
TRACKS = ("90p", "audio-64k")
world = small_world


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("opening") / "clip.mp4", seconds=SECONDS)


def opened(world: World, source: Path) -> Asset:
    """An asset of which nothing is made but what it opens with."""
    asset_id = ingest(world, source)
    work(world, "probe", "validate", "plan")
    steps = world.runtime.database.tasks.find({"asset_id": asset_id, "stage": "step", "rank": 0})
    assert sorted(task.name for task in steps) == ["audio-first", "video-first"]

    def are_done() -> bool:
        return world.runtime.database.tasks.count({"asset_id": asset_id, "rank": 0, "state": "done"}) == len(steps)

    replace(world.runtime.execution, draining=are_done).work("step")
    work(world, "open")
    return asset_of(world, asset_id)


def addresses(world: World, asset: Asset, track: str) -> list[str]:
    """The init segment and the segments of a track, as its playlist of what viewers get now has them."""
    shown = asset.shown
    assert shown is not None
    manifest = shown.outputs[0].path
    lines = published_file(world, asset, urljoin(manifest, f"{track}.m3u8")).decode().splitlines()
    assert lines[-1] == "#EXT-X-ENDLIST"
    init = next(line.split('"')[1] for line in lines if line.startswith("#EXT-X-MAP"))
    return [urljoin(manifest, each) for each in (init, *(line for line in lines if not line.startswith("#")))]


def frames_of(joined: Path) -> int:
    argv = ["ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"]
    return int(subprocess.run([*argv, joined], capture_output=True, text=True, check=True).stdout)


def test_who_begins_early_goes_on_to_the_end(world: World, source: Path, tmp_path: Path) -> None:
    # given: an asset that has just been opened
    asset = opened(world, source)
    assert (asset.state, asset.playable, asset.generation, asset.published) == ("processing", True, 0, None)
    early = {track: addresses(world, asset, track) for track in TRACKS}
    assert [len(found) for found in early.values()] == [4, 4], "the init segment and three segments of two seconds"
    assert asset.opened is not None
    assert asset.opened.sounds == {"90p": "audio-64k"}
    before = {track: [published_file(world, asset, path) for path in early[track][:2]] for track in TRACKS}
    for track in TRACKS:
        with pytest.raises(NotMade):
            published_file(world, asset, early[track][2])

    # when: the rest is made
    work(world)
    asset = asset_of(world, asset.id)
    assert (asset.state, asset.generation, asset.opened) == ("ready", 1, None), asset.error

    # then: what was watched is as it was, and the rest follows without a gap
    joined = {track: b"".join(published_file(world, asset, path) for path in early[track]) for track in TRACKS}
    assert all(joined[track].startswith(b"".join(before[track])) for track in TRACKS)
    for track, data in joined.items():
        (tmp_path / f"{track}.mp4").write_bytes(data)
    assert frames_of(tmp_path / "90p.mp4") == SECONDS * 25
    late = [published_file(world, asset, path) for path in addresses(world, asset, "90p")]
    assert b"".join(late) == joined["90p"], "the same segments under their addresses of now"


@pytest.mark.parametrize("path", ["90p/00003.m4s", "90p/0001.m4s", "90p/-1.m4s", "90p/1.m4s", "720p/00000.m4s", "90p/"])
def test_what_is_not_foretold_is_not_there(world: World, source: Path, path: str) -> None:
    asset = opened(world, source)
    with pytest.raises(NotFound):
        published_file(world, asset, f"g1/tracks/{path}")


def test_its_addresses_end_with_the_last_who_began_early(world: World, source: Path) -> None:
    asset = opened(world, source)
    path = addresses(world, asset, "90p")[1]
    work(world)
    runtime = world.runtime
    asset = asset_of(world, asset.id)
    assert published_file(world, asset, path)
    published = asset.published
    assert published is not None
    assert asset.sweep_at is not None
    gone = Publication.following(published, None, now=asset.sweep_at, until=0.0)
    past = replace(gone, earlier=tuple(replace(files, until=1.0) for files in published.earlier))
    runtime.database.assets.change(asset.id, {}, {"published": past, "sweep_at": 1.0})

    runtime.reconciler.sweep()

    assert runtime.database.segments.count({"asset_id": asset.id}) == 0
    with pytest.raises(NotFound):
        published_file(world, asset_of(world, asset.id), path)
    assert published_file(world, asset, addresses(world, asset, "90p")[1]), "what is published stays"


def test_what_fails_after_it_was_opened_is_not_playable(world: World, source: Path) -> None:
    asset = opened(world, source)
    job = world.runtime.database.jobs.get(asset.job_id or "")
    assert job is not None
    world.runtime.jobs.end(job, "failed", {"code": "media.undecodable", "detail": "It is damaged."})
    asset = asset_of(world, asset.id)
    assert (asset.state, asset.playable, asset.opened) == ("rejected", False, None)
    world.runtime.database.assets.change(asset.id, {}, {"sweep_at": 1.0})
    world.runtime.reconciler.sweep()
    assert world.runtime.database.segments.count({}) == 0
    assert list(world.runtime.storage.list(asset_prefix(asset.id))) == []


def test_a_deleted_one_begins_anew_when_it_is_restored(world: World, source: Path) -> None:
    asset = opened(world, source)
    path = addresses(world, asset, "90p")[1]
    world.runtime.trash.delete(ANN, asset.id)
    assert (asset_of(world, asset.id).playable, asset_of(world, asset.id).opened) == (False, None)
    asset = world.runtime.trash.restore(ANN, asset.id)
    with pytest.raises(NotFound):
        published_file(world, asset_of(world, asset.id), path)
    work(world)
    asset = asset_of(world, asset.id)
    assert (asset.state, asset.playable, asset.generation) == ("ready", True, 2)


def test_a_later_generation_opens_nothing(world: World, source: Path) -> None:
    asset_id = ingest(world, source)
    work(world)
    before = asset_of(world, asset_id).published
    world.runtime.reprocess.asset(ANN, asset_id)
    work(world, "probe", "validate", "plan")
    assert world.runtime.database.tasks.count({"asset_id": asset_id, "generation": 2, "rank": 0}) == 0
    assert asset_of(world, asset_id).published == before
    work(world)
    assert asset_of(world, asset_id).generation == 2


def test_without_its_beginning_a_film_is_published_when_it_is_made(world: World, source: Path) -> None:
    real = world.runtime.execution.handlers["step"]

    def failing(task: object, lease: Lease) -> dict[str, object]:
        if lease.task.name == "audio-first":
            raise ValueError("no")
        return real(lease.task, lease)

    asset_id = ingest(world, source)
    work(world, "probe", "validate", "plan")
    hands = replace(world.runtime.execution, handlers={**world.runtime.execution.handlers, "step": failing})
    for task in world.runtime.database.tasks.find({"asset_id": asset_id, "name": "audio-first"}):
        world.runtime.database.tasks.change(task.id, {}, {"failures": 4})
    hands.work("step")
    assert not asset_of(world, asset_id).playable
    work(world)
    asset = asset_of(world, asset_id)
    assert (asset.state, asset.published is not None and asset.published.warnings) == ("ready", ())


def _produced(*runs: int, name: str = "00000.m4s") -> Produced:
    """An attempt that foretells a track for each of the runs."""
    made: list[Artifact] = []
    for number, count in enumerate(runs):
        track = Track(f"t{number}", "video", "avc1.640028", 12800)
        told = Foretold(((count, 2.0),), 9, 9)
        made.append(
            Artifact(f"t{number}/init.mp4", "init", "video/mp4", 9, track.name, describes=track, foretells=told)
        )
        made.append(Artifact(f"t{number}/{name}", "segment", "video/mp4", 9, track.name, 0, 2.0))
    return Produced("g1/video-first.1", tuple(made))


def test_many_tracks_that_foretell_much_are_not_written_down() -> None:
    """Each may be fit by itself: together they would take the worker's memory."""
    with pytest.raises(TaskFailed, match="More than 200000 segments are foretold"):
        foretold(1, [_produced(*(50_000,) * 1000)])


@pytest.mark.parametrize("name", ["00000.m4s", "0.m4%73", "0.m_s", "0.", "0", f"0.{'a' * 11}"])
def test_whatever_files_are_called_their_addresses_are_found(name: str) -> None:
    (track,) = foretold(1, [_produced(2, name=name)]).video
    for number, uri in enumerate((track.init_uri, *(segment.uri for segment in track.segments)), start=-1):
        assert addressed_segment(f"g1/{unquote(uri).removeprefix('../')}") == (1, "t0", number)
