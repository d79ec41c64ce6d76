"""Manifests of a generation: read what its steps made, render every format, store the text under a fresh path.

A published path never changes, so other captions are other manifests (over the same segments) under another path.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from mediaflow.domain import keys
from mediaflow.domain.presentation import Artifact, Presentation, Segment, TextTrack
from mediaflow.plugin import Storage
from mediaflow.plugin.wire import load
from mediaflow.services.pipeline.packaging import ARTIFACTS, Produced, build_presentation
from mediaflow.services.ports import Plugins
from mediaflow.services.text.webvtt import as_segment

TEXT_TYPE: Final = "text/vtt"


@dataclass(frozen=True, slots=True)
class Rendering:
    """Reads artifacts and writes manifests. Paths are relative to the asset's prefix."""

    storage: Storage
    plugins: Plugins

    def produced(self, asset_id: str, path: str) -> Produced:
        """What the winning attempt made whose files lie there. NotFound when its list is gone."""
        data = b"".join(self.storage.read(f"{keys.asset_prefix(asset_id)}{path}/{ARTIFACTS}"))
        return Produced(path, tuple(load(Artifact, item) for item in json.loads(data)))

    def write(self, asset_id: str, path: str, presentation: Presentation, formats: Iterable[str]) -> dict[str, str]:
        """Render and store the formats; the path of each one's entry."""
        entries: dict[str, str] = {}
        for name in formats:
            for manifest in self.plugins.manifests[name].render(presentation):
                self._put(asset_id, f"{path}/{manifest.path}", manifest.body, manifest.content_type)
                if manifest.entry:
                    entries[name] = f"{path}/{manifest.path}"
        return entries

    def captioned(
        self, asset_id: str, published: dict[str, Any], captions: Sequence[dict[str, Any]]
    ) -> tuple[dict[str, Any], str | None]:
        """What is to be published so that viewers get these captions, and the path under which its files now lie.

        What was published before captions were known of (it does not tell its `sources`) stays as it is.
        """
        formats = [name for name in published.get("manifests", {}) if name in self.plugins.manifests]
        if "sources" not in published or not formats:
            return published, None
        path = keys.captions_path(published["generation"], secrets.token_hex(8))
        produced = [self.produced(asset_id, source) for source in published["sources"]]
        presentation = build_presentation(produced, published["duration_seconds"])
        shown = [self._written(asset_id, path, caption, presentation) for caption in captions]
        presentation = replace(presentation, text=tuple(_text_track(c, presentation.duration_seconds) for c in shown))
        entries = published["manifests"] | self.write(asset_id, path, presentation, formats)
        known = {name: entries.get(name) for name in ("hls", "dash")}
        return {**published, **known, "manifests": entries, "captions": shown}, path

    def is_stored(self, asset_id: str, path: str, size_bytes: int) -> bool:
        """True when the file is in the storage with that size."""
        found = self.storage.stat(keys.asset_prefix(asset_id) + path)
        return found is not None and found.size_bytes == size_bytes

    def discard(self, asset_id: str, path: str | None) -> None:
        """Remove what was rendered there and was not published."""
        if path is not None:
            for info in list(self.storage.list(f"{keys.asset_prefix(asset_id)}{path}/")):
                self.storage.delete(info.key)

    def _written(self, asset_id: str, path: str, caption: dict[str, Any], presentation: Presentation) -> dict[str, Any]:
        source = b"".join(self.storage.read(keys.asset_prefix(asset_id) + caption["path"])).decode()
        body = as_segment(source, presentation.media_offset_seconds)
        place = f"{path}/{caption['language']}.vtt"
        self._put(asset_id, place, body, TEXT_TYPE)
        return {**caption, "path": place, "size_bytes": len(body.encode())}

    def _put(self, asset_id: str, path: str, body: str, content_type: str) -> None:
        data = body.encode()
        self.storage.put(keys.asset_prefix(asset_id) + path, [data], size_bytes=len(data), content_type=content_type)


def _text_track(caption: dict[str, Any], duration_seconds: float) -> TextTrack:
    # one file: players fetch it once, and formats that take a whole file (DASH) have it
    name = caption["path"].rpartition("/")[2]
    segment = Segment(name, duration_seconds, caption["size_bytes"])
    return TextTrack(caption["language"], caption["label"], (segment,), caption["default"])
