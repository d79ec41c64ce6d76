"""The objects that documents name, as the storage has them: what a backup of the documents needs beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from mediaflow.domain import keys
from mediaflow.domain.records import Asset
from mediaflow.plugin import ObjectInfo, Storage
from mediaflow.services.integrity import arrivals, assets, blobs
from mediaflow.services.integrity.findings import PAGE, pages
from mediaflow.services.integrity.naming import Names
from mediaflow.services.ports import Database


@dataclass(frozen=True, slots=True)
class NamedObjects:
    """Walks documents and listings side by side, and holds neither."""

    database: Database
    storage: Storage

    def all(self) -> Iterator[ObjectInfo]:
        """In the order of their keys."""
        groups = assets.by_asset(self.storage.list(assets.ALL))
        group = next(groups, None)
        for page in pages(self.database.assets):
            for asset in page:
                while group is not None and group[0] < asset.id:
                    group = next(groups, None)
                if group is not None and group[0] == asset.id:
                    yield from self._of(asset, group[1])
                    group = next(groups, None)
        for info in self.storage.list(blobs.ALL):
            if blobs.is_named_original(self.database, info.key):
                yield info
        arrived = self.storage.list(arrivals.ALL)
        while some := list(islice(arrived, PAGE)):
            unnamed = {info.key for info in arrivals.unnamed_arrivals(self.database, some)}
            yield from (info for info in some if info.key not in unnamed)

    def _of(self, asset: Asset, listed: Iterable[ObjectInfo]) -> Iterator[ObjectInfo]:
        prefix, names = keys.asset_prefix(asset.id), Names(self.database, asset, self.database.now())
        yield from (info for info in listed if names.has(info.key.removeprefix(prefix)))
