"""Assets for blueprints and commands of plugins, by the rules of `access/permissions.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from mediaflow.domain.errors import Unauthenticated
from mediaflow.domain.records import Asset
from mediaflow.plugin import AssetView, Caller, EventReader, MediaContext, Metrics, Records
from mediaflow.services.access.permissions import may_read, watchable
from mediaflow.services.access.principals import Principal
from mediaflow.services.assets.asset_cache import AssetReader
from mediaflow.services.assets.listing import AssetQuery, Listing
from mediaflow.services.events.log import EventLog
from mediaflow.services.paging import check_page
from mediaflow.services.plugin_records import PluginRecords
from mediaflow.services.ports import Database


@dataclass(frozen=True, slots=True)
class PluginContext:
    """Implements `mediaflow.plugin.ServiceContext`. `who` tells the principal of this moment."""

    context: MediaContext
    database: Callable[[], Database]
    who: Callable[[], Principal | None]

    @property
    def settings(self) -> Mapping[str, Any]:
        return self.context.settings

    @property
    def metrics(self) -> Metrics:
        return self.context.metrics

    @property
    def records(self) -> Records:
        return PluginRecords(self.database(), self.context.plugin or "")

    @property
    def events(self) -> EventReader:
        return EventLog(self.database())

    def caller(self) -> Caller | None:
        principal = self.who()
        return None if principal is None else Caller(principal.user, principal.role)

    def asset(self, asset_id: str) -> AssetView:
        principal = self.who()
        found = AssetReader(self.database()).read(asset_id, partial(watchable, principal))
        return _view(found, principal)

    def assets(self, *, page: int = 1, page_size: int = 20) -> Sequence[AssetView]:
        principal = self.who()
        if principal is None:
            raise Unauthenticated("This needs a token: send `Authorization: Bearer ...`, or sign in.")
        check_page(page, page_size)
        found = Listing(self.database()).assets(principal, AssetQuery(page=page, page_size=page_size))
        return [_view(asset, principal) for asset in found.items]


def _view(asset: Asset, principal: Principal | None) -> AssetView:
    known = principal is not None and may_read(principal, asset)
    return AssetView(
        id=asset.id,
        title=asset.title,
        description=asset.description,
        tags=tuple(asset.tags),
        visibility=asset.visibility,
        state=asset.state,
        playable=asset.playable,
        created_at=asset.created_at,
        duration_seconds=asset.duration_seconds,
        owner=asset.owner if known else None,
    )
