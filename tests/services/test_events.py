"""Events: each that the table promises is published when its thing happened, with its fields, and no other is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mediaflow.domain.errors import MediaRejected, TaskFailed
from mediaflow.domain.events import EVENTS, Event
from mediaflow.domain.records import Asset, Task
from mediaflow.domain.states import MAX_ATTEMPTS
from mediaflow.services.pipeline.lease import Lease
from tests.services.pipeline import ANN, Pipeline
from tests.services.world import World

VTT = b"WEBVTT\n\n00:01.000 --> 00:02.000\nHallo\n"
GUIDE = Path(__file__).parents[2] / "plugins" / "README.md"


@dataclass
class Told:
    """A world whose events are kept, each with its asset as it was recorded when the event came."""

    pipeline: Pipeline
    events: list[tuple[Event, Asset | None]] = field(default_factory=list)

    def hear(self, event: Event) -> None:
        assets = self.pipeline.world.runtime.database.assets
        self.events.append((event, assets.get(event.asset_id or "")))

    def data(self, name: str) -> dict[str, Any]:
        """Of the last event of that name."""
        return dict(next(event.data for event, _ in reversed(self.events) if event.name == name))


@pytest.fixture
def told(world: World, monkeypatch: pytest.MonkeyPatch) -> Told:
    made = Told(Pipeline(world))
    monkeypatch.setattr(type(world.runtime.plugins), "publish_event", lambda _, event: made.hear(event))
    return made


def fails(task: Task, _lease: Lease) -> dict[str, Any]:
    if task.rank == 0:
        return {}
    raise TaskFailed("It broke.", code="job.broken")  # of ours, so that no traceback is drawn (3 s each)


def refuses(_task: Task, _lease: Lease) -> dict[str, Any]:
    raise MediaRejected("It is odd.", code="media.odd")


def _published(told: Told) -> list[str]:
    runtime, asset_id = told.pipeline.world.runtime, told.pipeline.ready()
    for title in ("Winter", "Winter"):  # what changes nothing is not told
        runtime.editing.change(ANN, asset_id, {"title": title, "visibility": "private"})
        runtime.shares.replace(ANN, asset_id, ["bob", "ann"])
    runtime.trash.delete(ANN, asset_id)
    runtime.trash.restore(ANN, asset_id)
    runtime.trash.delete(ANN, asset_id, purge=True)
    runtime.database.assets.change(asset_id, {}, {"purge_at": 1.0})
    for task in runtime.database.tasks.find({"asset_id": asset_id}):
        runtime.database.tasks.change(task.id, {}, {"lease_until": 0.0})
    runtime.reconciler.sweep()
    assert told.data("asset.updated") == {"changes": {"title": "Winter"}}
    assert told.data("asset.shared") == {"shared_with": ["bob"]}
    return [
        *("asset.created", "upload.stored", "asset.processing", "asset.playable", "asset.ready", "job.done"),
        *("asset.updated", "asset.shared", "asset.deleted", "asset.restored", "asset.deleted", "asset.purged"),
    ]


def _captioned(told: Told) -> list[str]:
    asset_id = told.pipeline.stored()
    told.pipeline.world.runtime.captions.put(ANN, asset_id, "de", [VTT], label=None, default=False)
    assert told.data("asset.captioned") == {"languages": ["de"]}
    return ["asset.created", "upload.stored", "asset.processing", "asset.captioned"]


def _given_up(told: Told) -> list[str]:
    upload_id, _ = told.pipeline.announced(b"a film")
    told.pipeline.world.runtime.ingest.abort("ann", upload_id)
    return ["asset.created", "upload.aborted"]


def _too_late(told: Told) -> list[str]:
    runtime, (upload_id, _) = told.pipeline.world.runtime, told.pipeline.announced(b"a film")
    runtime.database.uploads.change(upload_id, {}, {"expires_at": 1.0})
    runtime.reconciler.sweep()
    return ["asset.created", "upload.expired"]


def _other_bytes(told: Told) -> list[str]:
    told.pipeline.sent(sha256="0" * 64)
    told.pipeline.assemble()
    return ["asset.created", "asset.failed", "upload.failed"]


def _failing(told: Told) -> list[str]:
    asset_id = told.pipeline.stored()
    for _ in range(MAX_ATTEMPTS):
        told.pipeline.work("probe", "validate", "plan", "step", step=fails)
        tasks = told.pipeline.world.runtime.database.tasks
        task = next(t for t in tasks.find({"asset_id": asset_id, "stage": "step", "rank": 2}))
        tasks.change(task.id, {}, {"not_before": 0.0})
    assert told.data("task.failed") == {
        "code": "job.broken",
        "detail": "It broke.",
        "task": "video-0",
        "stage": "step",
        "step": "video.h264",
        "attempt": MAX_ATTEMPTS,
        "optional": False,
    }
    return ["asset.created", "upload.stored", "asset.processing", "task.failed", "asset.failed", "job.failed"]


def _refused(told: Told) -> list[str]:
    told.pipeline.stored()
    told.pipeline.work("probe", "validate", validate=refuses)
    return ["asset.created", "upload.stored", "asset.processing", "task.failed", "asset.rejected", "job.failed"]


def _killing_its_workers(told: Told) -> list[str]:
    asset_id = told.pipeline.stored()
    tasks = told.pipeline.world.runtime.database.tasks
    (probe,) = (task for task in tasks.find({"asset_id": asset_id}) if task.stage == "probe")
    tasks.change(probe.id, {}, {"failures": MAX_ATTEMPTS})
    told.pipeline.work("probe")
    assert told.data("task.failed")["code"] == "job.poison"
    return ["asset.created", "upload.stored", "asset.processing", "task.failed", "asset.failed", "job.failed"]


def _cancelled(told: Told) -> list[str]:
    asset_id = told.pipeline.stored()
    told.pipeline.world.runtime.reprocess.cancel(ANN, told.pipeline.job(asset_id).id)
    return ["asset.created", "upload.stored", "asset.processing", "asset.failed", "job.cancelled"]


def _original_deleted(told: Told) -> list[str]:
    runtime, asset_id = told.pipeline.world.runtime, told.pipeline.ready()
    told.events.clear()
    runtime.keeping.wish(ANN, asset_id, "deleted")
    told.pipeline.work("original")
    assert told.data("original.changed") == {"state": "deleted"}
    return ["original.changed", "job.done"]


STORIES: list[Callable[[Told], list[str]]] = [
    *(_published, _captioned, _given_up, _too_late, _other_bytes, _failing, _refused, _killing_its_workers, _cancelled),
    _original_deleted,
]
RECORDED: dict[str, Callable[[Asset | None], object]] = {
    "asset.created": lambda asset: asset is not None,
    "upload.stored": lambda asset: asset is not None and asset.original_key,
    "upload.aborted": lambda asset: asset is None,
    "upload.expired": lambda asset: asset is None,
    "asset.processing": lambda asset: asset is not None and asset.state == "processing",
    "asset.captioned": lambda asset: asset is not None and len(asset.captions) == 1,
    "asset.playable": lambda asset: asset is not None and asset.playable and asset.state == "processing",
    "asset.ready": lambda asset: asset is not None and asset.state == "ready",
    "asset.failed": lambda asset: asset is not None and asset.state == "failed",
    "asset.rejected": lambda asset: asset is not None and asset.state == "rejected",
    "asset.updated": lambda asset: asset is not None and asset.title == "Winter",
    "asset.shared": lambda asset: asset is not None and asset.shared_with == ["bob"],
    "asset.deleted": lambda asset: asset is not None and asset.deleted_at,
    "asset.restored": lambda asset: asset is not None and asset.deleted_at is None,
    "asset.purged": lambda asset: asset is None,
}
"""What an asset must be like when it is told; nobody hears of what is not recorded."""


def test_every_event_of_the_table_is_published_once_and_after_it_was_recorded(told: Told) -> None:
    heard = set()
    for story in STORIES:
        told.events.clear()
        expected = story(told)
        assert [event.name for event, _ in told.events] == expected, story.__name__
        for event, asset in told.events:
            assert set(event.data) == set(EVENTS[event.name].fields), (story.__name__, event)
            recorded = RECORDED.get(event.name)
            assert recorded is None or recorded(asset), (story.__name__, event)
            assert event.owner == "ann"
        heard |= set(expected)
    assert heard == set(EVENTS)


def test_an_event_that_is_not_in_the_table_can_not_be_made() -> None:
    with pytest.raises(ValueError, match=r"there is no event 'asset\.update'; did you mean 'asset\.updated'\?"):
        Event("asset.update", 0.0, "ann")


def test_the_guide_has_the_table() -> None:
    rows = re.findall(r"^\| `([a-z.]+)` \| (.+) \| (.*) \|$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    table = {name: (when, tuple(re.findall(r"`(\w+)`", fields))) for name, when, fields in rows}
    assert table == {name: (kind.when, kind.fields) for name, kind in EVENTS.items()}
