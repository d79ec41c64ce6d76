"""Notes, and the page that they are written onto. All of it can be repeated, by anybody, at any time."""

from __future__ import annotations

import time

from mediaflow.plugin import Event, MediaContext, Record, Records, ServiceContext

BATCH = 100


def note(event: Event, context: MediaContext) -> None:
    """A note of what is ready. The event's id is the note's: told again, it is noted once."""
    if event.name == "asset.ready":
        due_at = event.at + context.settings["diary_seconds"]
        asset = {"asset_id": event.asset_id}
        context.records.insert(Record(id=event.id, kind="note", owner=event.owner, due_at=due_at, data=asset))


def write(context: MediaContext) -> None:
    """Write what is due onto its owner's page, and throw the note away when it is there."""
    for due in context.records.find("note", due_before=time.time(), limit=BATCH):
        if _written(context.records, due):
            context.records.remove(due.id)


def _written(records: Records, due: Record) -> bool:
    """True when the page has it; False when somebody else wrote at the same time: then it is done in the next turn."""
    page = records.get(f"page {due.owner}")
    if page is None:
        first = [due.data["asset_id"]]
        return records.insert(Record(id=f"page {due.owner}", kind="page", owner=due.owner, data={"assets": first}))
    if due.data["asset_id"] in page.data["assets"]:
        return True
    assets = [*page.data["assets"], due.data["asset_id"]]
    return records.change(page.id, {"data": {"assets": assets}}, rev=page.rev) is not None


def page_of(context: ServiceContext) -> dict[str, object]:
    """The caller's page."""
    caller = context.caller()
    user = caller.user if caller else ""
    page = context.records.get(f"page {user}")
    waiting = len(context.records.find("note", owner=user, limit=BATCH))
    return {"assets": page.data["assets"] if page else [], "waiting": waiting}
