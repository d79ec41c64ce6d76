"""A published asset beside a running service: its record and its files, put there from outside, and its addresses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mediaflow.domain.records import Asset
from mediaflow.persistence import open_database
from mediaflow.services.delivery.stream_tokens import StreamTokens
from mediaflow_local.storage import LocalStorage
from tests.api.server import KEY
from tests.api.site import FILES
from tests.services.records import a_published_asset

BUCKET_SECONDS = 3600
"""The default of `MEDIAFLOW_STREAM_BUCKET_SECONDS`."""


@dataclass(frozen=True)
class Published:
    """An asset of ann's in the data directory of a service with the tests' key."""

    asset: Asset
    data_dir: Path

    def path(self, name: str) -> str:
        """The signed path of a file of it."""
        token, _ = StreamTokens(KEY.encode(), BUCKET_SECONDS).mint(self.asset)
        return f"/stream/{token}/{self.asset.id}/{name}"

    def put(self, name: str, content: bytes) -> None:
        """One more file."""
        key = f"assets/{self.asset.id}/{name}"
        LocalStorage(self.data_dir / "objects").put(key, [content], size_bytes=len(content), content_type="video/mp4")


def publish(data_dir: Path, **fields: Any) -> Published:
    """A private asset, except for `fields`, with the usual files."""
    published = Published(a_published_asset(**fields), data_dir)
    database = open_database(f"sqlite:{data_dir / 'mediaflow.db'}")
    database.assets.insert(published.asset)
    database.close()
    for name, content in FILES.items():
        published.put(name, content)
    return published
