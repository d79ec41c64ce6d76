"""The same action on many assets: each on its own, none stops the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from mediaflow.domain.errors import InvalidInput, MediaflowError, PreconditionFailed
from mediaflow.domain.records import Asset
from mediaflow.services.access.permissions import changeable
from mediaflow.services.access.principals import Principal
from mediaflow.services.assets.editing import Editing
from mediaflow.services.assets.reprocess import Reprocess
from mediaflow.services.assets.trash import Trash
from mediaflow.services.changing import until_done
from mediaflow.services.ports import Database

Action = Literal["delete", "purge", "restore", "reprocess", "update", "add_tags", "remove_tags"]
ACTIONS: Final[tuple[Action, ...]] = ("delete", "purge", "restore", "reprocess", "update", "add_tags", "remove_tags")
MOST_IDS: Final = 100
MOST_TAGS: Final = 50
"""So many tags an asset may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkRequest:
    """`changes` are for `update`, `tags` for `add_tags` and `remove_tags`, `profile` for `reprocess`."""

    action: Action
    ids: tuple[str, ...]
    changes: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class BulkResult:
    """What came of one asset; `error` is None when it went well."""

    id: str
    error: MediaflowError | None


@dataclass(frozen=True, slots=True)
class Bulk:
    """Runs what was asked for."""

    database: Database
    trash: Trash
    editing: Editing
    reprocess: Reprocess

    def run(self, principal: Principal, request: BulkRequest) -> list[BulkResult]:
        """Do it to each asset in turn, in the order of the ids."""
        act = self._action(principal, request)
        return [BulkResult(asset_id, _attempt(act, asset_id)) for asset_id in request.ids]

    def _action(self, principal: Principal, request: BulkRequest) -> Callable[[str], object]:
        tags = request.tags
        actions: dict[Action, Callable[[str], object]] = {
            "delete": lambda asset_id: self.trash.delete(principal, asset_id),
            "purge": lambda asset_id: self.trash.delete(principal, asset_id, purge=True),
            "restore": lambda asset_id: self.trash.restore(principal, asset_id),
            "reprocess": lambda asset_id: self.reprocess.asset(principal, asset_id, request.profile),
            "update": lambda asset_id: self.editing.change(principal, asset_id, request.changes),
            "add_tags": lambda asset_id: self._retag(principal, asset_id, lambda old: [*old, *tags]),
            "remove_tags": lambda asset_id: self._retag(
                principal, asset_id, lambda old: [tag for tag in old if tag not in tags]
            ),
        }
        return actions[request.action]

    def _retag(self, principal: Principal, asset_id: str, change: Callable[[list[str]], Iterable[str]]) -> Asset:
        """Change the tags that the asset has now, whoever else changes it meanwhile."""

        def attempt() -> Asset | None:
            asset = changeable(principal, self.database.assets.get(asset_id))
            tags = list(dict.fromkeys(change(asset.tags)))
            if len(tags) > max(MOST_TAGS, len(asset.tags)):
                detail = f"The asset would have {len(tags)} tags; at most {MOST_TAGS} are possible."
                raise InvalidInput(detail, code="asset.too_many_tags")
            try:
                revisions = frozenset({asset.metadata_rev})
                return self.editing.change(principal, asset_id, {"tags": tags}, revisions=revisions)
            except PreconditionFailed:
                return None

        return until_done(attempt)


def _attempt(act: Callable[[str], object], asset_id: str) -> MediaflowError | None:
    try:
        act(asset_id)
    except MediaflowError as error:
        return error
    return None
