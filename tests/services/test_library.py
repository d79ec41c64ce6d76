"""What is whose, and what its owner can do with it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mediaflow.domain.errors import NotFound, PreconditionFailed
from mediaflow.domain.ids import new_id
from mediaflow.domain.records import Asset
from mediaflow.domain.states import STAGES
from mediaflow.services.access.principals import Principal
from mediaflow.services.assets.library import JobQuery, Library
from mediaflow.services.assets.listing import AssetQuery, Listing
from mediaflow.services.ports import Database
from tests.services.records import CREATED, a_job, a_task, an_asset
from tests.services.world import a_trash, editing_of

ANN, BOB, ADMIN = Principal("ann", "user"), Principal("bob", "user"), Principal("root", "admin")


@pytest.fixture
def library(database: Database) -> Library:
    return Library(database)


def kept(library: Library, *assets: Asset) -> Asset:
    for asset in assets:
        assert library.database.assets.insert(asset)
    return assets[0]


def titles(library: Library, principal: Principal = ANN, **query: Any) -> list[str]:
    return [asset.title for asset in Listing(library.database).assets(principal, AssetQuery(**query)).items]


# --- one asset


def test_what_is_not_mine_is_not_there(library: Library) -> None:
    asset = kept(library, an_asset(visibility="private"))
    attempts: tuple[Callable[[], object], ...] = (
        lambda: library.asset(BOB, asset.id),
        lambda: editing_of(library.database).change(BOB, asset.id, {"title": "mine"}),
        lambda: library.asset(ANN, new_id()),
    )
    for attempt in attempts:
        with pytest.raises(NotFound) as caught:
            attempt()
        assert caught.value.code == "asset.not_found"
    assert library.asset(ADMIN, asset.id) == library.asset(ANN, asset.id) == asset


@pytest.mark.parametrize(
    ("changes", "acl_epochs"),
    [
        ({"title": "New"}, 0),
        ({"description": "New"}, 0),
        ({"tags": ["new"]}, 0),
        ({"visibility": "public"}, 1),
        ({"title": "New", "visibility": "unlisted"}, 1),
    ],
)
def test_a_change_is_kept_and_counted(library: Library, changes: dict[str, Any], acl_epochs: int) -> None:
    before = kept(library, an_asset())
    after = editing_of(library.database).change(ANN, before.id, changes)
    assert {name: getattr(after, name) for name in changes} == changes
    assert after.metadata_rev == before.metadata_rev + 1
    assert after.acl_epoch == before.acl_epoch + acl_epochs
    assert library.asset(ANN, before.id) == after


@pytest.mark.parametrize("changes", [{}, {"title": "A clip"}, {"visibility": "private"}])
def test_what_changes_nothing_counts_nothing(library: Library, changes: dict[str, Any]) -> None:
    before = kept(library, an_asset())
    assert editing_of(library.database).change(ANN, before.id, changes) == before


def test_a_change_on_an_old_revision_is_refused(library: Library) -> None:
    asset = kept(library, an_asset())
    editing_of(library.database).change(ANN, asset.id, {"title": "First"}, revisions=frozenset({1}))
    with pytest.raises(PreconditionFailed):
        editing_of(library.database).change(ANN, asset.id, {"title": "Second"}, revisions=frozenset({1}))
    assert library.asset(ANN, asset.id).title == "First"


def test_of_many_changes_on_one_revision_one_wins(library: Library) -> None:
    asset, barrier = kept(library, an_asset()), threading.Barrier(6)

    def change(number: int) -> bool:
        barrier.wait()
        try:
            editing_of(library.database).change(ANN, asset.id, {"title": f"{number}"}, revisions=frozenset({1}))
        except PreconditionFailed:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(change, range(6))) == 1


def test_a_deleted_asset_is_gone_until_it_is_restored(library: Library, tmp_path: Path) -> None:
    asset, trash = kept(library, an_asset(state="failed")), a_trash(library.database, tmp_path)
    trash.delete(ANN, asset.id)
    deleted = library.database.assets.get(asset.id)
    trash.delete(ANN, asset.id)
    assert library.database.assets.get(asset.id) == deleted
    with pytest.raises(NotFound):
        library.asset(ANN, asset.id)
    with pytest.raises(NotFound):
        editing_of(library.database).change(ANN, asset.id, {"title": "New"})
    assert titles(library) == []
    restored = trash.restore(ANN, asset.id)
    assert restored.deleted_at is None
    assert restored.acl_epoch == asset.acl_epoch + 2
    assert trash.restore(ANN, asset.id) == restored
    assert titles(library) == ["A clip"]


# --- progress and jobs


@pytest.mark.parametrize(("state", "expected"), [("created", 0.0), ("stored", 0.0), ("ready", 1.0)])
def test_progress_without_running_work(library: Library, state: Any, expected: float) -> None:
    progress = library.progress(an_asset(state=state))
    assert (progress.fraction, progress.eta_seconds) == (expected, None)


@pytest.mark.parametrize(("side_by_side", "remains"), [(1, 68.7), (2, 34.35)])
def test_what_remains_is_told_from_what_was_worked(library: Library, side_by_side: int, remains: float) -> None:
    asset = an_asset(state="processing", job_id=new_id())
    job, began = a_job(asset, id=asset.job_id), library.database.now() - 86_400
    share = {"state": "running", "progress": 0.3, "started_at": began}
    for task in (
        a_task(job, "plan", stage="plan", state="done"),
        *(
            a_task(job, f"video-{n}", weight=98.0 / side_by_side, seconds=30.0 / side_by_side, **share)
            for n in range(side_by_side)
        ),
        a_task(job, "publish", stage="publish"),
    ):
        library.database.tasks.insert(task)
    progress = library.progress(asset)
    assert progress.fraction == pytest.approx(0.304, abs=0.001)
    assert progress.eta_seconds == pytest.approx(remains, abs=1), "it stood still for most of a day"


def test_before_anything_ran_the_end_is_not_known(library: Library) -> None:
    asset = an_asset(state="processing", job_id=new_id())
    library.database.tasks.insert(a_task(a_job(asset, id=asset.job_id), "probe", stage="probe", state="running"))
    assert library.progress(asset).eta_seconds is None


def test_tasks_of_one_moment_are_told_in_the_order_of_their_stages(library: Library) -> None:
    job = a_job(kept(library, an_asset()))
    library.database.jobs.insert(job)
    for stage in reversed(STAGES):
        library.database.tasks.insert(a_task(job, stage, stage=stage))
    assert [task.stage for task in library.job(ANN, job.id)[1]] == list(STAGES)


def test_parts_are_told_in_the_order_of_the_film(library: Library) -> None:
    job = a_job(kept(library, an_asset()))
    library.database.jobs.insert(job)
    for first in (90, 0, 210, 30):
        part = {"tracks": ["360p"], "first": first, "count": 30}
        library.database.tasks.insert(a_task(job, f"video_{first}", whole="video", part=part))
    assert [task.name for task in library.job(ANN, job.id)[1]] == ["video_0", "video_30", "video_90", "video_210"]


def test_jobs_are_listed_and_read_by_their_owners(library: Library) -> None:
    asset = an_asset()
    older, newer = a_job(asset, state="failed"), a_job(asset, created_at=CREATED + 1)
    others = a_job(an_asset(owner="bob"))
    for job in (older, newer, others):
        library.database.jobs.insert(job)
    library.database.tasks.insert(a_task(newer, "probe", stage="probe"))
    assert library.jobs(ANN, JobQuery()).items == [newer, older]
    assert library.jobs(ANN, JobQuery(state="failed")).items == [older]
    assert library.jobs(ANN, JobQuery(asset_id=others.asset_id)).items == []
    assert library.jobs(ADMIN, JobQuery()).total == 3
    job, tasks = library.job(ANN, newer.id)
    assert (job, [task.name for task in tasks]) == (newer, ["probe"])
    for missing in (others.id, new_id()):
        with pytest.raises(NotFound) as caught:
            library.job(ANN, missing)
        assert caught.value.code == "job.not_found"
