"""What leaves the house: playback addresses, and the bytes behind them. The only door to published files is `open`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mediaflow.domain import keys
from mediaflow.domain.errors import MediaflowError, NotFound
from mediaflow.domain.ids import derived_id
from mediaflow.domain.records import Asset
from mediaflow.plugin import Storage
from mediaflow.services.access import Principal, StreamTokens
from mediaflow.services.packaging import ARTIFACTS
from mediaflow.services.permissions import may_watch, no_asset
from mediaflow.services.ports import Database
from mediaflow.settings import Settings

CONTENT_TYPES: Final = {
    "m3u8": "application/vnd.apple.mpegurl",
    "mpd": "application/dash+xml",
    "m4s": "video/mp4",
    "mp4": "video/mp4",
    "m4a": "audio/mp4",
    "jpg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "vtt": "text/vtt; charset=utf-8",
    "json": "application/json",
}
"""By extension; everything else is bytes to keep (`application/octet-stream`), never shown by a browser."""
OTHER_TYPE: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Playback:
    """Where an asset plays: stream paths (`/stream/...`), None where there is nothing yet, and the token's end."""

    token: str
    expires_at: float
    hls: str | None
    early_hls: str | None
    dash: str | None
    thumbnail: str | None
    storyboard: str | None


@dataclass(frozen=True, slots=True)
class StreamFile:
    """A published file. Its content never changes, so that `etag` needs no look at it."""

    key: str
    size_bytes: int
    content_type: str
    etag: str
    shared: bool
    max_age_seconds: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """Addresses and bytes of published files."""

    database: Database
    storage: Storage
    stream_tokens: StreamTokens
    settings: Settings

    def playback(self, principal: Principal | None, asset_id: str) -> Playback:
        """Where the asset plays. Anyone may ask for a public or unlisted one; for others it must be the principal's."""
        asset = self.database.assets.get(asset_id)
        if asset is None or not may_watch(principal, asset):
            raise no_asset()
        return self.addresses(asset)

    def addresses(self, asset: Asset) -> Playback:
        """The stream paths of an asset that the caller may see."""
        token, expires_at = self.stream_tokens.mint(asset)
        published = asset.published or {}

        def at(name: str) -> str | None:
            path = published.get(name)
            return f"/stream/{token}/{asset.id}/{path}" if path else None

        return Playback(token, expires_at, at("hls"), at("early_hls"), at("dash"), at("thumbnail"), at("storyboard"))

    def open(self, token: str, asset_id: str, path: str) -> StreamFile:
        """The published file at that path; NotFound for whatever is wrong, without saying what."""
        asset = self.database.assets.get(asset_id)
        if asset is None or asset.deleted_at is not None or not self.stream_tokens.check(token, asset):
            raise _no_file()
        generation = keys.generation_of(path)
        if generation is None or generation > asset.generation or path.rpartition("/")[2] == ARTIFACTS:
            raise _no_file()
        try:
            key = keys.checked_key(keys.asset_prefix(asset_id) + path)
        except MediaflowError as error:
            raise _no_file() from error
        found = self.storage.stat(key)
        if found is None:
            raise _no_file()
        shared = asset.visibility != "private"
        return StreamFile(
            key=key,
            size_bytes=found.size_bytes,
            content_type=content_type_of(path),
            etag=derived_id(key, found.size_bytes),
            shared=shared,
            max_age_seconds=self.settings.stream_cache_seconds if shared else self.settings.stream_bucket_seconds,
        )

    def read(self, file: StreamFile, *, offset: int, length: int) -> Iterator[bytes]:
        """Part of a file, in blocks of at most 1 MiB."""
        return self.storage.read(file.key, offset=offset, length=length)


def content_type_of(path: str) -> str:
    """The media type of a published path; segments of audio renditions are `audio/mp4`."""
    *directories, name = path.split("/")
    kind = CONTENT_TYPES.get(name.rpartition(".")[2].lower(), OTHER_TYPE)
    is_audio = kind == "video/mp4" and any(directory.startswith("audio") for directory in directories)
    return "audio/mp4" if is_audio else kind


def _no_file() -> NotFound:
    return NotFound("There is nothing to stream here.", code="asset.no_stream")
