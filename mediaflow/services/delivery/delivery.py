"""What leaves the house: playback addresses, and the bytes behind them. The only door to published files is `open`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final
from urllib.parse import quote, urlsplit

from mediaflow.domain import keys
from mediaflow.domain.errors import MediaflowError, NotFound
from mediaflow.domain.ids import derived_id
from mediaflow.domain.mediatypes import is_shown
from mediaflow.domain.publication import FileKind, FileType, Output, OutputKind, Publication
from mediaflow.domain.records import Asset
from mediaflow.domain.states import Visibility
from mediaflow.plugin import ObjectInfo, Storage
from mediaflow.services.access.permissions import watchable
from mediaflow.services.access.principals import Principal
from mediaflow.services.assets.asset_cache import AssetReader, look
from mediaflow.services.delivery.awaiting import NotMade
from mediaflow.services.delivery.composing import Composing
from mediaflow.services.delivery.crowding import Beginner, Crowding
from mediaflow.services.delivery.stream_options import StreamOptions
from mediaflow.services.delivery.stream_tokens import StreamTokens
from mediaflow.services.delivery.wanted import Wanted
from mediaflow.services.delivery.watching import Watching
from mediaflow.services.originals.places import OriginalFiles
from mediaflow.services.ports import Database
from mediaflow.settings import Settings

MANIFEST_SECONDS: Final = 10
"""Longest time that a shared cache may keep a manifest of public and unlisted assets."""
REDIRECTED: Final[tuple[FileKind, ...]] = ("media", "image", "preview")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]")
"""Not in the file name of a header: RFC 6266 (appendix D) warns of `%`, and the rest is not worth quoting."""
REDIRECT_SECONDS: Final = 60
"""A presigned URL opens the file whatever happens to the asset meanwhile: long enough to begin to fetch, no longer."""


@dataclass(frozen=True, slots=True)
class Playback:
    """Where an asset plays: what leaves of it, at stream paths (`/stream/...`), until the token's end.

    Of the asset itself viewers read its title, description, duration and captions.
    """

    asset: Asset
    token: str
    expires_at: float

    @property
    def outputs(self) -> tuple[Output, ...]:
        """All that has a name; nothing yet before anything is published."""
        return () if self.asset.shown is None else self.asset.shown.outputs

    def path(self, output: Output) -> str:
        """The stream path of one of the outputs."""
        return f"/stream/{self.token}/{self.asset.id}/{quote(output.path)}"

    def first(self, kind: OutputKind, name: str | None = None) -> str | None:
        """The stream path of the first output of the kind (and name) that is not apart, None when there is none."""
        found = (o for o in self.outputs if o.kind == kind and name in (None, o.name) and not o.apart)
        return next(map(self.path, found), None)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a published file that may be sent lies, and what it is.

    `shared`: anyone may see it, so shared caches may keep it. With `attached`, browsers keep it under that name and
    don't open it.
    """

    key: str
    kind: FileKind
    content_type: str
    shared: bool
    attached: str | None


@dataclass(frozen=True, slots=True)
class StreamFile:
    """A published file. Its content never changes, so that `etag` needs no look at it.

    `max_age_seconds` is how long others may keep it without asking again. With `attached`, browsers keep it under that
    name and don't open it. With `internal_path`, nginx sends it. What is `composed` lies in several objects.
    """

    key: str
    size_bytes: int
    content_type: str
    etag: str
    shared: bool
    max_age_seconds: int
    attached: str | None = None
    internal_path: str | None = None
    composed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamFacts:
    """The fields of an asset that decide whether a file of it is sent: looked up for each request, never cached."""

    id: str
    owner: str
    visibility: Visibility
    deleted_at: float | None
    acl_epoch: int
    published: Publication | None
    opened: Publication | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """Addresses and bytes of published files."""

    database: Database
    storage: Storage
    files: OriginalFiles
    stream_tokens: StreamTokens
    settings: Settings
    composing: Composing
    options: StreamOptions = field(default_factory=StreamOptions)
    assets: AssetReader | None = None
    watching: Watching | None = None
    crowding: Crowding | None = None

    def playback(self, principal: Principal | None, asset_id: str) -> Playback:
        """Where the asset plays. Anyone may ask for a public or unlisted one; for others it must be the principal's."""
        reader = self.assets or AssetReader(self.database)
        return self.addresses(reader.read(asset_id, partial(watchable, principal)))

    def addresses(self, asset: Asset) -> Playback:
        """The stream paths of an asset that the caller may see."""
        return Playback(asset, *self.stream_tokens.mint(asset))

    def admit(self, token: str, asset_id: str, path: str, address: str = "", *, begins: bool = True) -> Place:
        """Where the file at that path would lie; NotFound for whatever is wrong, without saying what. NotMade for a
        segment that is being made. Who asks from that `address` for an entry manifest `begins` to watch, unless it only
        looks whether it is there.
        """
        asset = look(self.database.assets, asset_id, StreamFacts)
        if asset is None or asset.deleted_at is not None or not self.stream_tokens.check(token, asset):
            raise _no_file()
        shown, now = asset.published or asset.opened, self.stream_tokens.clock()
        segment = None if shown is None else shown.awaits(path, now)
        # of what was published before, too: it is watched on
        if self.watching is not None and asset.published is not None and (asset.published.awaited or segment):
            self.watching.note(asset_id, now)
        if shown and segment:
            return self._made(asset, path, Wanted(asset.id, *segment), shown)
        what = shown and shown.file(path, now)
        if not shown or not what or not keys.is_key(key := keys.asset_prefix(asset_id) + path):
            raise _no_file()
        if (fewer := shown.fewer.get(path)) and self.crowding is not None:
            who = Beginner(asset.owner, address)
            if not self.crowding.may_offer(asset_id, shown, who, begins=begins):
                key = keys.asset_prefix(asset_id) + fewer
        return Place(key, what.kind, what.content_type, asset.visibility != "private", _attached(what, path))

    def _made(self, asset: StreamFacts, path: str, wanted: Wanted, shown: Publication) -> Place:
        """Where a segment lies that is watched while others are made; NotMade when it is to come."""
        made = self.database.segments.get(wanted.id)
        if made is None:
            raise NotMade(wanted, asset.owner, self._sound_of(wanted, shown))
        key, what = keys.asset_prefix(asset.id) + made.path, FileType("media", made.content_type)
        return Place(key, what.kind, what.content_type, asset.visibility != "private", _attached(what, path))

    def _sound_of(self, picture: Wanted, shown: Publication) -> Wanted | None:
        """The segment of its sound, unless it is there or there is none."""
        track = shown.sounds.get(picture.track)
        is_awaited = track is not None and picture.number < shown.awaited.get(track, 0)
        if track is None or not is_awaited or shown.generation != picture.generation:
            return None
        sound = replace(picture, track=track)
        return sound if self.database.segments.get(sound.id) is None else None

    def elsewhere(self, place: Place) -> str | None:
        """A presigned URL at which the storage itself sends the file, None when that is our business.

        Only files of tracks, images and previews. Manifests and storyboards name other files by relative URIs, which
        would be looked for at the storage; it would not say that a file is to be kept and not opened; and browsers go
        on for minutes with the URL that a whole film was redirected to.
        """
        if self.options.redirect is None or place.kind not in REDIRECTED or place.attached is not None:
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
        if place.kind == "composed":
            return self._composed(place)
        prefix = self.options.accel_prefix
        return StreamFile(
            key=place.key,
            size_bytes=found.size_bytes,
            content_type=place.content_type,
            etag=_nginx_etag(found) if prefix else derived_id(place.key, found.size_bytes),
            shared=place.shared,
            max_age_seconds=self._max_age(place),
            attached=place.attached,
            internal_path=prefix + quote(place.key) if prefix else None,
        )

    def _composed(self, place: Place) -> StreamFile:
        size = self.composing.size_bytes(place.key, keys.prefix_of(place.key))
        etag, max_age = derived_id(place.key, size), self._max_age(place)
        return StreamFile(
            place.key, size, place.content_type, etag, place.shared, max_age, place.attached, composed=True
        )

    def open(self, token: str, asset_id: str, path: str) -> StreamFile:
        """The published file at that path; NotFound for whatever is wrong, without saying what."""
        return self.file(self.admit(token, asset_id, path))

    def read(self, file: StreamFile, *, offset: int, length: int) -> Iterator[bytes]:
        """Part of a file, in blocks of at most 1 MiB."""
        if file.composed:
            return self.composing.read(file.key, keys.prefix_of(file.key), offset=offset, length=length)
        return self.files.read(file.key, offset=offset, length=length)

    def _max_age(self, place: Place) -> int:
        """How long the file may be kept. The content never changes, but who may see it does.

        Watching starts with a manifest: the viewer of a private asset asks for it each time (304 when it is there
        already), and a shared cache after a few seconds, so that nobody begins to watch what was made private.
        Segments of private assets stay in the viewer's own browser as long as their address.
        """
        if place.kind == "manifest":
            return min(MANIFEST_SECONDS, self.settings.stream_cache_seconds) if place.shared else 0
        return self.settings.stream_cache_seconds if place.shared else self.settings.stream_bucket_seconds


def _nginx_etag(found: ObjectInfo) -> str:
    """As nginx makes it of a file: it drops ours, and a client that shows it again should be understood."""
    return f"{int(found.modified_at):x}-{found.size_bytes:x}"


def _attached(what: FileType, path: str) -> str | None:
    """The name under which the file is kept; None when a browser may show it."""
    if what.kind in ("download", "composed", "file") or not is_shown(what.content_type):
        return _UNSAFE.sub("_", path.rpartition("/")[2])
    return None


def _no_file() -> NotFound:
    return NotFound("There is nothing to stream here.", code="asset.no_stream")
