"""What leaves the house: playback addresses, and the bytes behind them. The only door to published files is `open`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final
from urllib.parse import quote, urlsplit

from mediaflow.domain import keys
from mediaflow.domain.errors import MediaflowError, NotFound
from mediaflow.domain.ids import derived_id
from mediaflow.domain.records import Asset
from mediaflow.domain.states import Visibility
from mediaflow.plugin import ObjectInfo, Storage
from mediaflow.services.access.permissions import watchable
from mediaflow.services.access.principals import Principal
from mediaflow.services.assets.asset_cache import AssetReader, look
from mediaflow.services.delivery.stream_options import StreamOptions
from mediaflow.services.delivery.stream_tokens import StreamTokens
from mediaflow.services.pipeline.packaging import ARTIFACTS
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
MANIFEST_TYPES: Final = (CONTENT_TYPES["m3u8"], CONTENT_TYPES["mpd"])
MANIFEST_SECONDS: Final = 10
"""Longest time that a shared cache may keep a manifest of public and unlisted assets."""
REDIRECTED: Final = ("m4s", "m4a", "jpg", "png", "webp")
REDIRECT_SECONDS: Final = 60
"""A presigned URL opens the file whatever happens to the asset meanwhile: long enough to begin to fetch, no longer."""


@dataclass(frozen=True, slots=True)
class Playback:
    """Where an asset plays: stream paths (`/stream/...`), None where there is nothing yet, and the token's end.

    And what viewers read beside it, who may not see the asset itself.
    """

    token: str
    expires_at: float
    hls: str | None
    early_hls: str | None
    dash: str | None
    thumbnail: str | None
    storyboard: str | None
    title: str
    description: str
    duration_seconds: float | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a published file that may be sent lies. `shared`: anyone may see it, so shared caches may keep it."""

    key: str
    content_type: str
    shared: bool


@dataclass(frozen=True, slots=True)
class StreamFile:
    """A published file. Its content never changes, so that `etag` needs no look at it.

    `max_age_seconds` is how long others may keep it without asking again. With `internal_path`, nginx sends it.
    """

    key: str
    size_bytes: int
    content_type: str
    etag: str
    shared: bool
    max_age_seconds: int
    internal_path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamFacts:
    """The fields of an asset that decide whether a file of it is sent: looked up for each request, never cached."""

    id: str
    visibility: Visibility
    deleted_at: float | None
    acl_epoch: int
    generation: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """Addresses and bytes of published files."""

    database: Database
    storage: Storage
    stream_tokens: StreamTokens
    settings: Settings
    options: StreamOptions = field(default_factory=StreamOptions)
    assets: AssetReader | None = None

    def playback(self, principal: Principal | None, asset_id: str) -> Playback:
        """Where the asset plays. Anyone may ask for a public or unlisted one; for others it must be the principal's."""
        reader = self.assets or AssetReader(self.database)
        return self.addresses(reader.read(asset_id, partial(watchable, principal)))

    def addresses(self, asset: Asset) -> Playback:
        """The stream paths of an asset that the caller may see."""
        token, expires_at = self.stream_tokens.mint(asset)
        published = asset.published or {}

        def at(name: str) -> str | None:
            path = published.get(name)
            return f"/stream/{token}/{asset.id}/{path}" if path else None

        return Playback(
            token=token,
            expires_at=expires_at,
            hls=at("hls"),
            early_hls=at("early_hls"),
            dash=at("dash"),
            thumbnail=at("thumbnail"),
            storyboard=at("storyboard"),
            title=asset.title,
            description=asset.description,
            duration_seconds=asset.duration_seconds,
        )

    def admit(self, token: str, asset_id: str, path: str) -> Place:
        """Where the file at that path would lie; NotFound for whatever is wrong, without saying what."""
        asset = look(self.database.assets, asset_id, StreamFacts)
        if asset is None or asset.deleted_at is not None or not self.stream_tokens.check(token, asset):
            raise _no_file()
        generation = keys.generation_of(path)
        if generation is None or generation > asset.generation or path.rpartition("/")[2] == ARTIFACTS:
            raise _no_file()
        try:
            key = keys.checked_key(keys.asset_prefix(asset_id) + path)
        except MediaflowError as error:
            raise _no_file() from error
        return Place(key, content_type_of(path), asset.visibility != "private")

    def elsewhere(self, place: Place) -> str | None:
        """A presigned URL at which the storage itself sends the file, None when that is our business.

        Only what names no other files by relative URIs, as manifests and storyboards do: those would be looked for at
        the storage. And no `.mp4`: browsers go on for minutes with the URL that a whole film was redirected to.
        """
        if self.options.redirect is None or place.key.rpartition(".")[2] not in REDIRECTED:
            return None
        return self.options.redirect.presign(place.key, seconds=REDIRECT_SECONDS)

    def storage_origin(self) -> str:
        """The origin (RFC 6454) that `elsewhere` leads to; empty for none, and when the storage does not answer."""
        if self.options.redirect is None:
            return ""
        try:
            parts = urlsplit(self.options.redirect.presign("origin", seconds=REDIRECT_SECONDS))
        except MediaflowError:
            return ""
        return f"{parts.scheme}://{parts.netloc}"

    def file(self, place: Place) -> StreamFile:
        """The file there, NotFound when there is none."""
        found = self.storage.stat(place.key)
        if found is None:
            raise _no_file()
        prefix = self.options.accel_prefix
        return StreamFile(
            key=place.key,
            size_bytes=found.size_bytes,
            content_type=place.content_type,
            etag=_nginx_etag(found) if prefix else derived_id(place.key, found.size_bytes),
            shared=place.shared,
            max_age_seconds=self._max_age(place),
            internal_path=prefix + quote(place.key) if prefix else None,
        )

    def open(self, token: str, asset_id: str, path: str) -> StreamFile:
        """The published file at that path; NotFound for whatever is wrong, without saying what."""
        return self.file(self.admit(token, asset_id, path))

    def read(self, file: StreamFile, *, offset: int, length: int) -> Iterator[bytes]:
        """Part of a file, in blocks of at most 1 MiB."""
        return self.storage.read(file.key, offset=offset, length=length)

    def _max_age(self, place: Place) -> int:
        """How long the file may be kept. The content never changes, but who may see it does.

        Watching starts with a manifest: the viewer of a private asset asks for it each time (304 when it is there
        already), and a shared cache after a few seconds, so that nobody begins to watch what was made private.
        Segments of private assets stay in the viewer's own browser as long as their address.
        """
        if place.content_type in MANIFEST_TYPES:
            return min(MANIFEST_SECONDS, self.settings.stream_cache_seconds) if place.shared else 0
        return self.settings.stream_cache_seconds if place.shared else self.settings.stream_bucket_seconds


def _nginx_etag(found: ObjectInfo) -> str:
    """As nginx makes it of a file: it drops ours, and a client that shows it again should be understood."""
    return f"{int(found.modified_at):x}-{found.size_bytes:x}"


def content_type_of(path: str) -> str:
    """The media type of a published path; segments of audio renditions are `audio/mp4`."""
    *directories, name = path.split("/")
    kind = CONTENT_TYPES.get(name.rpartition(".")[2].lower(), OTHER_TYPE)
    is_audio = kind == "video/mp4" and any(directory.startswith("audio") for directory in directories)
    return "audio/mp4" if is_audio else kind


def _no_file() -> NotFound:
    return NotFound("There is nothing to stream here.", code="asset.no_stream")
