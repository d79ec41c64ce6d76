"""What always holds of assets that are watched while they are made, and of their segments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from posixpath import basename, dirname, normpath
from typing import Final

from mediaflow.domain import keys
from mediaflow.domain.ids import segment_id
from mediaflow.domain.madesegments import MadeSegment
from mediaflow.domain.publication import Files, Publication
from mediaflow.domain.records import Asset, Job, Task
from mediaflow.domain.states import WORK_ACTIVE
from mediaflow.services.delivery.demand import MOST_OF_OWNER
from tests.simulation.media import COUNTS, IN_PARTS, ON_DEMAND, makes_on_demand
from tests.simulation.scheduler import FOREVER
from tests.simulation.world import World

WRITES: Final = ("step", "open", "package")
"""Stages that write below their attempts' paths."""
SLOW_SECONDS: Final = 250.0
"""So long an eviction may take that stands still: nobody watched when it began."""


def open_while_it_is_made(_world: World, _before: Asset | None, after: Asset | None) -> str | None:
    """An asset is open while its first generation is made, and plays when it shows something, and only then."""
    if after is None:
        return None
    if after.opened is not None and (after.state != "processing" or after.generation or after.deleted_at is not None):
        return f"asset {after.id} is {after.state} at generation {after.generation}, and open"
    return None if after.playable == (after.shown is not None) else f"asset {after.id} says playable: {after.playable}"


def what_opens_is_there(world: World, before: Asset | None, after: Asset | None) -> str | None:
    """Who begins finds playlists, the init segment and the first segment of each track."""
    if before is None or after is None or after.opened is None or before.opened is not None:
        return None
    for output in after.opened.outputs:
        if keys.asset_prefix(after.id) + output.path not in world.storage.objects:
            return f"asset {after.id} opens with {output.path}, which is not there"
    for track, number in _awaited(after):
        if number < _begins_with(after, track) and not _is_there(world, after, track, number):
            return f"asset {after.id} opens without segment {number} of {track}"
    return None


def what_was_foretold_is_made(world: World, before: Asset | None, after: Asset | None) -> str | None:
    """When it is published, each segment is there that was foretold to those who watch."""
    if before is None or after is None or before.opened is None or after.generation == before.generation:
        return None
    for track, number in _awaited(before):
        if (number < 0 or not _on_demand(before, track)) and not _is_there(world, before, track, number):
            return f"asset {after.id} is published, and segment {number} of {track} was foretold and not made"
        # their end was reckoned before the write, which may have stood still for longer than a token lasts here
        kept = () if after.published is None else (*after.published.files, *after.published.earlier)
        if not any(files.holds(_address(before, track, number)) and track in files.awaited for files in kept):
            return f"asset {after.id} is published, and who watched it loses segment {number} of {track}"
    return None


def the_first_stays(world: World, before: MadeSegment | None, after: MadeSegment | None) -> str | None:
    """A segment's record is made when its object is there, never changes, and goes when nobody can ask for it."""
    if after is not None:
        if before is not None:
            return f"the record of segment {after.number} of {after.track} changed"
        data, _ = world.storage.objects.get(keys.asset_prefix(after.asset_id) + after.path, (None, 0.0))
        # its generation may be swept already: who stood still tells nobody
        asset = world.database.assets.records.get(after.asset_id)
        watched = asset is not None and asset.opened is not None and asset.opened.generation == after.generation
        if watched and (data is None or len(data) != after.size_bytes):
            return f"{after.path} is recorded, and not there"
        return None
    if before is None or (asset := world.database.assets.records.get(before.asset_id)) is None:
        return None
    may_go = _may_be_evicted(world, before)  # of what is deleted, too: restored, it is made again at its address
    if asset.deleted_at is None and _can_be_asked_for(world, asset, before) and not may_go:
        return f"the record of segment {before.number} of {before.track} is gone, and can be asked for"
    return None


def what_is_watched_stays(world: World, key: str, before: bytes | None, after: bytes | None) -> str | None:
    """The object of a segment that can be asked for is not deleted, and never gets other bytes."""
    if before is None or before == after or not key.startswith("assets/"):
        return None
    _, asset_id, path = key.split("/", 2)
    asset = world.database.assets.records.get(asset_id)
    if asset is None or asset.deleted_at is not None or asset.shown is None:
        return None
    for made in world.database.segments.records.values():
        if (made.asset_id, made.path) == (asset_id, path) and _can_be_asked_for(world, asset, made):
            return f"{key} is watched, and {'deleted' if after is None else 'written again'}"
    return None


def no_record_is_left(world: World) -> str | None:
    """Records go with the last who watched; what somebody wrote who stood still meanwhile is left to gc."""
    for made in world.database.segments.records.values():
        asset = world.database.assets.records.get(made.asset_id)
        stays = asset is not None and not made.eager and made.generation == asset.generation
        late = asset is not None and world.written[made.id] >= world.swept.get(asset.id, FOREVER)
        over = asset is not None and asset.sweep_at is None and made.created_at < asset.updated_at
        if over and not late and not stays:
            return f"the record of segment {made.number} of {made.track} of {made.asset_id} is left"
        if asset is None and world.written[made.id] < world.purged.get(made.asset_id, 0.0):
            return f"a record of a segment of {made.asset_id} is left, which is gone"
    return None


def who_watches_goes_on(world: World, before: Asset | None, after: Asset | None) -> str | None:
    """Whatever is published instead, who began before goes on as long as a token lasts."""
    if before is None or after is None or before.published is None or after.published is None:
        return None
    # their end was reckoned before the write, which may have stood still for longer
    kept = {(each.prefix, track) for each in _all_files(after.published) for track in each.awaited}
    for files in _all_files(before.published):
        if files.until is None or files.until > world.scheduler.now:
            for track in files.awaited:
                if (files.prefix, track) not in kept:
                    return f"who watches {track} below {files.prefix} of asset {after.id} can't go on"
    return None


def nothing_is_missing(world: World, before: Asset | None, after: Asset | None) -> str | None:
    """What is published names all segments, each of which is there, or is made on demand and has an address."""
    if after is None or after.published is None or (before is not None and before.published == after.published):
        return None
    told = {each["name"]: each["when"] for each in after.published.renditions}
    for manifest in after.published.of_kind("manifest"):
        body, _ = world.storage.objects.get(keys.asset_prefix(after.id) + manifest.path, (b"", 0.0))
        paths = [normpath(f"{dirname(manifest.path)}/{uri}") for uri in body.decode().splitlines()]
        tracks = Counter(basename(dirname(path)) for path in paths if path.endswith(".m4s"))
        if world.parts and tracks != {track: COUNTS[track] for track in _planned(after)}:
            return f"asset {after.id} is published with the segments {dict(tracks)}"
        for path in paths:
            if (asked := keys.addressed_segment(path)) is None:
                if keys.asset_prefix(after.id) + path not in world.storage.objects:
                    return f"asset {after.id} is published, and {path} is not there"
            elif told.get(asked[1]) != "on_demand":
                return f"asset {after.id} is published, and {path} of a track that is made whole is to come"
            elif not any(f.holds(path) and asked[2] < f.awaited.get(asked[1], 0) for f in after.published.files):
                return f"asset {after.id} is published, and nothing is promised at {path}"
    return None


def a_place_is_written_by_one_attempt(world: World, before: Task | None, after: Task | None) -> str | None:
    """No two attempts of whatever tasks have one path."""
    if before is None or after is None or (before.state, after.state) != ("pending", "running"):
        return None
    if after.stage not in WRITES:
        return None
    path = f"{after.asset_id}/{keys.attempt_path(after.generation, after.name, after.attempt)}"
    if path in world.observed.attempts:
        return f"a second attempt writes to {path}"
    world.observed.attempts.add(path)
    return None


def nothing_is_begun_of_what_is_deleted(world: World, before: Task | None, after: Task | None) -> str | None:
    """An asset that was deleted when a job of demand was made, and is since, gets no task of it."""
    if before is not None or after is None or (epoch := world.observed.too_late.get(after.job_id)) is None:
        return None
    asset = world.database.assets.records.get(after.asset_id)
    is_same = asset is not None and asset.deleted_at is not None and asset.acl_epoch == epoch
    return f"{after.name} is begun of asset {after.asset_id}, which is deleted" if is_same else None


def an_owners_pieces_are_few(world: World, before: Job | None, after: Job | None) -> str | None:
    """What viewers of one owner's assets begin is capped, but for those who ask at the same moment."""
    if before is not None or after is None or after.kind != "demand":
        return None
    asset = world.database.assets.records.get(after.asset_id)
    if asset is not None and asset.deleted_at is not None:
        world.observed.too_late[after.id] = asset.acl_epoch
    jobs = world.database.jobs.records.values()
    active = sum(job.kind == "demand" and job.owner == after.owner and job.state in WORK_ACTIVE for job in jobs)
    most = MOST_OF_OWNER - 1 + world.observed.most_asking
    return f"{active} pieces of {after.owner}'s assets are made at once" if active > most else None


def every_record_can_be_asked_for(world: World) -> str | None:
    """Whoever stood still or died: records are of what is made on demand of published generations."""
    for made in world.database.segments.records.values():
        asset = world.database.assets.records.get(made.asset_id)
        if (
            asset is None
            or made.eager
            or made.generation != asset.generation
            or not _can_be_asked_for(world, asset, made)
        ):
            return f"the record of segment {made.number} of {made.track} of {made.asset_id} is garbage"
        if keys.asset_prefix(asset.id) + made.path not in world.storage.objects:
            return f"{made.path} of {asset.id} is recorded, and not there"
    return None


def _all_files(published: Publication) -> tuple[Files, ...]:
    return (*published.files, *published.earlier)


def _planned(asset: Asset) -> tuple[str, ...]:
    return (*IN_PARTS, *(ON_DEMAND if makes_on_demand(asset.profile) else ()))


def _on_demand(asset: Asset, track: str) -> bool:
    shown = asset.shown
    return shown is not None and any(e["name"] == track and e["when"] == "on_demand" for e in shown.renditions)


def _may_be_evicted(world: World, made: MadeSegment) -> bool:
    """True for what is made again for who asks for it, while nobody watches who began long ago."""
    if made.eager or made.number < 0:
        return False
    watched, now = world.longest_watch, world.scheduler.now
    begun_meanwhile = world.observed.found_cold.get(made.asset_id, 0.0) > now - SLOW_SECONDS
    if world.observed.watched.get(made.asset_id, 0.0) > now - watched and not begun_meanwhile:
        return False
    world.observed.sent.pop(made.id, None)
    return True


def _begins_with(asset: Asset, track: str) -> int:
    """The number of the first segment that need not be there when viewers begin."""
    return 0 if _on_demand(asset, track) else 1


def _awaited(asset: Asset) -> Iterator[tuple[str, int]]:
    """Tracks and numbers of all that was foretold."""
    for files in asset.opened.files if asset.opened is not None else ():
        for track, count in files.awaited.items():
            yield from ((track, number) for number in range(-1, count))


def _address(asset: Asset, track: str, number: int) -> str:
    generation = asset.opened.generation if asset.opened is not None else 0
    return keys.segment_address(generation, track, number, ".m4s")


def _is_there(world: World, asset: Asset, track: str, number: int) -> bool:
    generation = asset.opened.generation if asset.opened is not None else 0
    made = world.database.segments.records.get(segment_id(asset.id, generation, track, number))
    return made is not None and keys.asset_prefix(asset.id) + made.path in world.storage.objects


def _can_be_asked_for(world: World, asset: Asset, made: MadeSegment) -> bool:
    address = keys.segment_address(made.generation, made.track, made.number, ".m4s")
    return asset.shown is not None and asset.shown.awaits(address, world.scheduler.now) is not None
