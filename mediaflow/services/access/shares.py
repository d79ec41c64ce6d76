"""Sharing a private asset with other users, and taking back what was given away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from mediaflow.domain.errors import InvalidInput, Problem
from mediaflow.domain.events import Event
from mediaflow.domain.records import Asset
from mediaflow.services.access.outside import is_outside_id
from mediaflow.services.access.permissions import changeable
from mediaflow.services.access.principals import Principal
from mediaflow.services.access.users import LocalUsers
from mediaflow.services.changing import until_done
from mediaflow.services.ports import Database, Increment, Outbox

MAX_SHARES: Final = 100


@dataclass(frozen=True, slots=True)
class Shares:
    """Who may watch a private asset besides its owner. Only owner and admin see and change it."""

    database: Database
    outbox: Outbox

    def users(self, principal: Principal, asset_id: str) -> list[str]:
        """Whom the asset is shared with."""
        return self._asset(principal, asset_id).shared_with

    def replace(self, principal: Principal, asset_id: str, users: Sequence[str]) -> list[str]:
        """Share with these users and nobody else. The owner needs no share and is left out.

        Stream tokens are the same for all viewers of an asset, so that taking one viewer off ends everybody's: those
        who may still watch get a new one from the playback endpoint.
        """

        def attempt() -> list[str] | None:
            asset = self._asset(principal, asset_id)
            wanted = sorted(self._checked(users) - {asset.owner})
            if wanted == sorted(asset.shared_with):
                return wanted
            changes: dict[str, Any] = {"shared_with": wanted}
            if not set(asset.shared_with) <= set(wanted):
                changes["acl_epoch"] = Increment()
            # the whole revision: what is taken off is known only as long as nobody else changes the list
            expect = {"rev": asset.rev, "deleted_at": None}
            told = Event("asset.shared", self.database.now(), asset.owner, asset_id, data={"shared_with": wanted})
            changed = self.outbox.change(self.database.assets, asset_id, expect, changes, told)
            return None if changed is None else wanted

        return until_done(attempt)

    def revoke_playback(self, principal: Principal, asset_id: str) -> None:
        """End every stream token that was given out for the asset, whoever has it now."""
        self._asset(principal, asset_id)
        self.database.assets.change(asset_id, {"deleted_at": None}, {"acl_epoch": Increment()})

    def _asset(self, principal: Principal, asset_id: str) -> Asset:
        return changeable(principal, self.database.assets.get(asset_id))

    def _checked(self, users: Sequence[str]) -> set[str]:
        local, found, wrong = LocalUsers(self.database), set[str](), list[Problem]()
        for index, user in enumerate(users):
            try:
                found.add(user if is_outside_id(user) else local.checked(user))
            except InvalidInput as error:
                wrong.append(Problem("auth.bad_user", error.detail, f"/users/{index}"))
        if wrong:
            raise InvalidInput(f"{wrong[0].pointer}: {wrong[0].detail}", code="auth.bad_user", problems=tuple(wrong))
        return found
