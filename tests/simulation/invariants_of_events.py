"""What always holds of events: each is part of a write, has one place in the log, and is told."""

from __future__ import annotations

from typing import Any

from mediaflow.domain.eventlog import LoggedEvent
from tests.simulation.world import World


def remembered(world: World, before: Any, after: Any) -> str | None:
    """Events that a write put into an outbox stay there until they are in the log."""
    old: dict[str, Any] = {} if before is None else before.outbox
    new: dict[str, Any] = {} if after is None else after.outbox
    for event in new.keys() - old.keys():
        # an announcement that stood still for long was told already, and may be taken back and made again
        if event in world.recorded and new[event]["name"] != "asset.created":
            return f"{new[event]['name']} is told anew"
        world.recorded[event] = new[event]["name"]
    logged = {entry.uid for entry in world.database.events.records.values()}
    for event in sorted(old.keys() - new.keys() - logged):
        if after is None and world.recorded[event] == "asset.created" and before.state == "created":
            del world.recorded[event]  # the announcement was taken back
        else:
            return f"{old[event]['name']} left its outbox, and is not in the log"
    return None if (after is None or not after.outbox) or after.tell_at is not None else "an outbox waits for nobody"


def logged_in_order(world: World, before: LoggedEvent | None, after: LoggedEvent | None) -> str | None:
    """Each event in the log was part of a write, has the next number, and does not change."""
    if before is not None:
        return None if after is None else f"event {before.number} changed"
    if after is None:
        return None
    if after.uid not in world.recorded:
        return f"{after.name} is in the log, and no write says so"
    numbers = sorted(entry.number for entry in world.database.events.records.values())
    return None if numbers == list(range(1, len(numbers) + 1)) else f"the log has the numbers {numbers}"


def all_is_told(world: World) -> str | None:
    """Every event that was part of a write was told, and is in the log."""
    logged = {entry.uid for entry in world.database.events.records.values()}
    for event, name in world.recorded.items():
        if event not in world.heard or event not in logged:
            return f"{name} was never told"
    return None
