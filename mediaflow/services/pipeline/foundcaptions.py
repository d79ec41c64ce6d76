"""Captions that steps find in the file: checked as uploaded ones are, and put among them as a generation is published.

From then on they are the owner's. A later generation renews those that are as they were found, adds languages that no
generation had found before, and touches nothing else: what the owner replaced stays, what the owner deleted stays away.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mediaflow.domain import keys
from mediaflow.domain.errors import InvalidInput
from mediaflow.domain.records import Asset
from mediaflow.plugin import Storage
from mediaflow.services.pipeline.packaging import Produced, is_found
from mediaflow.services.pipeline.rendering import TEXT_TYPE
from mediaflow.services.ports import Database
from mediaflow.services.text.captionlimits import LARGEST_BYTES, LONGEST_LABEL, MOST_LANGUAGES, CaptionList
from mediaflow.services.text.languages import UNKNOWN, captions_label, known_captions_language
from mediaflow.services.text.webvtt import parse_captions, write_webvtt


@dataclass(frozen=True, slots=True)
class Found:
    """What the steps of a generation found: an entry for each language, whose `path` lies among the generation's files,
    and sentences about what of it can't be used.
    """

    entries: CaptionList = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class FoundCaptions:
    """Reads what steps found and keeps it beside what owners upload."""

    database: Database
    storage: Storage

    def collected(self, asset_id: str, produced: Iterable[Produced], path: str) -> Found:
        """All that was found, written anew below that path (of the attempt that packages): the first of a language."""
        found, prefix = Found(), keys.asset_prefix(asset_id)
        for source in produced:
            for artifact in filter(is_found, source.artifacts):
                tag = known_captions_language(artifact.language or "") or UNKNOWN
                if any(entry["language"] == tag for entry in found.entries):
                    found.warnings.append(f"More than one of the file's captions are in {tag}; the first are used.")
                    continue
                try:
                    webvtt = self._clean(prefix + source.place(artifact), artifact.size_bytes)
                except InvalidInput as error:
                    found.warnings.append(f"The file's captions in {tag} are left out: {error.detail}")
                    continue
                place = f"{path}/captions.{tag}.vtt"
                self._put(prefix + place, webvtt)
                label = (artifact.title or captions_label(tag))[:LONGEST_LABEL]
                found.entries.append(_entry(tag, label, place, len(webvtt), default=artifact.default))
        return found

    def _clean(self, key: str, size_bytes: int) -> bytes:
        """The file as one of ours: of what a step wrote nothing is kept but times, positions and text."""
        if size_bytes > LARGEST_BYTES:
            raise InvalidInput(f"they have {size_bytes} bytes, more than {LARGEST_BYTES}.", code="captions.invalid")
        return write_webvtt(parse_captions(b"".join(self.storage.read(key)))).encode()

    def changes(self, asset: Asset, found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """What of the asset is to be changed with the publication of what was found; nothing when that is nothing. Its
        files are copied to places of the asset's own, which outlive the generation; see `tidy`.
        """
        if not found:
            return {}
        languages = sorted({*asset.captioned, *(entry["language"] for entry in found)})
        places = {entry["language"]: keys.caption_source(entry["language"], secrets.token_hex(8)) for entry in found}
        renamed = [{**entry, "path": places[entry["language"]]} for entry in found]
        merged = with_found(asset.captions, asset.captioned, renamed)
        prefix, used = keys.asset_prefix(asset.id), {caption["path"] for caption in merged}
        for entry in found:
            if (path := places[entry["language"]]) in used:
                self._put(prefix + path, b"".join(self.storage.read(prefix + entry["path"])))
        return {"captions": merged, "captioned": languages}

    def tidy(self, before: Asset, changes: Mapping[str, Any]) -> None:
        """Delete the files that the changes wrote or replaced and that the asset does not name (any more). Whatever
        became of the changes, its document tells.
        """
        if not changes or (now := self.database.assets.get(before.id)) is None:
            return
        named = {caption["path"] for caption in now.captions}
        for caption in (*before.captions, *changes["captions"]):
            if caption.get("found") and caption["path"] not in named:
                self.storage.delete(keys.asset_prefix(before.id) + caption["path"])

    def _put(self, key: str, data: bytes) -> None:
        self.storage.put(key, [data], size_bytes=len(data), content_type=TEXT_TYPE)


def with_found(captions: CaptionList, known: Collection[str], found: Sequence[Mapping[str, Any]]) -> CaptionList:
    """The asset's captions with what was found now. Of the languages `known` something was found before.

    Labels stay distinct and one is the default at most: both are the owner's choice before they are the file's.
    """
    merged = list(captions)
    for entry in found:
        at = next((n for n, each in enumerate(merged) if each["language"] == entry["language"]), None)
        if at is not None:
            if merged[at].get("found"):
                merged[at] = {**merged[at], "path": entry["path"], "size_bytes": entry["size_bytes"]}
        elif entry["language"] not in known and len(merged) < MOST_LANGUAGES:
            shown = any(each["default"] for each in merged)
            label = _distinct(entry["label"], entry["language"], [each["label"] for each in merged])
            merged.append({**entry, "label": label, "default": entry["default"] and not shown})
    return merged


def _distinct(label: str, language: str, taken: Iterable[str]) -> str:
    others = {other.casefold() for other in taken}
    choices = (label, captions_label(language), f"{captions_label(language)} ({language})")
    return next((choice for choice in choices if choice.casefold() not in others), language)


def _entry(tag: str, label: str, path: str, size_bytes: int, *, default: bool) -> dict[str, Any]:
    return {
        "language": tag,
        "label": label,
        "default": default,
        "path": path,
        "size_bytes": size_bytes,
        "found": True,
    }
