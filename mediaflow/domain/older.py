"""What assets of schema 1 say that they publish, read as it is said now. Nothing is encoded or looked for again.

Schema 1 knew neither types nor sizes: what a file is was told by its name's ending, and every file of a generation up
to the published one could be reached. The oldest of these documents do not know what their manifests were rendered
from (`sources`) either.

Before schema 3 it was not noted which issuer somebody came from: `admin` of an outside issuer was `admin`. Bare names
are local ones since; what users of an outside issuer had under theirs is theirs again when the operator says so
(`MEDIAFLOW_JWKS_USERS_FILE`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from mediaflow.domain.mediatypes import OTHER_TYPE
from mediaflow.domain.publication import ANYTHING, Files, FileType, Output, OutputKind, Publication

CHANGES: Final[Mapping[int, str]] = MappingProxyType(
    {
        2: "what assets publish is kept in another form",
        3: "everybody must sign in again, API keys without an end get one, and with an outside issuer those that were"
        " made before open nothing",
        4: "events are kept with what they tell",
    }
)
"""What people notice of each schema, told when a database of an older one is opened."""
WRITTEN_BESIDE: Final = 3
"""The oldest schema whose processes read what this version writes with that number: the fields that they don't know are
left alone by them, and what they write is read with the defaults. They may run beside it in one MongoDB.
"""
KNOWS_ISSUERS: Final = 3
"""The first schema whose API keys tell their makers' issuer."""
_VIDEO: Final = {
    ".m3u8": FileType("manifest", "application/vnd.apple.mpegurl"),
    ".mpd": FileType("manifest", "application/dash+xml"),
    ".m4s": FileType("media", "video/mp4"),
    ".mp4": FileType("media", "video/mp4"),
    ".m4a": FileType("media", "audio/mp4"),
    ".jpg": FileType("image", "image/jpeg"),
    ".png": FileType("image", "image/png"),
    ".webp": FileType("image", "image/webp"),
    ".vtt": FileType("captions", "text/vtt; charset=utf-8"),
    ".json": FileType("file", "application/json"),
    ANYTHING: FileType("file", OTHER_TYPE),
}
_AUDIO: Final = _VIDEO | dict.fromkeys((".m4s", ".mp4"), FileType("media", "audio/mp4"))
_MANIFESTS: Final = {ending: _VIDEO[ending] for ending in (".m3u8", ".mpd", ".vtt")}
_IMAGES: Final[tuple[tuple[str, OutputKind], ...]] = (("thumbnail", "image"), ("storyboard", "storyboard"))


def changes_since(version: int) -> str:
    """What people notice who had that schema until now."""
    return "; ".join(change for newer, change in CHANGES.items() if newer > version)


def publication_of_schema_1(document: Mapping[str, Any]) -> Publication:
    """The publication that the object tells of; LookupError, TypeError or ValueError when it is none."""
    generation, outputs = document["generation"], tuple(_outputs(document))
    places = [*document.get("sources", [f"g{generation}"]), *(o.path.rpartition("/")[0] for o in outputs)]
    # who began to watch before captions were changed, or before the asset was processed again, goes on
    before = [Files(f"g{generation}/{name}.", _MANIFESTS) for name in ("package", "captions")]
    before += [files for number in range(1, generation) for files in _everything_below(f"g{number}")]
    return Publication(
        generation=generation,
        outputs=outputs,
        files=tuple(files for place in dict.fromkeys(places) for files in _everything_below(place)),
        duration_seconds=document["duration_seconds"],
        sources=tuple(document.get("sources", ())),
        renditions=tuple(document.get("renditions") or ()),
        warnings=tuple(document.get("warnings", ())),
        poster_seconds=document.get("poster_seconds"),
        earlier=tuple(before),
    )


def _outputs(document: Mapping[str, Any]) -> Iterable[Output]:
    manifests = document.get("manifests") or {name: document.get(name) for name in ("hls", "dash")}
    for name, path in manifests.items():
        if path is not None:
            yield Output(name, "manifest", path, _type(path))
    for name, kind in _IMAGES:
        if (path := document.get(name)) is not None:
            yield Output(path.rpartition("/")[2], kind, path, _type(path))
    for caption in document.get("captions", ()):
        path = caption["path"]
        yield Output(caption["language"], "captions", path, _type(path), caption["size_bytes"], caption["label"])


def _type(path: str) -> str:
    return _VIDEO.get(f".{path.rpartition('.')[2].lower()}", _VIDEO[ANYTHING]).content_type


def _everything_below(place: str) -> list[Files]:
    """The files of a directory; below a whole generation's, sound lies in directories whose names tell it."""
    if "/" not in place:
        return [Files(f"{place}/audio", _AUDIO), Files(f"{place}/", _VIDEO)]
    return [Files(f"{place}/", _AUDIO if place.partition("/")[2].startswith("audio") else _VIDEO)]
