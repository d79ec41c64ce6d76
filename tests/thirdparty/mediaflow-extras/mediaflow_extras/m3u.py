"""The manifest format `m3u`: a list of renditions, and for each a list of the files that make one MP4 when joined."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mediaflow.plugin import Manifest, Presentation, Rendition

CONTENT_TYPE = "audio/x-mpegurl"


class FileLists:
    """`index.m3u` and a `NAME.m3u` for each rendition."""

    name = "m3u"

    def render(self, presentation: Presentation) -> Sequence[Manifest]:
        """References are relative to the presentation's root, where all the lists lie."""
        renditions = (*presentation.video, *presentation.audio)
        index = _list((f"{_words(r)}", f"{r.track.name}.m3u") for r in renditions)
        lists = [Manifest(f"{r.track.name}.m3u", CONTENT_TYPE, _files(r)) for r in renditions]
        return [Manifest("index.m3u", CONTENT_TYPE, index, entry=True), *lists]


def _words(rendition: Rendition) -> str:
    track = rendition.track
    size = f" {track.width}x{track.height}" if track.width else ""
    return f"{round(rendition.duration_seconds)},{track.name}{size} {track.codecs}"


def _files(rendition: Rendition) -> str:
    segments = ((f"{round(part.duration_seconds)},{part.size_bytes} bytes", part.uri) for part in rendition.segments)
    return _list([("0,init", rendition.init_uri), *segments])


def _list(entries: Iterable[tuple[str, str]]) -> str:
    return "#EXTM3U\n" + "".join(f"#EXTINF:{words}\n{uri}\n" for words, uri in entries)
