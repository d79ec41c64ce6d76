"""Assets: what their documents say of themselves, of jobs, uploads and blobs, and of the files that they promise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from mediaflow.domain import keys
from mediaflow.domain.ids import is_id
from mediaflow.domain.records import Asset
from mediaflow.plugin import ObjectInfo, Storage
from mediaflow.services.integrity.assetmending import AssetMending
from mediaflow.services.integrity.assetstates import AssetStates
from mediaflow.services.integrity.findings import Finding, pages
from mediaflow.services.integrity.naming import Names
from mediaflow.services.integrity.published import compared, summed
from mediaflow.services.ports import Database

ALL: Final = "assets/"
OLD_SECONDS: Final = 7 * 86400.0
"""So long after it was written, garbage should have been removed."""
Group = tuple[str, Iterable[ObjectInfo]]


@dataclass(frozen=True, slots=True)
class AssetExaminer:
    """Walks documents and the storage's listing side by side: both are sorted by the assets' ids."""

    database: Database
    storage: Storage
    states: AssetStates
    mending: AssetMending

    kind = "assets"

    def suspects(self, told: Callable[[int], None]) -> Iterator[Finding]:
        groups = by_asset(self.storage.list(ALL))
        group = next(groups, None)
        for page in pages(self.database.assets):
            yield from self.states.look(page)
            for asset in page:
                while group is not None and group[0] < asset.id:
                    yield from self._orphans(*group)
                    group = next(groups, None)
                is_its = group is not None and group[0] == asset.id
                yield from self._files(asset, group[1] if group is not None and is_its else ())
                if is_its:
                    group = next(groups, None)
            told(len(page))
        while group is not None:
            yield from self._orphans(*group)
            group = next(groups, None)

    def again(self, subject: str) -> Iterator[Finding]:
        asset = self.database.assets.get(subject)
        listed = self.storage.list(keys.asset_prefix(subject))
        if asset is None:
            yield from self._orphans(subject, listed)
        else:
            yield from self.states.look([asset])
            yield from self._files(asset, listed)

    def _files(self, asset: Asset, listed: Iterable[ObjectInfo]) -> Iterator[Finding]:
        if asset.purging:
            return
        names = Names(self.database, asset, self.database.now())
        seen = compared(asset, names, self.storage, listed)
        lost = {caption["path"] for caption in asset.captions} & seen.wrong.keys()
        if lost:
            taken_off = self.mending.without_captions(asset, lost)
            detail = f"{len(lost)} of its uploaded captions are lost: first {min(lost)}"
            said = "they are taken off its list, and what is published of them stays"
            yield Finding("asset.lost_captions", asset.id, detail, said, taken_off, is_loss=True)
        if wrong := {path: what for path, what in seen.wrong.items() if path not in lost}:
            remedy, mend = self.mending.of_lost_files(asset)
            yield Finding("asset.lost_files", asset.id, summed(wrong), remedy, mend, is_loss=True)
        if seen.lost_segments:
            first = min(made.path for made in seen.lost_segments)
            detail = (
                f"{len(seen.lost_segments)} of its segments made on demand are not there as recorded: first {first}"
            )
            remedy, mend = "they are made again for who asks for them", self.mending.forgetting(seen.lost_segments)
            yield Finding("asset.lost_segments", asset.id, detail, remedy, mend, is_loss=True)
        if seen.unnamed:
            places = f"{len(seen.unnamed)} of its places are named by nothing, first {min(seen.unnamed)}"
            detail = f"{places} ({seen.unnamed_bytes} bytes)"
            yield self._garbage("asset.garbage", asset.id, detail, seen.newest)

    def _orphans(self, asset_id: str, listed: Iterable[ObjectInfo]) -> Iterator[Finding]:
        count, size, newest = 0, 0, 0.0
        for info in listed:
            count, size, newest = count + 1, size + info.size_bytes, max(newest, info.modified_at)
        if count:
            detail = f"{count} objects of {size} bytes are there, and no such asset"
            yield self._garbage("asset.orphans", asset_id, detail, newest)

    def _garbage(self, code: str, subject: str, detail: str, newest: float) -> Finding:
        is_old = newest < self.database.now() - OLD_SECONDS
        detail = f"{detail}; `mediaflow gc` removes it" + (", and has not for a week" if is_old else "")
        return Finding(code, subject, detail, note=not is_old)


def by_asset(listed: Iterable[ObjectInfo]) -> Iterator[Group]:
    """Each asset's objects, to be read before the next one's. What lies elsewhere below `assets/` is not ours."""
    for asset_id, infos in groupby(listed, lambda info: info.key.split("/", 2)[1]):
        if is_id(asset_id):
            yield asset_id, infos
