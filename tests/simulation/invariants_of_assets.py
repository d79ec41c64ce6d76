"""What always holds of assets and of what is published of them."""

from __future__ import annotations

from posixpath import dirname, normpath

from mediaflow.domain import keys
from mediaflow.domain.records import Asset
from mediaflow.services.pipeline.tenure import LEFTOVERS_SECONDS
from tests.simulation.world import SETTINGS, World

ENDED = ("ready", "failed", "rejected")
TOLD = ("title", "description", "visibility", "tags")


def generations_only_grow(_world: World, before: Asset | None, after: Asset | None) -> str | None:
    """Generations and epochs grow, and what is published is of the generation that the asset names."""
    if after is not None and after.published is not None and after.published.generation != after.generation:
        return f"asset {after.id} is at generation {after.generation} and shows {after.published.generation}"
    if before is None or after is None:
        return None
    for name in ("generation", "next_generation", "acl_epoch", "metadata_rev", "rev"):
        if getattr(after, name) < getattr(before, name):
            return f"{name} of asset {after.id} went from {getattr(before, name)} to {getattr(after, name)}"
    return None


def deleted_gets_nothing_published(_world: World, before: Asset | None, after: Asset | None) -> str | None:
    """While an asset is deleted, nothing is published of it."""
    if before is None or after is None or before.deleted_at is None or after.deleted_at is None:
        return None
    return f"asset {after.id} is deleted, and was published" if after.published != before.published else None


def deleted_is_left_alone(_world: World, before: Asset | None, after: Asset | None) -> str | None:
    """No job takes a deleted asset."""
    if before is None or after is None or after.deleted_at is None or before.state == after.state:
        return None
    return f"asset {after.id} is deleted and {after.state}" if after.state == "processing" else None


def purged_when_quiet(world: World, before: Asset | None, after: Asset | None) -> str | None:
    """A purge begins when nobody makes anything of the asset any more."""
    if before is None or after is None or before.purging or not after.purging:
        return None
    for task in world.database.tasks.records.values():
        held = task.state in ("running", "cancelled") and task.lease_until > world.scheduler.now
        if task.asset_id == after.id and held:
            return f"asset {after.id} is purged while {task.worker} may write to {task.name}"
    return None


def published_by_its_job(world: World, before: Asset | None, after: Asset | None) -> str | None:
    """A generation is published by its job, while that holds the asset and has not ended."""
    if before is None or after is None or after.generation == before.generation:
        return None
    job = world.database.jobs.records.get(after.job_id or "")
    if before.state != "processing" or job is None or job.generation != after.generation or before.job_id != job.id:
        return f"asset {after.id} ({before.state}) got generation {after.generation}, not from its job"
    return None if job.state in ("pending", "running") else f"the {job.state} job {job.id} published"


def published_files_exist(world: World, before: Asset | None, after: Asset | None) -> str | None:
    """Each file that is published is in the storage, with its size."""
    if after is None or after.published is None or (before is not None and after.published == before.published):
        return None
    return _missing(world, after)


def what_is_published_stays(world: World, key: str, _before: bytes | None, after: bytes | None) -> str | None:
    """A file that can be reached is not deleted, and never gets other bytes."""
    if not key.startswith("assets/"):
        return None
    _, asset_id, path = key.split("/", 2)
    asset = world.database.assets.records.get(asset_id)
    if asset is None or asset.published is None or asset.deleted_at is not None:
        return None
    if asset.published.file(path, world.scheduler.now) is None:
        return None
    if path.endswith(".m4s") and not _is_named(world, asset_id, path):
        return None  # who stood still made what others had made, and takes it back
    if after is None:
        return f"{key} is deleted, and can be reached"
    return f"{key} is written again with other bytes" if _before is not None and after != _before else None


def _is_named(world: World, asset_id: str, path: str) -> bool:
    """True for a segment that a playlist names."""
    manifests = {
        key.removeprefix(keys.asset_prefix(asset_id)): body.decode().splitlines()
        for key, (body, _) in world.storage.objects.items()
        if key.startswith(keys.asset_prefix(asset_id)) and key.endswith(".tiny")
    }
    return any(path == normpath(f"{dirname(place)}/{uri}") for place, lines in manifests.items() for uri in lines)


def tokens_end(_world: World, before: Asset | None, after: Asset | None) -> str | None:
    """Deleting, restoring and other visibility end all stream tokens."""
    if before is None or after is None:
        return None
    same = (before.deleted_at is None) == (after.deleted_at is None) and before.visibility == after.visibility
    return None if same or after.acl_epoch > before.acl_epoch else f"asset {after.id}: its stream tokens live on"


def purging_is_for_good(_world: World, before: Asset | None, after: Asset | None) -> str | None:
    """From a purge nothing comes back."""
    if before is None or after is None or not before.purging:
        return None
    return None if after.purging and after.deleted_at is not None else f"asset {after.id} came back from its purge"


def removed_when_purged(_world: World, before: Asset | None, after: Asset | None) -> str | None:
    """An asset goes by a purge, or before it had a file."""
    if before is None or after is not None or before.purging or before.state == "created":
        return None
    return f"asset {before.id} ({before.state}) is gone without a purge"


def revisions_of_metadata(_world: World, before: Asset | None, after: Asset | None) -> str | None:
    """What owners say changes with its revision: no change of theirs overwrites another unseen."""
    if before is None or after is None or after.metadata_rev != before.metadata_rev:
        return None
    changed = [name for name in TOLD if getattr(before, name) != getattr(after, name)]
    return f"{changed[0]} of asset {after.id} changed without a revision" if changed else None


def quota(world: World, before: Asset | None, after: Asset | None) -> str | None:
    """Of what was announced and answered, nobody has more than they may."""
    if after is None or before is not None:
        return None
    records = world.database.assets.records
    theirs = [asset for asset in world.accepted if asset in records and records[asset].owner == after.owner]
    most = SETTINGS.quota_assets
    return f"{after.owner} has {len(theirs)} assets of at most {most}" if len(theirs) > most else None


def on_their_way(world: World) -> str | None:
    """An asset with its file that is neither made nor failed."""
    for asset in world.database.assets.records.values():
        if asset.state in ("stored", "processing") and asset.deleted_at is None:
            return f"asset {asset.id} is {asset.state}"
    return None


def all_that_is_published_is_there(world: World) -> str | None:
    """Every asset has come to an end, and plays when it says so."""
    for asset in world.database.assets.records.values():
        if asset.deleted_at is not None:
            return f"asset {asset.id} was deleted and is still there"
        if asset.state not in ENDED:
            return f"asset {asset.id} is {asset.state} for ever"
        if (asset.state == "ready") != (asset.published is not None):
            return f"asset {asset.id} is {asset.state}, with generation {asset.generation}"
        if asset.published is not None and (missing := _missing(world, asset)) is not None:
            return missing
    return None


def nothing_is_left_of_what_is_gone(world: World) -> str | None:
    """Files belong to an asset, and to the generation that it shows.

    What somebody wrote who stood still while the asset was purged, or so long after his task had been ended that nobody
    waits for him, and captions whose request died, are for `gc`.
    """
    for key, (_, written_at) in world.storage.objects.items():
        if not key.startswith("assets/"):
            continue
        _, asset_id, path = key.split("/", 2)
        asset = world.database.assets.records.get(asset_id)
        if asset is None and written_at < world.purged.get(asset_id, 0.0):
            return f"{key} is left of an asset that is gone"
        if asset is None:
            continue
        generation = keys.generation_of(path)
        used = asset.published is not None and asset.published.uses(path)
        if generation in (None, asset.generation) or used or _is_late(world, asset_id, path, written_at):
            continue
        return f"{key} is left of a generation that is not shown ({asset.generation} is)"
    return None


def _is_late(world: World, asset_id: str, path: str, written_at: float) -> bool:
    """True for what a worker wrote who stood still for longer than any child of an ended task lives."""
    writers = (
        task
        for task in world.database.tasks.records.values()
        if task.asset_id == asset_id and path.startswith(f"g{task.generation}/{task.name}.")
    )
    return any(task.finished_at and written_at > task.finished_at + LEFTOVERS_SECONDS for task in writers)


def nothing_lies_without_its_asset(world: World) -> str | None:
    """Every file belongs to an asset that is there, and is one of those that it names, whoever stood still or died."""
    for key in world.storage.objects:
        if not key.startswith("assets/"):
            continue
        _, asset_id, path = key.split("/", 2)
        asset = world.database.assets.records.get(asset_id)
        if asset is None:
            return f"{key} is left of an asset that is gone"
        generation = keys.generation_of(path)
        if generation not in (None, asset.generation) and not (asset.published and asset.published.uses(path)):
            return f"{key} is left of a generation that is not shown ({asset.generation} is)"
    return None


def _missing(world: World, asset: Asset) -> str | None:
    published, prefix = asset.published, keys.asset_prefix(asset.id)
    if published is None:
        return None
    for output in published.outputs:
        data, _ = world.storage.objects.get(prefix + output.path, (None, 0.0))
        if data is None or output.size_bytes != len(data):
            return f"asset {asset.id} shows {output.path}, which is not there as it says"
    for source in published.sources:
        if f"{prefix}{source}/artifacts.json" not in world.storage.objects:
            return f"asset {asset.id} shows what lies in {source}, whose list is gone"
    return None
