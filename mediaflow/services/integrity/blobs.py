"""Originals: each blob's object is there while an asset needs it, and each object belongs to a blob."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import unquote

from mediaflow.domain import keys
from mediaflow.domain.records import Asset, Blob
from mediaflow.plugin import ObjectInfo, Storage
from mediaflow.services.integrity.assetmending import AssetMending
from mediaflow.services.integrity.assets import OLD_SECONDS
from mediaflow.services.integrity.findings import LOST, Finding, by_id, pages
from mediaflow.services.ports import Database
from mediaflow.services.uploads.blobs import Blobs

ALL: Final = "originals/"


@dataclass(frozen=True, slots=True)
class BlobExaminer:
    """Walks blobs and the listing of originals side by side, both sorted by key. `deep`: every original is hashed."""

    database: Database
    storage: Storage
    blobs: Blobs
    mending: AssetMending
    deep: bool = False

    kind = "originals"

    def suspects(self, told: Callable[[int], None]) -> Iterator[Finding]:
        listed = self.storage.list(ALL)
        info = next(listed, None)
        for page in pages(self.database.blobs, by="key"):
            assets = by_id(self.database.assets, (user for blob in page for user in blob.assets))
            for blob in page:
                while info is not None and info.key < blob.key:
                    yield from self._object(info)
                    info = next(listed, None)
                is_its = info is not None and info.key == blob.key
                yield from self._blob(blob, assets, info if is_its else None)
                if is_its:
                    info = next(listed, None)
            told(len(page))
        while info is not None:
            yield from self._object(info)
            info = next(listed, None)

    def again(self, subject: str) -> Iterator[Finding]:
        if subject.startswith(ALL):
            info = self.storage.stat(subject)
            yield from self._object(info) if info is not None else ()
        elif (blob := self.database.blobs.get(subject)) is not None:
            yield from self._blob(blob, by_id(self.database.assets, blob.assets), self.storage.stat(blob.key))

    def _blob(self, blob: Blob, assets: dict[str, Asset], info: ObjectInfo | None) -> Iterator[Finding]:
        if blob.state == "deleting":
            detail = f"its original {blob.key} was being deleted"
            yield Finding("blob.half_deleted", blob.id, detail, "it is deleted", lambda: self._finish(blob))
            return
        if dead := [user for user in blob.assets if user not in assets]:
            detail = f"it lists the asset {dead[0]}, which is not there ({len(dead)} such)"
            yield Finding("blob.dead_asset", blob.id, detail, "they are taken off", lambda: self._leave(blob, dead))
        if not blob.assets:
            detail = "it is live, and lists nobody"
            yield Finding("blob.unused", blob.id, detail, "it is deleted", lambda: self._end(blob))
        users = [assets[user] for user in blob.assets if user in assets and _needs(assets[user], blob)]
        if not users:
            return
        what = self._what_is_wrong(blob, info)
        if what is None:
            return
        code, detail = what
        if all((user.error or {}).get("code") == LOST for user in users):
            yield Finding(code, blob.id, f"{detail}; its assets say so", note=True, is_loss=True)
            return
        remedy = "assets that play go on, the others fail; their documents say why"
        yield Finding(code, blob.id, detail, remedy, lambda: self._tell(users), is_loss=True)

    def _what_is_wrong(self, blob: Blob, info: ObjectInfo | None) -> tuple[str, str] | None:
        if info is None or info.size_bytes != blob.size_bytes:
            what = "is not in the storage" if info is None else f"has {info.size_bytes} bytes of {blob.size_bytes}"
            return "blob.lost_object", f"its original {blob.key} {what}"
        if self.deep and (found := self._hashed(blob.key)) != blob.sha256:
            return (
                "blob.damaged_object",
                f"its original {blob.key} has other bytes than were uploaded (SHA-256 {found})",
            )
        return None

    def _hashed(self, key: str) -> str:
        digest = hashlib.sha256()
        for block in self.storage.read(key):
            digest.update(block)
        return digest.hexdigest()

    def _object(self, info: ObjectInfo) -> Iterator[Finding]:
        if not is_named_original(self.database, info.key):
            is_old = info.modified_at < self.database.now() - OLD_SECONDS
            detail = f"{info.size_bytes} bytes that no asset names; `mediaflow gc` removes them"
            yield Finding("original.orphan", info.key, detail + (", and has not for a week" * is_old), note=not is_old)

    def _finish(self, blob: Blob) -> bool:
        if self._is_named(blob):
            return False
        self.storage.delete(blob.key)
        return self.database.blobs.remove(blob.id, {"state": "deleting", "key": blob.key})

    def _end(self, blob: Blob) -> bool:
        expect = {"rev": blob.rev, "key": blob.key, "state": "live"}
        if self._is_named(blob) or self.database.blobs.change(blob.id, expect, {"state": "deleting"}) is None:
            return False
        return self._finish(blob)

    def _leave(self, blob: Blob, users: list[str]) -> bool:
        if self._is_named(blob):
            return False
        for user in users:
            self.blobs.leave(replace(blob, assets=[]), user)
        return True

    def _is_named(self, blob: Blob) -> bool:
        """True when an asset that the blob does not list has its original there: first that one is to be listed."""
        found = self.database.assets.find({"owner": blob.owner, "sha256": blob.sha256, "purging": False})
        now = self.database.blobs.get(blob.id)
        listed = [] if now is None else now.assets
        return any(asset.original_key == blob.key and asset.id not in listed for asset in found)

    def _tell(self, users: list[Asset]) -> bool:
        return sum(self.mending.original_told(user) for user in users) > 0


def is_named_original(database: Database, key: str) -> bool:
    """True when a blob or an asset names that original; also when nobody can tell, as for a name that is not ours."""
    owner, sha256, asset_id = _parts(key)
    if sha256 is None:
        return True
    if database.blobs.find({"key": key}, limit=1):
        return True
    asset = database.assets.get(asset_id) if asset_id else None
    if asset is not None and asset.original_key == key:
        return True
    if not key.startswith(keys.original_key(unquote(owner), sha256)):
        return True  # a long owner's name, of which only a hash is left
    where = {"owner": unquote(owner), "sha256": sha256}
    return any(found.original_key == key for found in database.assets.find(where))


def _parts(key: str) -> tuple[str, str | None, str]:
    """Owner as quoted, digest and asset of `originals/{owner}/{sha256}-{asset}`; no digest where it is none."""
    _, owner, name = (*key.split("/"), "", "")[:3]
    sha256, _, asset_id = name.partition("-")
    is_digest = len(sha256) == 64 and not set(sha256) - set("0123456789abcdef")
    return owner, sha256 if is_digest and key.count("/") == 2 else None, asset_id


def _needs(asset: Asset, blob: Blob) -> bool:
    """An asset that is listed and has no original yet is still being assembled."""
    return asset.original_key == blob.key and not asset.purging
