"""What always holds of assets that are watched while they are made, and of their segments."""

from __future__ import annotations

from collections.abc import Iterator

from mediaflow.domain import keys
from mediaflow.domain.ids import segment_id
from mediaflow.domain.madesegments import MadeSegment
from mediaflow.domain.records import Asset
from tests.simulation.world import World


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
        if number < 1 and not _is_there(world, after, track, number):
            return f"asset {after.id} opens without segment {number} of {track}"
    return None


def what_was_foretold_is_made(world: World, before: Asset | None, after: Asset | None) -> str | None:
    """When it is published, each segment is there that was foretold to those who watch."""
    if before is None or after is None or before.opened is None or after.generation == before.generation:
        return None
    for track, number in _awaited(before):
        if not _is_there(world, before, track, number):
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
    if asset.deleted_at is None and _can_be_asked_for(world, asset, before):
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
    """Records go with the last who watched; what somebody wrote who stood still meanwhile goes months later."""
    for made in world.database.segments.records.values():
        asset = world.database.assets.records.get(made.asset_id)
        if asset is not None and asset.sweep_at is None and made.created_at < asset.updated_at:
            return f"the record of segment {made.number} of {made.track} of {made.asset_id} is left"
        if asset is None and made.created_at < world.purged.get(made.asset_id, 0.0):
            return f"a record of a segment of {made.asset_id} is left, which is gone"
    return None


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
