"""What lies in the storage and nothing names: found by walking documents and listings side by side, holding neither."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from mediaflow.domain import keys
from mediaflow.domain.ids import derived_id
from mediaflow.domain.leftovers import Leftover, LeftoverKind
from mediaflow.domain.records import Asset
from mediaflow.plugin import KnowsParts, ObjectInfo, Reception, Storage
from mediaflow.services.integrity import arrivals, assets, blobs
from mediaflow.services.integrity.findings import PAGE, pages
from mediaflow.services.integrity.naming import Names, unit_of
from mediaflow.services.ports import Database


@dataclass(frozen=True, slots=True)
class Garbage:
    """Finds places that nothing names, and tells of one whether it still is such a place."""

    database: Database
    storage: Storage

    def all(self) -> Iterator[Leftover | None]:
        """Every such place; None each time that much was looked at in vain, so that one can stop in between."""
        yield from self._assets()
        for kind in (blobs.ALL, arrivals.ALL):
            listed = self.storage.list(kind)
            while page := list(islice(listed, PAGE)):
                yield None
                yield from (self._of("objects", info.key, [info]) for info in self._unnamed(kind, page))
        if isinstance(self.storage, KnowsParts):
            receptions = self.storage.receptions()
            while begun := list(islice(receptions, PAGE)):
                yield None
                yield from map(self._of_parts, arrivals.unnamed_receptions(self.database, begun))

    def again(self, found: Leftover) -> Leftover | None:
        """The same place as it is now; None when it is empty or somebody names it."""
        if found.kind == "parts":
            begun = Reception(found.place, found.key, found.changed_at, found.size_bytes)
            return found if arrivals.unnamed_receptions(self.database, [begun]) else None
        if self._is_named(found.place):
            return None
        now = self._of("objects", found.place, self.objects(found.place))
        return now if now.count else None

    def objects(self, place: str) -> Iterator[ObjectInfo]:
        """What lies there. A key is no beginning of others: those are somebody else's."""
        if place.endswith("/"):
            yield from self.storage.list(place)
        elif (info := self.storage.stat(place)) is not None:
            yield info

    def _assets(self) -> Iterator[Leftover | None]:
        groups = assets.by_asset(self.storage.list(assets.ALL))
        group = next(groups, None)
        for page in pages(self.database.assets):
            yield None
            for asset in page:
                while group is not None and group[0] < asset.id:
                    yield self._of("objects", keys.asset_prefix(group[0]), group[1])
                    group = next(groups, None)
                if group is not None and group[0] == asset.id:
                    yield from self._units(asset, group[1])
                    group = next(groups, None)
        while group is not None:
            yield self._of("objects", keys.asset_prefix(group[0]), group[1])
            group = next(groups, None)

    def _units(self, asset: Asset, listed: Iterable[ObjectInfo]) -> Iterator[Leftover | None]:
        if asset.purging:
            return
        names, prefix = Names(self.database, asset, self.database.now()), keys.asset_prefix(asset.id)
        found: Leftover | None = None
        for info in listed:
            path = info.key.removeprefix(prefix)
            place = prefix + unit_of(path)
            if found is not None and found.place != place:
                yield found
                found = None
            if not names.has(path):
                found = _with(found or self._of("objects", place, ()), info)
        yield found

    def _unnamed(self, kind: str, infos: list[ObjectInfo]) -> list[ObjectInfo]:
        if kind == arrivals.ALL:
            return arrivals.unnamed_arrivals(self.database, infos)
        return [info for info in infos if not blobs.is_named_original(self.database, info.key)]

    def _is_named(self, place: str) -> bool:
        if place.startswith(blobs.ALL):
            return blobs.is_named_original(self.database, place)
        if place.startswith(arrivals.ALL):
            return not arrivals.unnamed_arrivals(self.database, [ObjectInfo(place, 0, 0.0)])
        _, asset_id, path = place.split("/", 2)
        asset = self.database.assets.get(asset_id)
        if asset is None:
            return False
        return asset.purging or not path or Names(self.database, asset, self.database.now()).has(path)

    def _of(self, kind: LeftoverKind, place: str, infos: Iterable[ObjectInfo]) -> Leftover:
        """Its objects are counted as they pass."""
        count, size_bytes, newest = 0, 0, 0.0
        for info in infos:
            count, size_bytes, newest = count + 1, size_bytes + info.size_bytes, max(newest, info.modified_at)
        return Leftover(
            id=derived_id("leftover", kind, place),
            kind=kind,
            place=place,
            found_at=self.database.now(),
            count=count,
            size_bytes=size_bytes,
            changed_at=newest,
        )

    def _of_parts(self, begun: Reception) -> Leftover:
        made = self._of("parts", begun.handle, ())
        return replace(made, key=begun.key, count=1, size_bytes=begun.size_bytes, changed_at=begun.changed_at)


def _with(found: Leftover, info: ObjectInfo) -> Leftover:
    return replace(
        found,
        count=found.count + 1,
        size_bytes=found.size_bytes + info.size_bytes,
        changed_at=max(found.changed_at, info.modified_at),
    )
