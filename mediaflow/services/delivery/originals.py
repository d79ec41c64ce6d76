"""The file that somebody sent, for those whose it is: as it came, whatever was made of it."""

from __future__ import annotations

from typing import Final

from mediaflow.domain.errors import Conflict
from mediaflow.domain.ids import derived_id
from mediaflow.services.access.permissions import changeable
from mediaflow.services.access.principals import Principal
from mediaflow.services.delivery.delivery import StreamFile
from mediaflow.services.originals.places import OriginalFiles
from mediaflow.services.ports import Database

CONTENT_TYPE: Final = "application/octet-stream"
"""What a file is called by its sender, no browser of another user shall believe."""


def original_file(
    database: Database, files: OriginalFiles, principal: Principal, asset_id: str
) -> tuple[StreamFile, str | None]:
    """An asset's original and its SHA-256 in hex (None: not known yet). Conflict when it is not there (yet)."""
    asset = changeable(principal, database.assets.get(asset_id))
    found = None if asset.original_key is None else files.stat(asset.original_key)
    if asset.original_key is None or found is None:
        raise Conflict("The original of this asset is not here (yet).", code="asset.no_original")
    etag = derived_id("original", asset.original_key)
    file = StreamFile(asset.original_key, found.size_bytes, CONTENT_TYPE, etag, False, 0, attached=asset.filename)
    return file, asset.sha256
