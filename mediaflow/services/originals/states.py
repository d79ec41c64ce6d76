"""Where an asset's original is, in a word."""

from __future__ import annotations

from typing import Final, Literal

from mediaflow.domain import keys
from mediaflow.domain.records import Asset

OriginalState = Literal["arriving", "stored", "linked", "archived", "deleted", "gone"]
ORIGINAL_STATES: Final[tuple[OriginalState, ...]] = ("arriving", "stored", "linked", "archived", "deleted", "gone")


def original_state(asset: Asset) -> OriginalState:
    """`gone`: it was linked, and is not there any more as it was."""
    if asset.original_key is None:
        return "arriving" if asset.state == "created" else "deleted"
    if keys.linked_file(asset.original_key) is not None:
        return "linked" if asset.original_gone_at is None else "gone"
    return "archived" if keys.is_archived(asset.original_key) else "stored"
