"""Manifests of a generation: read what its steps made, render every format, store the text under a fresh path.

A published path never changes, so other captions are other manifests (over the same segments) under another path.
"""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from mediaflow.domain import keys
from mediaflow.domain.errors import TaskFailed
from mediaflow.domain.presentation import Artifact, Manifest, Presentation, Segment, TextTrack
from mediaflow.domain.publication import ARTIFACTS, Files, FileType, Output, Publication, described
from mediaflow.plugin import Storage
from mediaflow.plugin.wire import load
from mediaflow.services.pipeline.manifests import manifests_of
from mediaflow.services.pipeline.packaging import Produced, build_presentation, made_in_any_case
from mediaflow.services.pipeline.segments import places_of
from mediaflow.services.ports import Plugins
from mediaflow.services.text.webvtt import as_segment

FEWER: Final = ".fewer"
TEXT_TYPE: Final = "text/vtt; charset=utf-8"
NOTED_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class Rendered:
    """A manifest of the format of that name."""

    format: str
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class Written:
    """Manifests in the storage: the entries, the files of all, and for each entry the one that names `fewer` tracks."""

    outputs: list[Output]
    files: Files
    fewer: dict[str, str]


@dataclass(frozen=True, slots=True)
class Rendering:
    """Reads artifacts and writes manifests. Paths are relative to the asset's prefix."""

    storage: Storage
    plugins: Plugins
    stream_bucket_seconds: float

    def produced(self, asset_id: str, path: str) -> Produced:
        """What the winning attempt made whose files lie there. NotFound when its list is gone."""
        data = b"".join(self.storage.read(f"{keys.asset_prefix(asset_id)}{path}/{ARTIFACTS}"))
        listed = json.loads(data)
        artifacts = tuple(load(Artifact, {k: v for k, v in item.items() if k != "at"}) for item in listed)
        return Produced(path, artifacts, places_of(listed))

    def render(self, presentation: Presentation, formats: Iterable[str]) -> list[Rendered]:
        """The manifests of all formats. TaskFailed when a format breaks its promise, or two write one file."""
        found: dict[str, Rendered] = {}
        for name in formats:
            plugin = self.plugins.plugin_of_manifest(name)
            for manifest in manifests_of(self.plugins.manifests[name], plugin, presentation):
                other = found.setdefault(manifest.path, Rendered(name, manifest))
                if other.manifest is not manifest:
                    raise TaskFailed(
                        f"The manifest formats {other.format!r} and {name!r} both write {manifest.path}: take one of"
                        " them out of the profile, or have it call its file otherwise.",
                        code="job.name_taken",
                    )
        return list(found.values())

    def write(self, asset_id: str, path: str, presentation: Presentation, formats: Iterable[str]) -> Written:
        """Render and store the formats: their entries, and all their files.

        Beside them lies a list with their sizes, as beside what steps made: only the entries are in documents.
        """
        outputs, types, listed, fewer = [], {}, [], {}
        smaller = made_in_any_case(presentation)
        for each in self.render(smaller, formats) if smaller.video else ():
            if each.manifest.entry:
                name = f"{each.manifest.path}{FEWER}"
                size = self._put(asset_id, f"{path}/{name}", each.manifest.body, each.manifest.content_type)
                fewer[f"{path}/{each.manifest.path}"] = f"{path}/{name}"
                listed.append({"path": name, "size_bytes": size})
        for each in self.render(presentation, formats):
            manifest, place = each.manifest, f"{path}/{each.manifest.path}"
            size = self._put(asset_id, place, manifest.body, manifest.content_type)
            types[manifest.path] = FileType("manifest", manifest.content_type)
            listed.append({"path": manifest.path, "size_bytes": size})
            if manifest.entry:
                outputs.append(Output(each.format, "manifest", place, manifest.content_type, size))
        self._put(asset_id, f"{path}/{ARTIFACTS}", json.dumps(listed), "application/json")
        return Written(outputs, described(f"{path}/", types), fewer)

    def captioned(
        self, asset_id: str, published: Publication, captions: Sequence[dict[str, Any]], now: float
    ) -> tuple[Publication, str | None]:
        """What is to be published so that viewers get these captions, and the path under which its files now lie.

        What was published before captions were known of (it does not tell its `sources`) stays as it is.
        """
        formats = [output.name for output in published.of_kind("manifest") if output.name in self.plugins.manifests]
        if not published.sources or not formats:
            return published, None
        path = keys.captions_path(published.generation, secrets.token_hex(8))
        produced = [self.produced(asset_id, source) for source in published.sources]
        presentation = build_presentation(produced)
        shown = [self._written(asset_id, path, caption, presentation) for caption in captions]
        tracks = (text_track(c, o, presentation.duration_seconds) for c, o in zip(captions, shown, strict=True))
        written = self.write(asset_id, path, replace(presentation, text=tuple(tracks)), formats)
        files, renewed = written.files, {output.name: output for output in written.outputs}
        outputs = [
            renewed.get(output.name, output) if output.kind == "manifest" else output
            for output in published.outputs
            if output.kind != "captions" or any(output.path.startswith(f"{source}/") for source in published.sources)
        ]
        types = {**files.types, **{f"{o.name}.vtt": FileType("captions", o.content_type) for o in shown}}
        until = self.watched_until(published, now)
        renewal = published.showing([*outputs, *shown], replace(files, types=types), now=now, until=until)
        return replace(renewal, fewer=written.fewer), path

    def watched_until(self, published: Publication, now: float) -> float:
        """When the last one is gone who begins to watch now, with an address that was told just before."""
        return now + longest_watch_seconds(self.stream_bucket_seconds, published.duration_seconds)

    def is_stored(self, asset_id: str, path: str, size_bytes: int) -> bool:
        """True when the file is in the storage with that size."""
        found = self.storage.stat(keys.asset_prefix(asset_id) + path)
        return found is not None and found.size_bytes == size_bytes

    def discard(self, asset_id: str, path: str | None) -> None:
        """Remove what was rendered there and was not published."""
        if path is not None:
            for info in list(self.storage.list(f"{keys.asset_prefix(asset_id)}{path}/")):
                self.storage.delete(info.key)

    def _written(self, asset_id: str, path: str, caption: dict[str, Any], presentation: Presentation) -> Output:
        source = b"".join(self.storage.read(keys.asset_prefix(asset_id) + caption["path"])).decode()
        body = as_segment(source, presentation.media_offset_seconds)
        place = f"{path}/{caption['language']}.vtt"
        size = self._put(asset_id, place, body, TEXT_TYPE)
        return Output(caption["language"], "captions", place, TEXT_TYPE, size, caption["label"])

    def _put(self, asset_id: str, path: str, body: str, content_type: str) -> int:
        data = body.encode()
        self.storage.put(keys.asset_prefix(asset_id) + path, [data], size_bytes=len(data), content_type=content_type)
        return len(data)


def longest_watch_seconds(bucket_seconds: float, duration_seconds: float) -> float:
    """How long somebody who began to watch just now may go on: the longest life of a stream token."""
    return (2 + math.ceil(duration_seconds / bucket_seconds)) * bucket_seconds


def noted_every_seconds(bucket_seconds: float) -> float:
    """How often it is written down that somebody watches: more often than a stream token ends."""
    return min(NOTED_SECONDS, bucket_seconds)


def text_track(caption: dict[str, Any], output: Output, duration_seconds: float) -> TextTrack:
    """Captions whose only file, the output's, lies beside the manifests."""
    # one file: players fetch it once, and formats that take a whole file (DASH) have it
    segment = Segment(output.path.rpartition("/")[2], duration_seconds, output.size_bytes or 0)
    return TextTrack(caption["language"], caption["label"], (segment,), caption["default"])
