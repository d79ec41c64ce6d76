"""What leaves the house: the outputs of a published generation, and the files that are reached through them.

Publishing makes a `Publication`, delivery opens what it names and nothing else, the API tells its outputs. Every path
is below the asset's prefix.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from mediaflow.domain import keys

OutputKind = Literal["manifest", "image", "captions", "storyboard", "preview", "download", "file"]
FileKind = Literal["manifest", "image", "captions", "storyboard", "preview", "download", "file", "media", "composed"]
"""`media` are init and media segments: files of tracks, which manifests name. What is `composed` is put together of
them while it is sent: what lies there tells of what (`domain/downloads.py`).
"""

ARTIFACTS: Final = "artifacts.json"
"""Beside what an attempt made lies the list of it, which is for us alone."""
ANYTHING: Final = "**"


@dataclass(frozen=True, slots=True)
class Output:
    """Something with a name that viewers get. The name is unique among the outputs of its kind.

    A manifest is called by its format (`hls`), captions by their language, the rest by the path that its step gave it.
    `title` is for people. `size_bytes` is None where an older version of mediaflow did not keep it. What is `apart` is
    one of its kind and never stands for the asset, as an image that is not its picture.
    """

    name: str
    kind: OutputKind
    path: str
    content_type: str
    size_bytes: int | None = None
    title: str | None = None
    apart: bool = False


@dataclass(frozen=True, slots=True)
class FileType:
    """What a file is. It decides how the file is sent, together with its kind."""

    kind: FileKind
    content_type: str


@dataclass(frozen=True, slots=True)
class Files:
    """The files whose paths begin with `prefix`, which is the directory of one attempt (`g1/video-0.1/`).

    A film has thousands, so `types` tells them by pattern. Its keys are the rest of a path (`360p/init.mp4`), all of
    one ending in one directory (`360p/*.m4s`), an ending anywhere below (`.m4s`), or `**` for anything: the closest
    one counts. `until` is when the last viewer of what is published no more is gone, in seconds since the epoch (None:
    nobody knows, its files go with a sweep).

    `awaited` are the segments of each track that are being made, or are made on demand, and have addresses here already
    (`keys.tracks_path`): where one lies, its record tells (`domain/madesegments.py`).
    """

    prefix: str
    types: Mapping[str, FileType]
    until: float | None = None
    awaited: Mapping[str, int] = field(default_factory=dict)

    def holds(self, path: str) -> bool:
        """True when the path is below this directory."""
        return path.startswith(self.prefix)

    def what(self, path: str) -> FileType | None:
        """What the file at that path would be; None when none can be there."""
        rest = path[len(self.prefix) :]
        pattern, ending = _pattern(rest)
        if rest.rpartition("/")[2] in ("", ARTIFACTS):
            return None
        keys = (rest, pattern, ending.lower(), ANYTHING)
        return next((found for key in keys if (found := self.types.get(key)) is not None), None)


@dataclass(frozen=True, slots=True)
class Publication:
    """A published generation. Values only: a change of captions or picture is a new publication.

    `sources` are the directories of the steps' winning attempts, which manifests can be rendered from again (empty
    where an older version did not keep them); `lent` are those of other attempts, of which single segments are used.
    `renditions` are JSON objects as the API tells them. `poster_seconds` is
    the time that the picture shows (None: the profile's choice). `earlier` was published before, and is still watched.
    `fewer` has, for entry manifests, the path of another that names only what is made in any case: viewers get that
    while more is waited for than can be made. `sounds` has, for pictures that are made while they are watched, the
    track of their sound.
    """

    generation: int
    outputs: tuple[Output, ...]
    files: tuple[Files, ...]
    duration_seconds: float
    sources: tuple[str, ...] = ()
    lent: tuple[str, ...] = ()
    renditions: tuple[Mapping[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()
    poster_seconds: float | None = None
    picture: str | None = None
    earlier: tuple[Files, ...] = ()
    fewer: Mapping[str, str] = field(default_factory=dict)
    sounds: Mapping[str, str] = field(default_factory=dict)

    def of_kind(self, kind: OutputKind) -> tuple[Output, ...]:
        """All outputs of the kind, in order."""
        return tuple(output for output in self.outputs if output.kind == kind)

    def first(self, kind: OutputKind) -> Output | None:
        """The first output of the kind that is not apart: of several images, the one that stands for the asset."""
        return next((output for output in self.of_kind(kind) if not output.apart), None)

    @property
    def awaited(self) -> dict[str, int]:
        """The tracks that are made while they are watched, with how many segments they have."""
        return {track: count for files in self.files for track, count in files.awaited.items()}

    def manifest(self, name: str) -> Output | None:
        """The manifest of the format of that name."""
        return next((output for output in self.of_kind("manifest") if output.name == name), None)

    def awaits(self, path: str, now: float) -> tuple[int, str, int] | None:
        """Generation, track and number of a segment that is made while it is watched; None for any other path."""
        if (segment := keys.addressed_segment(path)) is None:
            return None
        _, track, number = segment
        for files in (*self.files, *self.earlier):
            known = files.holds(path) and (files.until is None or files.until > now)
            if known and number < files.awaited.get(track, -1):
                return segment
        return None

    def file(self, path: str, now: float) -> FileType | None:
        """What the file at that path is; None when it was not published, or is published no more."""
        for files in (*self.files, *self.earlier):
            if files.holds(path) and (files.until is None or files.until > now) and (found := files.what(path)):
                return found
        return None

    def uses(self, path: str) -> bool:
        """True for a file of a directory that something published lies in now."""
        return any(files.holds(path) for files in self.files)

    def showing(self, outputs: Iterable[Output], added: Files, *, now: float, until: float) -> Publication:
        """With these outputs instead, for which files were added. What none of them needs stays for who watches it."""
        return replace(self, outputs=tuple(outputs))._over((*self.files, added), self.earlier, now, until)

    def following(self, before: Publication | None, *, now: float, until: float) -> Publication:
        """The same, but published in the place of another, whose files stay until then for who watches."""
        return self if before is None else self._over(self.files, (*before.files, *before.earlier), now, until)

    def _over(self, files: Sequence[Files], before: Sequence[Files], now: float, until: float) -> Publication:
        """With those of the files that are in use now, apart from those that were."""
        used = {each.prefix: each for each in files if self._is_used(each)}
        ending = [replace(each, until=until if each.until is None else each.until) for each in (*files, *before)]
        earlier = [each for each in ending if not _is_same(each, used.get(each.prefix)) and (each.until or 0.0) > now]
        return replace(self, files=tuple(used.values()), earlier=tuple(earlier))

    def _is_used(self, files: Files) -> bool:
        is_source = files.prefix.rstrip("/") in (*self.sources, *self.lent)
        return is_source or bool(files.awaited) or any(files.holds(output.path) for output in self.outputs)


def _is_same(files: Files, used: Files | None) -> bool:
    """True for what is in use; of tracks that are made while they are watched fewer may be than before."""
    return used is not None and files.awaited.keys() <= used.awaited.keys()


def described(prefix: str, types: Mapping[str, FileType]) -> Files:
    """The files of a directory, each told by the rest of its path, in as few words as it takes."""
    groups: dict[str, Counter[FileType]] = defaultdict(Counter)
    for rest, what in types.items():
        groups[_pattern(rest)[0]][what] += 1
    usual = {pattern: found.most_common(1)[0] for pattern, found in groups.items()}
    told = {pattern: what for pattern, (what, count) in usual.items() if count > 1}
    exact = {rest: what for rest, what in types.items() if told.get(_pattern(rest)[0]) != what}
    return Files(prefix, told | exact)


def _pattern(rest: str) -> tuple[str, str]:
    """`360p/*.m4s` and `.m4s` for `360p/00000.m4s`."""
    directory, slash, name = rest.rpartition("/")
    ending = "".join(name.rpartition(".")[1:]) if "." in name else ""
    return f"{directory}{slash}*{ending}", ending
