"""What always holds of uploads, chunks and originals."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from mediaflow.domain.ids import derived_id
from mediaflow.domain.records import Asset, Blob, Chunk, Upload
from mediaflow.domain.states import UPLOAD_ENDED, UPLOAD_RECEIVING
from tests.simulation.world import World

NEXT: Final[dict[str, tuple[str, ...]]] = {
    "initialized": ("receiving", "assembling", "aborted", "expired"),
    "receiving": ("assembling", "aborted", "expired"),
    "assembling": ("stored", "failed"),
    "stored": ("queued", "failed"),
    "queued": ("failed",),
}
FACTS: Final = ("owner", "asset_id", "size_bytes", "chunk_size_bytes", "chunk_count", "storage_key", "declared_sha256")


def states_go_forward(_world: World, before: Upload | None, after: Upload | None) -> str | None:
    """An upload's state goes on as the design says, and an ended one's never."""
    if before is None or after is None or before.state == after.state or after.state in NEXT.get(before.state, ()):
        return None
    return f"upload {before.id} went from {before.state} to {after.state}"


def assembled_by_one(world: World, before: Upload | None, after: Upload | None) -> str | None:
    """Nobody takes an assembly over from somebody whose lease runs."""
    if before is None or after is None or before.lease_token in (None, after.lease_token):
        return None
    return f"upload {after.id} was taken over" if before.lease_until > world.scheduler.now else None


def announced_facts_stay(_world: World, before: Upload | None, after: Upload | None) -> str | None:
    """What was fixed when it was announced does not change."""
    if before is None or after is None:
        return None
    changed = [name for name in FACTS if getattr(before, name) != getattr(after, name)]
    return f"upload {before.id} has another {changed[0]}" if changed else None


def complete_when_all_chunks_are_there(world: World, before: Upload | None, after: Upload | None) -> str | None:
    """Assembling begins when every record is there, or the owner has the bytes: then their original is."""
    if after is None or after.state != "assembling" or (before is not None and before.state == "assembling"):
        return None
    if after.shared:
        return _held(world, after)
    there = sorted(chunk.index for chunk in _chunks(world, after) if chunk.state == "received")
    return None if there == list(range(after.chunk_count)) else f"upload {after.id} is assembled with chunks {there}"


def _held(world: World, upload: Upload) -> str | None:
    blob = world.database.blobs.records.get(derived_id("blob", upload.owner, str(upload.sha256)))
    there = blob is not None and upload.asset_id in blob.assets and world.storage.objects.get(blob.key) is not None
    return None if there else f"upload {upload.id} is assembled of an original that is not there"


def stored_is_what_was_received(world: World, before: Upload | None, after: Upload | None) -> str | None:
    """A stored upload's original exists, with size, SHA-256, and the bytes that its chunks' records tell of."""
    if after is None or after.state != "stored" or (before is not None and before.state == "stored"):
        return None
    asset = world.database.assets.records.get(after.asset_id)
    key = after.storage_key  # a large one is hashed later
    if after.sha256 is not None:
        blob = world.database.blobs.records.get(derived_id("blob", after.owner, after.sha256))
        if blob is None or (after.asset_id not in blob.assets and asset is not None and not asset.purging):
            return f"upload {after.id} is stored, but no original lists {after.asset_id}"
        key = blob.key
    data, _ = world.storage.objects.get(key, (b"", 0.0))
    if after.sha256 not in (None, hashlib.sha256(data).hexdigest()) or len(data) != after.size_bytes:
        return f"upload {after.id} is stored, but its original {key} is not ({len(data)} bytes)"
    for chunk in _chunks(world, after):
        start = chunk.index * after.chunk_size_bytes
        if hashlib.sha256(data[start : start + after.chunk_size_bytes]).hexdigest() != chunk.sha256:
            return f"chunk {chunk.index} of upload {after.id} is stored with other bytes than were received"
    return None


def failed_for_its_bytes_only(_world: World, before: Upload | None, after: Upload | None) -> str | None:
    """What was queued fails only because it is not what was declared."""
    if before is None or after is None or before.state not in ("stored", "queued") or after.state != "failed":
        return None
    is_wrong = after.declared_sha256 is not None and (after.error or {}).get("code") == "upload.checksum_mismatch"
    return None if is_wrong else f"upload {after.id} failed after it was {before.state}: {after.error}"


def published_is_what_was_declared(world: World, before: Asset | None, after: Asset | None) -> str | None:
    """An asset is published when its original is hashed, as it was declared, and its blob lists the asset."""
    if after is None or after.generation == 0 or (before is not None and before.generation == after.generation):
        return None
    blob = world.database.blobs.records.get(derived_id("blob", after.owner, after.sha256 or ""))
    if blob is None or blob.key != after.original_key or after.id not in blob.assets:
        return f"asset {after.id} is published, and its original {after.original_key} is not settled"
    data, _ = world.storage.objects.get(blob.key, (b"", 0.0))
    upload = world.database.uploads.records.get(after.upload_id)
    declared = None if upload is None else upload.declared_sha256
    found = hashlib.sha256(data).hexdigest()
    if found != after.sha256 or declared not in (None, found):
        return f"asset {after.id} is published, and its original is not what was declared"
    return None


def received_for_ever(world: World, before: Chunk | None, after: Chunk | None) -> str | None:
    """A received chunk's record does not change, and goes with its upload only."""
    if before is None or before.state != "received":
        return None
    if after is not None:
        return f"the record of chunk {before.index} of {before.upload_id} changed"
    upload = world.database.uploads.records.get(before.upload_id)
    if upload is None or upload.state in UPLOAD_ENDED or _is_purging(world, upload.asset_id):
        return None
    return f"the record of chunk {before.index} of {before.upload_id} ({upload.state}) is gone"


def received_is_durable(world: World, before: Chunk | None, after: Chunk | None) -> str | None:
    """A record exists: so bytes with that length and SHA-256 are kept."""
    if after is None or after.state != "received" or (before is not None and before.state == "received"):
        return None
    upload = world.database.uploads.records.get(after.upload_id)
    if upload is None or upload.state not in UPLOAD_RECEIVING:
        return None  # it ended while the bytes came: a sweep removes both
    transfer = world.storage.incoming.get(upload.parts_handle)
    data = b"" if transfer is None else transfer.parts.get(after.index, b"")
    if (len(data), hashlib.sha256(data).hexdigest()) == (after.length, after.sha256):
        return None
    return f"chunk {after.index} of {upload.id} is recorded, but {len(data)} other bytes are kept"


def received_is_not_overwritten(world: World, key: str, index: int, data: bytes) -> str | None:
    """What is received is never written again, but with the same bytes."""
    upload = world.database.uploads.records.get(key.rpartition("/")[2])
    if upload is None or upload.state in UPLOAD_ENDED:
        return None
    for chunk in _chunks(world, upload):
        if chunk.index == index and chunk.state == "received" and chunk.sha256 != hashlib.sha256(data).hexdigest():
            return f"chunk {index} of {upload.id} was received, and is overwritten with other bytes"
    return None


def a_blob_with_users_is_live(world: World, before: Blob | None, after: Blob | None) -> str | None:
    """A blob goes only when nobody uses it, and its key has one life."""
    if after is None:
        return f"a blob with users is gone: {before.assets}" if before is not None and before.assets else None
    if after.state == "deleting" and after.assets:
        return f"the blob {after.key} is deleting with users {after.assets}"
    if before is not None and before.state == "deleting" and after.state == "live" and before.key == after.key:
        return f"the blob {after.key} lives again under the same key"
    lost = set(() if before is None or before.key != after.key else before.assets) - set(after.assets)
    kept = sorted(user for user in lost if not _is_purging(world, user))
    return f"the asset {kept[0]} uses the blob {after.key} and was taken from it" if kept else None


def originals_stay(world: World, key: str, _before: bytes | None, after: bytes | None) -> str | None:
    """An original is there as long as an asset that is not purged uses it."""
    if after is not None or not key.startswith(("originals/", "uploads/")):
        return None
    for asset in world.database.assets.records.values():
        settling = key.startswith("uploads/") and asset.sha256 is not None  # it is moved to its blob
        if asset.original_key == key and not asset.purging and not (settling and _is_unread(world, asset)):
            return f"the original {key} is deleted, and {asset.id} ({asset.state}) has it"
    return None


def on_their_way(world: World) -> str | None:
    """An upload that is complete and not queued."""
    for upload in world.database.uploads.records.values():
        if upload.state in ("assembling", "stored"):
            return f"upload {upload.id} is {upload.state}"
    return None


def no_staging_is_left(world: World) -> str | None:
    """Nothing of an upload lies where its bytes arrived, and no record waits."""
    for upload in world.database.uploads.records.values():
        if upload.state not in ("queued", "failed"):
            return f"upload {upload.id} is {upload.state}"
    for left in world.storage.incoming.values():
        if left.key in world.begun:  # of what was never announced only `gc` can know
            return f"parts of {left.key} are left"
    left_over = _arrived(world)
    return f"{left_over[0]} is left" if left_over else None


def nothing_is_left_of_uploads(world: World) -> str | None:
    """No bytes lie where they arrived, and no chunk has a record without its upload, whoever stood still or died."""
    for left in world.storage.incoming.values():
        return f"parts of {left.key} are left"
    for chunk in world.database.chunks.records.values():
        if chunk.upload_id not in world.database.uploads.records:
            return f"chunk {chunk.index} is left of {chunk.upload_id}, which is gone"
    return next((f"{key} is left" for key in _arrived(world)), None)


def what_was_refused_is_gone(world: World) -> str | None:
    """Of a file that is not what was declared nothing plays, and no job begins with it again."""
    for upload in world.database.uploads.records.values():
        asset = world.database.assets.records.get(upload.asset_id)
        if upload.state != "failed" or asset is None:
            continue
        ended = asset.state in ("failed", "rejected")
        if not ended or asset.playable or asset.original_key is not None:
            return f"upload {upload.id} failed, and its asset {asset.id} is {asset.state} with {asset.original_key}"
    return None


def originals_have_users(world: World) -> str | None:
    """Every original belongs to a blob, and every blob's users are there."""
    blobs = {blob.key: blob for blob in world.database.blobs.records.values()}
    for key in world.storage.objects:
        if key.startswith("originals/") and (key not in blobs or not blobs[key].assets):
            return f"{key} is an original of nobody"
    for blob in blobs.values():
        gone = [user for user in blob.assets if user not in world.database.assets.records]
        if gone:
            return f"{blob.key} lists {gone[0]}, which is gone"
    return None


def originals_have_users_but_late_ones(world: World) -> str | None:
    """The same where nobody stood still while an asset was purged, listed it then, and died before he took it back."""
    late = any(
        world.written[blob.id] > world.purged.get(user, world.scheduler.now)
        for blob in world.database.blobs.records.values()
        for user in blob.assets
        if user not in world.database.assets.records
    )
    return None if late else originals_have_users(world)


def _is_unread(world: World, asset: Asset) -> bool:
    """True when no task of its job reads the asset's original. One of demand, which does, is tried again."""
    tasks = (task for task in world.database.tasks.records.values() if task.job_id == asset.job_id)
    return not any(task.stage in ("probe", "step", "digest") and task.state == "running" for task in tasks)


def _arrived(world: World) -> list[str]:
    """Objects that lie where they arrived, and are no asset's original."""
    originals = {asset.original_key for asset in world.database.assets.records.values()}
    return [key for key in world.storage.objects if key.startswith("uploads/") and key not in originals]


def _chunks(world: World, upload: Upload) -> list[Any]:
    return [chunk for chunk in world.database.chunks.records.values() if chunk.upload_id == upload.id]


def _is_purging(world: World, asset_id: str) -> bool:
    asset = world.database.assets.records.get(asset_id)
    return asset is None or asset.purging
