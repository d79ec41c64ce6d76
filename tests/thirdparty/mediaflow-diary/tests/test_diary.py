"""Run with `pytest` where mediaflow and this package are installed."""

from __future__ import annotations

from mediaflow_diary.diary import note, write

from mediaflow.plugin import Event, MediaContext
from mediaflow.testing.records import MemoryRecords


def test_what_is_told_twice_is_written_once() -> None:
    context = MediaContext({"diary_seconds": 0}, records=MemoryRecords())
    for event in [Event("asset.ready", 1.0, "ann", asset) for asset in ("a", "b")]:
        for _ in range(2):
            note(event, context)
            write(context)
    page = context.records.get("page ann")
    assert page is not None
    assert page.data == {"assets": ["a", "b"]}
    assert context.records.find("note") == []
