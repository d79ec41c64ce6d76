"""Reading one asset: who may is decided on fresh facts, always; the body may come from a cache, keyed by id and rev.

`rev` grows with every change of a document, in the same compare-and-set, so that a body of the revision that was just
looked up is the newest there is: nothing is ever invalidated, and nobody need be told of a change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Final, Protocol, TypeVar

from mediaflow.domain.errors import Unavailable
from mediaflow.domain.records import Asset
from mediaflow.domain.states import Visibility
from mediaflow.services.access.permissions import Governed
from mediaflow.services.ports import Database, Metrics, Repository

OUTCOMES: Final = ("hit", "miss", "error")
F = TypeVar("F")
Decide = Callable[[Governed | None], Any]
"""Raises when the asking principal may not see an asset of these facts (None: there is none)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetFacts:
    """What decides who may see an asset, and of which revision it is. The names are those of the record's fields."""

    id: str
    rev: int
    owner: str
    visibility: Visibility
    deleted_at: float | None
    acl_epoch: int
    shared_with: list[str]


class AssetBodies(Protocol):
    """Where bodies are kept for a while (`persistence/redis/cache.py`). Anything may be lost at any time."""

    def get(self, asset_id: str, rev: int) -> Asset | None:
        """The body of exactly that revision, None when it is not there. Raises Unavailable when nobody answers."""
        ...

    def put(self, asset: Asset, seconds: int) -> None:
        """Keep the body for so long. Never raises."""
        ...


@dataclass(frozen=True, slots=True)
class AssetReader:
    """Reads assets, through `bodies` when there are any."""

    database: Database
    metrics: Metrics | None = None
    bodies: AssetBodies | None = None
    seconds: int = 0

    def read(self, asset_id: str, decide: Decide) -> Asset:
        """The asset as it is now; whatever `decide` raises when it may not be seen, or is not there."""
        if self.bodies is None or self.seconds <= 0:
            return self._read(asset_id, decide)
        facts = look(self.database.assets, asset_id, AssetFacts)
        decide(facts)
        body = None if facts is None else self._kept(self.bodies, facts)
        if body is not None:
            return body
        # the document may be newer than the facts: what it says is decided upon again
        asset = self._read(asset_id, decide)
        self.bodies.put(asset, self.seconds)
        return asset

    def _read(self, asset_id: str, decide: Decide) -> Asset:
        asset = self.database.assets.get(asset_id)
        decide(asset)
        if asset is None:
            raise LookupError(f"{asset_id} is not there, and was allowed to be seen")
        return asset

    def _kept(self, bodies: AssetBodies, facts: AssetFacts) -> Asset | None:
        """The body of these facts. One that contradicts them (a database that was put back in time) is none."""
        try:
            body = bodies.get(facts.id, facts.rev)
        except Unavailable:
            self._count("error")
            return None
        fits = body is not None and all(getattr(body, name) == getattr(facts, name) for name in _FACTS)
        self._count("hit" if fits else "miss")
        return body if fits else None

    def _count(self, outcome: str) -> None:
        if self.metrics is not None:
            self.metrics.count("mediaflow_asset_cache_total", outcome=outcome)


_FACTS: Final = tuple(field.name for field in fields(AssetFacts))


def look(assets: Repository[Asset], asset_id: str, kind: type[F]) -> F | None:
    """Some fields of an asset as they are now: those that the dataclass `kind` has."""
    found = assets.peek(asset_id, [field.name for field in fields(kind)])  # type: ignore[arg-type]
    return None if found is None else kind(**found)
