"""Listings of assets, filtered, searched and sorted, one page at a time, and totals. All are for one principal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from mediaflow.domain.errors import InvalidInput, Problem
from mediaflow.domain.records import Asset
from mediaflow.domain.states import ASSET_STATES, AssetState, Visibility
from mediaflow.services.access.permissions import scope_of
from mediaflow.services.access.principals import Principal
from mediaflow.services.paging import Page
from mediaflow.services.ports import Between, Contains, Database, HasPrefixes
from mediaflow.services.text.search import MAX_QUERY_WORDS, prefixes_of

ASSET_SORTS: Final = ("created_at", "updated_at", "title", "size_bytes", "state")
"""Fields that listings can be sorted by, each also with `-` in front; `persistence/listings.py` has their indexes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetQuery:
    """Which assets; what is given must all hold.

    `q` are beginnings of words in title, description and tags. Times are seconds since the epoch: created at
    `created_after` or later, and before `created_before`. `deleted` lists the trash instead of what is not in it.
    `shared` lists what others share with the principal instead of what is theirs.
    """

    page: int = 1
    page_size: int = 20
    q: str | None = None
    tag: str | None = None
    state: AssetState | None = None
    visibility: Visibility | None = None
    owner: str | None = None
    created_after: float | None = None
    created_before: float | None = None
    sort: str = "-created_at"
    deleted: bool = False
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Totals:
    """How many assets there are in each state, how many in the trash, and the bytes of those that are not there."""

    states: dict[AssetState, int]
    deleted: int
    size_bytes: int

    @property
    def total(self) -> int:
        """All that are not in the trash."""
        return sum(self.states.values())


@dataclass(frozen=True, slots=True)
class Listing:
    """Pages and totals of assets."""

    database: Database

    def assets(self, principal: Principal, query: AssetQuery) -> Page[Asset]:
        """The principal's assets (an admin's: all). Forbidden when somebody else's are asked for."""
        where = _whose(principal, query) | _when(query)
        for name in ("state", "visibility"):
            if (value := getattr(query, name)) is not None:
                where[name] = value
        if query.tag is not None:
            where["tags"] = Contains(query.tag)
        if query.q:
            words = _words(query.q)
            if not words:
                return Page([], query.page, query.page_size, 0)
            where["search"] = HasPrefixes(words)
        # as unique as the id, and in the indexes: pages neither overlap nor leave anything out
        tie = "-upload_id" if query.sort.startswith("-") else "upload_id"
        skip = (query.page - 1) * query.page_size
        items = self.database.assets.find(where, sort=(query.sort, tie), skip=skip, limit=query.page_size)
        return Page(items, query.page, query.page_size, self.database.assets.count(where))

    def totals(self, principal: Principal, owner: str | None = None) -> Totals:
        """Totals of the principal's assets (an admin's: of all, or of that owner's)."""
        whose = scope_of(principal, owner)
        kept, assets = whose | {"deleted_at": None}, self.database.assets
        return Totals(
            {state: assets.count(kept | {"state": state}) for state in ASSET_STATES},
            assets.count(whose | _TRASH),
            int(assets.total("size_bytes", kept)),
        )


_TRASH: Final = {"deleted_at": Between(), "purging": False}
"""What can be restored: what is being purged is no more there."""


def _whose(principal: Principal, query: AssetQuery) -> dict[str, Any]:
    if not query.shared:
        return scope_of(principal, query.owner) | (_TRASH if query.deleted else {"deleted_at": None})
    if query.deleted:
        problem = Problem("request.invalid", "can't be combined with shared: the trash is its owner's only", "/deleted")
        raise InvalidInput(f"deleted: {problem.detail}", problems=(problem,))
    owned = {} if query.owner is None else {"owner": query.owner}
    return owned | {"deleted_at": None, "shared_with": Contains(principal.user)}


def _when(query: AssetQuery) -> dict[str, Any]:
    if query.created_after is None and query.created_before is None:
        return {}
    return {"created_at": Between(query.created_after, query.created_before)}


def _words(text: str) -> tuple[str, ...]:
    words = prefixes_of(text)
    if len(words) > MAX_QUERY_WORDS:
        detail = f"must have at most {MAX_QUERY_WORDS} words, not {len(words)}"
        raise InvalidInput(f"q: {detail}", problems=(Problem("request.invalid", detail, "/q"),))
    return tuple(words)
