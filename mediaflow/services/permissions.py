"""Who may do what with an asset: the only place that decides it. What one may not know of is not there (NotFound)."""

from __future__ import annotations

from mediaflow.domain.errors import Forbidden, NotFound
from mediaflow.domain.records import Asset
from mediaflow.services.access import Principal


def may_change(principal: Principal, asset: Asset) -> bool:
    """Owner and admin may change, delete and restore."""
    return principal.is_admin or principal.user == asset.owner


def may_read(principal: Principal, asset: Asset) -> bool:
    """Besides them, those whom it is shared with may look; deleted assets are their owner's business only."""
    return may_change(principal, asset) or (asset.deleted_at is None and principal.user in asset.shared_with)


def may_watch(principal: Principal | None, asset: Asset) -> bool:
    """Anyone may watch what is public or unlisted; a private asset only those who may read it. Nobody a deleted one."""
    if asset.deleted_at is not None:
        return False
    return asset.visibility != "private" or (principal is not None and may_read(principal, asset))


def readable(principal: Principal, asset: Asset | None) -> Asset:
    """The asset itself when the principal may look at it and it is not deleted; NotFound else."""
    if asset is None or asset.deleted_at is not None or not may_read(principal, asset):
        raise no_asset()
    return asset


def changeable(principal: Principal, asset: Asset | None, *, deleted: bool = False) -> Asset:
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
