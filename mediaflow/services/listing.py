"""Listings of assets, filtered, searched and sorted, one page at a time. Every listing is for one principal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from mediaflow.domain.records import Asset
from mediaflow.domain.states import AssetState, Visibility
from mediaflow.services.access import Principal
from mediaflow.services.ports import Contains, Database

T = TypeVar("T")

ASSET_SORTS: Final = ("created_at", "updated_at", "title", "size_bytes", "state")
"""Fields that listings can be sorted by, each also with `-` in front."""
MAX_SEARCHED: Final = 10_000
"""A text search looks through this many newest assets at most, in memory."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page (1-based) of a listing, and how many there are in all."""

    items: list[T]
    page: int
    page_size: int
    total: int

    @property
    def pages(self) -> int:
        """How many pages there are; 0 when there is nothing."""
        return -(-self.total // self.page_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetQuery:
    """Which assets. `q` is looked for in title, description and tags, in any case; `deleted` lists those instead."""

    page: int = 1
    page_size: int = 20
    q: str | None = None
    tag: str | None = None
    state: AssetState | None = None
    visibility: Visibility | None = None
    sort: str = "-created_at"
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """Pages of assets."""

    database: Database

    def assets(self, principal: Principal, query: AssetQuery) -> Page[Asset]:
        """The principal's assets (an admin's: all)."""
        where = scope(principal)
        if not query.deleted:
            where["deleted_at"] = None
        for name in ("state", "visibility"):
            if (value := getattr(query, name)) is not None:
                where[name] = value
        if query.tag is not None:
            where["tags"] = Contains(query.tag)
        if query.q or query.deleted:
            return self._searched(where, query)
        skip = (query.page - 1) * query.page_size
        items = self.database.assets.find(where, sort=(query.sort, "id"), skip=skip, limit=query.page_size)
        return Page(items, query.page, query.page_size, self.database.assets.count(where))

    def _searched(self, where: dict[str, Any], query: AssetQuery) -> Page[Asset]:
        found = self.database.assets.find(where, sort=(query.sort, "id"), limit=MAX_SEARCHED)
        words = (query.q or "").casefold().split()
        matching = [asset for asset in found if (asset.deleted_at is not None) == query.deleted and _has(asset, words)]
        skip = (query.page - 1) * query.page_size
        return Page(matching[skip : skip + query.page_size], query.page, query.page_size, len(matching))


def scope(principal: Principal) -> dict[str, Any]:
    """What limits a listing to the principal's own documents; nothing does for an admin."""
    return {} if principal.is_admin else {"owner": principal.user}


def _has(asset: Asset, words: list[str]) -> bool:
    text = "\n".join((asset.title, asset.description, *asset.tags)).casefold()
    return all(word in text for word in words)
