"""Many assets at once: each on its own."""

from __future__ import annotations

from typing import Any

import pytest

from mediaflow.domain.ids import new_id
from mediaflow.services.access.principals import Principal
from mediaflow.services.assets.bulk import MOST_TAGS, Action, BulkRequest
from tests.services.pipeline import ADMIN, ANN, BOB, Pipeline
from tests.services.records import a_published_asset
from tests.services.world import World


@pytest.fixture
def pipeline(world: World) -> Pipeline:
    return Pipeline(world)


def run(
    pipeline: Pipeline, action: Action, *ids: str, principal: Principal = ANN, **members: Any
) -> dict[str, str | None]:
    """The error's code of each asset, None where it went well."""
    results = pipeline.world.runtime.bulk.run(principal, BulkRequest(action=action, ids=ids, **members))
    assert [result.id for result in results] == list(ids)
    return {result.id: result.error.code if result.error else None for result in results}


def kept(pipeline: Pipeline, **fields: Any) -> str:
    asset = a_published_asset(**fields)
    pipeline.world.runtime.database.assets.insert(asset)
    return asset.id


def test_one_that_fails_does_not_stop_the_others(pipeline: Pipeline) -> None:
    first, others, nothing, last = kept(pipeline), kept(pipeline, owner="bob"), new_id(), kept(pipeline)
    codes = run(pipeline, "delete", first, others, nothing, last)
    assert codes == {first: None, others: "asset.not_found", nothing: "asset.not_found", last: None}
    assert pipeline.asset(first).deleted_at is not None
    assert pipeline.asset(last).deleted_at is not None
    assert pipeline.asset(others).deleted_at is None


def test_an_admin_may_do_it_to_everybodys(pipeline: Pipeline) -> None:
    ids = [kept(pipeline), kept(pipeline, owner="bob")]
    assert set(run(pipeline, "delete", *ids, principal=ADMIN).values()) == {None}


def test_deleted_restored_and_purged(pipeline: Pipeline) -> None:
    ids = [kept(pipeline), kept(pipeline)]
    run(pipeline, "delete", *ids)
    assert set(run(pipeline, "restore", *ids).values()) == {None}
    assert [pipeline.asset(asset_id).deleted_at for asset_id in ids] == [None, None]
    run(pipeline, "purge", *ids)
    assert set(run(pipeline, "restore", *ids).values()) == {"asset.not_found"}
    pipeline.world.runtime.reconciler.sweep()
    assert pipeline.world.runtime.database.assets.count({}) == 0


def test_processed_again(pipeline: Pipeline) -> None:
    ready, running = pipeline.ready(b"one"), pipeline.stored(b"two")
    codes = run(pipeline, "reprocess", ready, running, profile="mobile")
    assert codes == {ready: None, running: "asset.processing"}
    assert pipeline.job(ready).profile == "mobile"
    assert run(pipeline, "reprocess", ready, profile="odd") == {ready: "asset.unknown_profile"}


def test_updated(pipeline: Pipeline) -> None:
    ids = [kept(pipeline), kept(pipeline)]
    changes = {"title": "New", "description": "Text", "tags": ["a"], "visibility": "public"}
    run(pipeline, "update", *ids, changes=changes)
    for asset_id in ids:
        asset = pipeline.asset(asset_id)
        assert {name: getattr(asset, name) for name in changes} == changes
        assert asset.acl_epoch == 2


@pytest.mark.parametrize(
    ("action", "before", "tags", "after"),
    [
        ("add_tags", ["a"], ("b", "a", "b"), ["a", "b"]),
        ("add_tags", [], ("b",), ["b"]),
        ("add_tags", ["a"], ("a",), ["a"]),
        ("remove_tags", ["a", "b", "c"], ("b", "x"), ["a", "c"]),
        ("remove_tags", ["a"], ("a",), []),
        ("remove_tags", [], ("a",), []),
    ],
)
def test_tags_are_added_and_removed(
    pipeline: Pipeline, action: Action, before: list[str], tags: tuple[str, ...], after: list[str]
) -> None:
    asset_id = kept(pipeline, tags=before)
    assert run(pipeline, action, asset_id, tags=tags) == {asset_id: None}
    asset = pipeline.asset(asset_id)
    assert asset.tags == after
    assert asset.metadata_rev == (1 if before == after else 2)


def test_too_many_tags_are_refused_where_they_are_too_many(pipeline: Pipeline) -> None:
    full, empty = kept(pipeline, tags=[f"{n}" for n in range(MOST_TAGS)]), kept(pipeline)
    codes = run(pipeline, "add_tags", full, empty, tags=("one more",))
    assert codes == {full: "asset.too_many_tags", empty: None}
    assert len(pipeline.asset(full).tags) == MOST_TAGS


def test_tags_are_added_to_those_that_are_there_now(pipeline: Pipeline) -> None:
    """Somebody else tags the asset between our look and our change."""
    asset_id = kept(pipeline, tags=["first"])
    bulk = pipeline.world.runtime.bulk
    seen: list[list[str]] = []

    def change(tags: list[str]) -> list[str]:
        if not seen:
            pipeline.world.runtime.editing.change(ANN, asset_id, {"tags": [*tags, "theirs"]})
        seen.append(tags)
        return [*tags, "ours"]

    assert bulk._retag(ANN, asset_id, change).tags == ["first", "theirs", "ours"]
    assert seen == [["first"], ["first", "theirs"]]


def test_what_is_only_shared_is_not_changed(pipeline: Pipeline) -> None:
    asset_id = kept(pipeline, shared_with=["bob"])
    for action in ("delete", "purge", "reprocess", "update", "add_tags", "remove_tags"):
        members: dict[str, Any] = {"changes": {"title": "mine"}, "tags": ("mine",)}
        assert run(pipeline, action, asset_id, principal=BOB, **members) == {asset_id: "asset.not_yours"}
