"""Which of the files that were found are films, and what lies beside each: captions, a picture, what is said of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from mediaflow.plugin import ObjectInfo

CAPTIONS: Final = (".srt", ".vtt")
PICTURES: Final = (".jpg", ".jpeg", ".png")
SAID: Final = (".json",)
BESIDE: Final = (*CAPTIONS, *PICTURES, *SAID)


@dataclass(frozen=True, slots=True)
class Film:
    """A file that may be one, and the files beside it that are called like it."""

    file: ObjectInfo
    captions: tuple[ObjectInfo, ...] = ()
    picture: ObjectInfo | None = None
    said: ObjectInfo | None = None


def films(found: Iterable[ObjectInfo]) -> Iterator[Film]:
    """The films of files that come sorted by name. Held are those alone whose names begin in the same way."""
    group: list[ObjectInfo] = []
    for each in found:
        if group and _beginning(each.key) != _beginning(group[0].key):
            yield from _films_of(group)
            group = []
        group.append(each)
    yield from _films_of(group)


def language_of(film: Film, captions: ObjectInfo) -> str | None:
    """What stands between the film's name and the ending: `de` in `film.de.vtt`; None when nothing does."""
    said = captions.key[len(_stem(film.file.key)) : -len(_ending(captions.key))].strip(".")
    return said or None


def _films_of(group: list[ObjectInfo]) -> Iterator[Film]:
    beside = [each for each in group if _ending(each.key) in BESIDE]
    for each in group:
        if _ending(each.key) not in BESIDE:
            yield _film(each, beside)


def _film(file: ObjectInfo, beside: list[ObjectInfo]) -> Film:
    stem = _stem(file.key)
    own = [each for each in beside if _stem(each.key) == stem]
    captions = [
        each for each in beside if _ending(each.key) in CAPTIONS and stem in (_stem(each.key), _stem(_stem(each.key)))
    ]
    return Film(
        file,
        tuple(captions),
        next((each for each in own if _ending(each.key) in PICTURES), None),
        next((each for each in own if _ending(each.key) in SAID), None),
    )


def _beginning(name: str) -> str:
    """All that a film and what is beside it have in common, and others may: sorted names keep them together."""
    directory, _, last = name.rpartition("/")
    return f"{directory}/{last.partition('.')[0]}"


def _stem(name: str) -> str:
    """A name without its ending."""
    return name[: -len(ending)] if (ending := _ending(name)) else name


def _ending(name: str) -> str:
    stem, dot, ending = name.rpartition("/")[2].rpartition(".")
    return f".{ending}".lower() if dot and stem else ""
