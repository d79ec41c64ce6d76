"""Downloads of a generation: which there are, and what each is put together of. Written with the manifests."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from mediaflow.domain import keys
from mediaflow.domain.downloads import Download, DownloadFormat, DownloadSegment, DownloadTrack
from mediaflow.domain.presentation import Presentation, Rendition
from mediaflow.domain.publication import FileType, Output
from mediaflow.plugin import Storage
from mediaflow.plugin.wire import dump

VIDEO: Final = ("mp4", "video/mp4")
SOUND: Final = ("m4a", "audio/mp4")


@dataclass(frozen=True, slots=True)
class Downloads:
    """Writes what downloads are put together of, where their addresses will be."""

    storage: Storage

    def write(
        self, asset_id: str, path: str, presentation: Presentation, formats: Collection[DownloadFormat]
    ) -> tuple[list[Output], dict[str, FileType]]:
        """One for each rendition that is stored as a whole, if the profile wants any; their names below the path."""
        outputs, types = list[Output](), dict[str, FileType]()
        for name, kind, tracks in _offered(presentation) if formats else ():
            download = Download(
                tuple(_track(rendition, path) for rendition in tracks), presentation.media_offset_seconds
            )
            data = json.dumps(dump(download)).encode()
            key = f"{keys.asset_prefix(asset_id)}{path}/{name}"
            self.storage.put(key, [data], size_bytes=len(data), content_type="application/json")
            title = tracks[0].track.label or name.rpartition(".")[0]
            outputs.append(Output(name, "download", f"{path}/{name}", kind, title=title))
            types[name] = FileType("composed", kind)
        return outputs, types


def _offered(presentation: Presentation) -> Iterator[tuple[str, str, tuple[Rendition, ...]]]:
    """Name, content type and tracks of each: pictures with the sound of all languages, or where there are none, the
    sound.
    """
    ending, kind = VIDEO if presentation.video else SOUND
    for rendition in presentation.video or presentation.audio:
        group = rendition.track.audio_group
        sound = [each for each in presentation.audio if group and group in (each.track.name, each.track.audio_group)]
        tracks = (rendition, *(sound if presentation.video else ()))
        if all(each.foretold is None for each in tracks):
            yield f"{rendition.track.name}.{ending}", kind, tracks


def _track(rendition: Rendition, path: str) -> DownloadTrack:
    def place(uri: str) -> str:
        return posixpath.normpath(f"{path}/{unquote(uri)}")

    segments = (DownloadSegment(place(s.uri), s.size_bytes, s.duration_seconds) for s in rendition.segments)
    return DownloadTrack(place(rendition.init_uri), tuple(segments))
