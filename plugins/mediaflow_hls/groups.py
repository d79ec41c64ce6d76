"""What a viewer chooses between: groups of audio tracks, and names that are different within a group."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mediaflow.plugin import Rendition
from mediaflow_hls.bandwidth import average_bps, peak_bps

UNNAMED: Final = "Main"


@dataclass(frozen=True, slots=True)
class AudioGroup:
    """One sound at one bit rate, in every language; the default is the first."""

    name: str
    renditions: tuple[Rendition, ...]

    @property
    def default(self) -> Rendition:
        return self.renditions[0]

    @property
    def is_a_choice(self) -> bool:
        return len(self.renditions) > 1

    def peak_bps(self, target_seconds: int) -> int:
        """Of the largest: a variant's figures hold for any combination (RFC 8216, 4.3.4.2)."""
        return max(peak_bps(rendition, target_seconds) for rendition in self.renditions)

    @property
    def average_bps(self) -> int:
        return max(average_bps(rendition) for rendition in self.renditions)

    @property
    def codecs(self) -> list[str]:
        return [rendition.track.codecs for rendition in self.renditions]

    def choices(self) -> Iterator[tuple[Rendition, str]]:
        """Every rendition with its name."""
        names = labels([rendition.track.label or UNNAMED for rendition in self.renditions])
        return zip(self.renditions, names, strict=True)


def audio_groups(audio: Sequence[Rendition]) -> dict[str, AudioGroup]:
    """The groups by name, in the order of their first tracks; a group's own track comes first in it."""
    members: dict[str, list[Rendition]] = {}
    for rendition in audio:
        name = rendition.track.audio_group or rendition.track.name
        own = name == rendition.track.name
        group = members.setdefault(name, [])
        group.insert(0 if own else len(group), rendition)
    return {name: AudioGroup(name, tuple(found)) for name, found in members.items()}


def labels(wished: Sequence[str]) -> list[str]:
    """Names for a menu: as wished, as a quoted string may hold them (RFC 8216, 4.2), and numbered where they repeat."""
    names: dict[str, None] = {}
    for wish in wished:
        plain = "".join(c for c in wish.replace('"', "'") if unicodedata.category(c) not in ("Cc", "Cs", "Zl", "Zp"))
        name, number = plain.strip() or UNNAMED, 2
        while name in names:
            name, number = f"{plain.strip() or UNNAMED} {number}", number + 1
        names[name] = None
    return list(names)
