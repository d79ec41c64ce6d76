"""A database of schema 3, which knew no outboxes: all goes on in it, and is told.

Four assets of ann's are in it: published, waiting for its job, to be assembled, and announced.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts.olderfiles import copy_to_mongo, unpack
from tests.services.pipeline import ANN, Pipeline
from tests.services.world import make_world

READY, STORED = "b74270272cdda1a6b5298fb4e3c1fef5", "ccaf3fb7702b6355a92972f8681d0efa"
SENT, ANNOUNCED = "f3d254c7f08ffc827158bc347c623eea", "7eec6ccaf37275c86c146bca2c875967"


@pytest.fixture(params=["sqlite", "mongodb"])
def pipeline(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pipeline]:
    file, more = tmp_path / "data" / "mediaflow.db", dict[str, str]()
    file.parent.mkdir()
    unpack("schema-3", file)
    if request.param == "mongodb":
        more["database_url"] = f"mongodb://{request.getfixturevalue('nx_server')}/schema_3_{abs(hash(tmp_path))}"
        copy_to_mongo(file, more["database_url"])
        file.unlink()
    world = make_world(tmp_path / "data", **more)
    yield Pipeline(world)
    world.runtime.close()


def test_what_an_older_version_left_goes_on_and_is_told(pipeline: Pipeline) -> None:
    runtime = pipeline.world.runtime
    before = {asset.id: asset for asset in runtime.database.assets.find({})}
    assert {asset_id: (asset.schema, asset.outbox, asset.tell_at) for asset_id, asset in before.items()} == (
        dict.fromkeys((READY, STORED, SENT, ANNOUNCED), (3, {}, None))
    )
    runtime.editing.change(ANN, READY, {"title": "Winter"})
    pipeline.work()
    upload = runtime.database.uploads.get(before[ANNOUNCED].upload_id)
    assert upload is not None
    assert runtime.ingest.end(upload, "expired")
    runtime.trash.delete(ANN, READY, purge=True)
    runtime.database.assets.change(READY, {}, {"purge_at": 1.0})
    runtime.reconciler.sweep()

    told = {asset_id: [event.name for event in runtime.events.after(0, asset_id=asset_id)] for asset_id in before}
    assert told == {
        READY: ["asset.updated", "asset.deleted", "asset.purged"],
        STORED: ["asset.playable", "asset.ready", "job.done"],
        SENT: [],
        ANNOUNCED: ["upload.expired"],
    }
    assert {asset.id: asset.state for asset in runtime.database.assets.find({})} == {STORED: "ready", SENT: "created"}
    assert runtime.database.assets.count({"tell_at": None}) == 2
