"""What always holds (design: states, invariants, threats), looked at with each write to documents and objects.

`CHANGES` are asked of every change of a record of a table: `(world, before, after) -> what is wrong`, None when nothing
is; `OBJECTS` of every object that is written or deleted. `AT_THE_END` are asked when all work has ended and all sweeps
have been, `WITHOUT_GARBAGE` when what nothing names was removed besides. Who simulates more adds to them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from tests.simulation import invariants_of_assets as assets
from tests.simulation import invariants_of_events as events
from tests.simulation import invariants_of_segments as segments
from tests.simulation import invariants_of_uploads as uploads
from tests.simulation import invariants_of_work as work
from tests.simulation.world import World

Change = Callable[[World, Any, Any], str | None]
ObjectChange = Callable[[World, str, bytes | None, bytes | None], str | None]
AtTheEnd = Callable[[World], str | None]

CHANGES: Final[dict[str, list[Change]]] = {
    "uploads": [
        uploads.states_go_forward,
        uploads.announced_facts_stay,
        uploads.assembled_by_one,
        uploads.complete_when_all_chunks_are_there,
        uploads.stored_is_what_was_received,
        uploads.failed_for_its_bytes_only,
    ],
    "chunks": [uploads.received_for_ever, uploads.received_is_durable],
    "blobs": [uploads.a_blob_with_users_is_live],
    "tasks": [
        work.ended_tasks_stay,
        work.attempts_are_fenced,
        work.claimed_when_ready,
        work.results_are_of_one_attempt,
        work.lease_is_taken_from_the_dead_only,
        work.held_while_alive,
        work.written_by_its_worker,
        work.charges_only_grow,
        work.what_fails_has_a_reason,
        segments.a_place_is_written_by_one_attempt,
        segments.nothing_is_begun_of_what_is_deleted,
    ],
    "jobs": [
        work.ended_jobs_stay,
        work.one_job_a_generation,
        work.done_is_published,
        segments.an_owners_pieces_are_few,
    ],
    "assets": [
        assets.generations_only_grow,
        assets.deleted_gets_nothing_published,
        assets.deleted_is_left_alone,
        assets.purged_when_quiet,
        assets.published_by_its_job,
        assets.published_files_exist,
        assets.tokens_end,
        assets.purging_is_for_good,
        assets.removed_when_purged,
        assets.revisions_of_metadata,
        assets.quota,
        uploads.published_is_what_was_declared,
        segments.open_while_it_is_made,
        segments.what_opens_is_there,
        segments.what_was_foretold_is_made,
        segments.who_watches_goes_on,
        segments.nothing_is_missing,
    ],
    "segments": [segments.the_first_stays],
    "events": [events.logged_in_order],
}
for table in ("uploads", "assets", "jobs", "tasks", "tombstones"):
    CHANGES.setdefault(table, []).append(events.remembered)
OBJECTS: Final[list[ObjectChange]] = [
    assets.what_is_published_stays,
    uploads.originals_stay,
    segments.what_is_watched_stays,
]
AT_THE_END: Final[list[AtTheEnd]] = [
    work.nothing_is_held,
    work.jobs_and_assets_agree,
    uploads.no_staging_is_left,
    uploads.what_was_refused_is_gone,
    uploads.originals_have_users_but_late_ones,
    assets.all_that_is_published_is_there,
    assets.nothing_is_left_of_what_is_gone,
    segments.no_record_is_left,
    events.all_is_told,
]
WITHOUT_GARBAGE: Final[list[AtTheEnd]] = [
    uploads.nothing_is_left_of_uploads,
    uploads.originals_have_users,
    assets.nothing_lies_without_its_asset,
    segments.every_record_can_be_asked_for,
    assets.all_that_is_published_is_there,
]


def watching(world: World) -> tuple[Any, Any, Any]:
    """Who is told of changes, of objects and of parts."""

    def changed(table: str, before: Any, after: Any) -> None:
        if table == "uploads" and before is None:
            world.begun.add(after.storage_key)
        if table == "uploads" and after is None:
            world.forgotten[before.id] = world.scheduler.now
        if table in ("jobs", "tasks", "chunks", "segments", "blobs") and after is not None:
            world.written[after.id] = world.scheduler.now
        if table == "assets" and before is not None and before.sweep_at and after is not None and not after.sweep_at:
            world.swept[after.id] = world.scheduler.now
        if table == "assets" and after is not None and after.purging:
            world.purged.setdefault(after.id, world.scheduler.now)
        for check in CHANGES.get(table, ()):
            if world.broken is None and (wrong := check(world, before, after)) is not None:
                world.breaks(check.__name__, wrong)

    def stored(key: str, before: bytes | None, after: bytes | None) -> None:
        for check in OBJECTS:
            if world.broken is None and (wrong := check(world, key, before, after)) is not None:
                world.breaks(check.__name__, wrong)

    def part(key: str, index: int, data: bytes) -> None:
        if (wrong := uploads.received_is_not_overwritten(world, key, index, data)) is not None:
            world.breaks("received_is_not_overwritten", wrong)

    return changed, stored, part


def unfinished(world: World) -> str | None:
    """What has not come to its end, or None."""
    for check in (uploads.on_their_way, work.on_their_way, assets.on_their_way):
        if (waits := check(world)) is not None:
            return waits
    if any(":client" in actor.name or actor.name.startswith("client") for actor in world.scheduler.actors.values()):
        return "a client"
    return None
