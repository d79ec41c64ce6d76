"""Captions that owners upload, or steps find in the file (`pipeline/foundcaptions.py`): kept beside the asset, shown in
whatever of it is or will be published.

What viewers get changes with the list itself, by one compare-and-set: new manifests under a new path of the same
generation, without another encode. Publishing a generation does the same (`publishing.py`), so that neither loses to
the other.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from mediaflow.domain import keys
from mediaflow.domain.errors import Conflict, InvalidInput, MediaflowError, NotFound, TooLarge, Unavailable
from mediaflow.domain.events import Event
from mediaflow.domain.publication import Publication
from mediaflow.domain.records import Asset
from mediaflow.plugin import Storage
from mediaflow.services.access.permissions import changeable, readable
from mediaflow.services.access.principals import Principal
from mediaflow.services.changing import until_done
from mediaflow.services.pipeline.rendering import TEXT_TYPE, Rendering
from mediaflow.services.ports import Database, Outbox
from mediaflow.services.text.captionlimits import LARGEST_BYTES, MOST_LANGUAGES, CaptionList
from mediaflow.services.text.languages import captions_label, captions_language, known_captions_language
from mediaflow.services.text.webvtt import parse_captions, write_webvtt


@dataclass(frozen=True, slots=True)
class Captions:
    """The captions of assets, at most one in a language. Each is `{language, label, default, path, size_bytes}`, those
    that were found in the file `{found: True}` besides.
    """

    database: Database
    storage: Storage
    rendering: Rendering
    outbox: Outbox

    def of(self, principal: Principal, asset_id: str) -> Asset:
        """The asset whose captions the principal may see."""
        return readable(principal, self.database.assets.get(asset_id))

    def put(
        self,
        principal: Principal,
        asset_id: str,
        language: str,
        blocks: Iterable[bytes],
        *,
        label: str | None,
        default: bool,
    ) -> tuple[Asset, bool]:
        """Add or replace the captions in a language by the file; True with the asset when there were none in it.

        `default` ones are shown unasked, which takes that from any others. InvalidInput (`captions.*`) says what is
        wrong, and where in the file; TooLarge and Conflict when a limit is reached.
        """
        changeable(principal, self.database.assets.get(asset_id))
        tag = captions_language(language)
        webvtt = write_webvtt(parse_captions(_whole(blocks))).encode()
        path = keys.caption_source(tag, secrets.token_hex(8))
        entry = {
            "language": tag,
            "label": label or captions_label(tag),
            "default": default,
            "path": path,
            "size_bytes": len(webvtt),
        }
        key = keys.asset_prefix(asset_id) + path
        self.storage.put(key, [webvtt], size_bytes=len(webvtt), content_type=TEXT_TYPE)
        try:
            before, asset = self._change(principal, asset_id, lambda captions: _with(captions, entry))
        except MediaflowError as error:
            if not isinstance(error, Unavailable):  # then the change may have been made all the same
                self.storage.delete(key)
            raise
        replaced = self._forget(asset_id, before, tag)
        return asset, not replaced

    def language(self, text: str) -> str:
        """The tag under which captions in that language are kept."""
        return captions_language(text)

    def remove(self, principal: Principal, asset_id: str, language: str) -> Asset:
        """Take the captions in a language away. NotFound when there are none."""
        changeable(principal, self.database.assets.get(asset_id))
        tag = known_captions_language(language)

        def without(captions: CaptionList) -> CaptionList:
            rest = [caption for caption in captions if caption["language"] != tag]
            if len(rest) == len(captions):
                raise NotFound("There are no captions in this language.", code="captions.not_found")
            return rest

        before, asset = self._change(principal, asset_id, without)
        self._forget(asset_id, before, tag)
        return asset

    def _change(
        self, principal: Principal, asset_id: str, edit: Callable[[CaptionList], CaptionList]
    ) -> tuple[Asset, Asset]:
        """The asset before and after one change of its captions and of what is published."""

        def attempt() -> tuple[Asset, Asset] | None:
            asset = changeable(principal, self.database.assets.get(asset_id))
            captions = edit(asset.captions)
            changes: dict[str, Any] = {"captions": captions, "updated_at": (now := self.database.now())}
            path = None
            if asset.published is not None:
                changes["published"], path = self._captioned(asset, asset.published, captions)
            expect = {"rev": asset.rev, "generation": asset.generation, "deleted_at": None}
            languages = {"languages": [caption["language"] for caption in captions]}
            told = Event("asset.captioned", now, asset.owner, asset_id, data=languages)
            changed = self.outbox.change(self.database.assets, asset_id, expect, changes, told)
            if changed is None:
                self.rendering.discard(asset_id, path)
                return None
            return asset, changed

        return until_done(attempt)

    def _captioned(self, asset: Asset, published: Publication, captions: CaptionList) -> tuple[Publication, str | None]:
        try:
            return self.rendering.captioned(asset.id, published, captions, self.database.now())
        except NotFound as error:
            if self._is_outdated(asset):
                return published, None  # the compare-and-set finds out
            raise Conflict(
                "Files of this asset are missing in the storage; process it again.", code="asset.lost_files"
            ) from error

    def _is_outdated(self, asset: Asset) -> bool:
        now = self.database.assets.peek(asset.id, ("rev",))
        return now is None or now["rev"] != asset.rev

    def _forget(self, asset_id: str, before: Asset, language: str | None) -> bool:
        """Delete the uploaded captions that the change replaced; True when there were some."""
        replaced = [caption for caption in before.captions if caption["language"] == language]
        for caption in replaced:
            self.storage.delete(keys.asset_prefix(asset_id) + caption["path"])
        return bool(replaced)


def _whole(blocks: Iterable[bytes]) -> bytes:
    data = bytearray()
    for block in blocks:
        data += block
        if len(data) > LARGEST_BYTES:
            raise TooLarge(f"A file of captions has at most {LARGEST_BYTES} bytes.", limit=LARGEST_BYTES)
    return bytes(data)


def _with(captions: CaptionList, entry: dict[str, Any]) -> CaptionList:
    """The list with the entry in place of the one in its language, or at its end. Labels stay distinct."""
    others = [caption for caption in captions if caption["language"] != entry["language"]]
    if len(others) >= MOST_LANGUAGES:
        raise Conflict(
            f"An asset can have captions in {MOST_LANGUAGES} languages; remove some first.",
            code="captions.too_many",
            limit=MOST_LANGUAGES,
        )
    if taken := next((other for other in others if other["label"].casefold() == entry["label"].casefold()), None):
        detail = f"The captions in {taken['language']} are called {taken['label']!r} already; choose another label."
        raise InvalidInput(detail, code="captions.label_taken")
    if entry["default"]:
        others = [{**other, "default": False} for other in others]
    at = next((n for n, caption in enumerate(captions) if caption["language"] == entry["language"]), len(others))
    return [*others[:at], entry, *others[at:]]
