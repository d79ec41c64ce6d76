"""Who may do what with an asset: the only place that decides it. What one may not know of is not there (NotFound)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from mediaflow.domain.errors import Forbidden, NotFound, Unauthenticated
from mediaflow.domain.states import Visibility
from mediaflow.services.access.principals import Principal


class Governed(Protocol):
    """What decides of an asset: the record itself, or these few fields of it, read fresh."""

    @property
    def owner(self) -> str: ...
    @property
    def visibility(self) -> Visibility: ...
    @property
    def deleted_at(self) -> float | None: ...
    @property
    def shared_with(self) -> Sequence[str]: ...


A = TypeVar("A", bound=Governed)


def may_change(principal: Principal, asset: Governed) -> bool:
    """Owner and admin may change, delete and restore."""
    return principal.is_admin or principal.user == asset.owner


def may_read(principal: Principal, asset: Governed) -> bool:
    """Besides them, those whom it is shared with may look; deleted assets are their owner's business only."""
    return may_change(principal, asset) or (asset.deleted_at is None and principal.user in asset.shared_with)


def may_watch(principal: Principal | None, asset: Governed) -> bool:
    """Anyone may watch what is public or unlisted; a private asset only those who may read it. Nobody a deleted one."""
    if asset.deleted_at is not None:
        return False
    return asset.visibility != "private" or (principal is not None and may_read(principal, asset))


def readable(principal: Principal, asset: A | None) -> A:
    """The asset itself when the principal may look at it and it is not deleted; NotFound else."""
    if asset is None or asset.deleted_at is not None or not may_read(principal, asset):
        raise no_asset()
    return asset


def watchable(principal: Principal | None, asset: A | None) -> A:
    """The asset itself when the principal (None: anybody) may watch it; NotFound else."""
    if asset is None or not may_watch(principal, asset):
        raise no_asset()
    return asset


def visible(principal: Principal | None, asset: A | None) -> A:
    """The asset itself when the principal (None: anybody) may know of it; all of it is for those who may read it.

    NotFound else; of whom nothing is known is told to sign in (Unauthenticated), whether it is there or not.
    """
    if principal is None and (asset is None or not may_watch(None, asset)):
        raise Unauthenticated("This needs a token: send `Authorization: Bearer ...`, or sign in.")
    return watchable(principal, asset)


def changeable(principal: Principal, asset: A | None, *, deleted: bool = False) -> A:
    """The asset itself when the principal may change it; with `deleted` a deleted one, too.

    NotFound when the principal may not know of it, Forbidden when it is only shared with them.
    """
    if asset is None or (asset.deleted_at is not None and not deleted) or not may_read(principal, asset):
        raise no_asset()
    if not may_change(principal, asset):
        raise Forbidden("This asset is shared with you; only its owner can change it.", code="asset.not_yours")
    return asset


def no_asset() -> NotFound:
    """The answer for what is not there, and for what is not yours."""
    return NotFound("There is no such asset.", code="asset.not_found")


def scope(principal: Principal) -> dict[str, Any]:
    """What limits a listing to the principal's own documents; nothing does for an admin."""
    return {} if principal.is_admin else {"owner": principal.user}


def scope_of(principal: Principal, owner: str | None) -> dict[str, Any]:
    """The same, or what limits it to the owner who is asked for; Forbidden when that is somebody else's."""
    if owner is None:
        return scope(principal)
    if not principal.is_admin and owner != principal.user:
        raise Forbidden("Only admins can list other owners' assets; leave out `owner`.")
    return {"owner": owner}
