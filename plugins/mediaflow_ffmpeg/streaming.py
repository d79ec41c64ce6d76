"""Segments told of while ffmpeg goes on: each is read back and found whole before anybody hears of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mediaflow.plugin import Artifact, InitSegment, Track, Workspace, WrittenTrack, read_init, read_segment
from mediaflow_ffmpeg.commands import EMPTY_BYTES
from mediaflow_ffmpeg.initsegment import settle
from mediaflow_ffmpeg.jobs import INIT_NAME

Describe = Callable[[WrittenTrack], Track]
Fits = Callable[[WrittenTrack], bool]
"""Whether a segment, given as a track of one, is as long as it was foretold to be, and where."""


@dataclass(slots=True)
class Streaming:
    """Looks for new segments of the tracks in the directories of these names, from number `first` on. What is not as it
    should be is left to the check of all in the end. Without `fits` nothing is foretold, and nothing is told of. Init
    segments are told of as `init` makes them.
    """

    workspace: Workspace
    describe: Mapping[str, Describe]
    fits: Fits | None
    first: int = 0
    init: Callable[[Artifact], Artifact] = lambda artifact: artifact
    told: dict[str, int] = field(default_factory=dict)
    """The number of each track's next segment."""
    complaints: list[str] = field(default_factory=list)
    """What the program that writes them says of errors."""
    _inits: dict[str, InitSegment] = field(default_factory=dict)
    _ends: dict[str, int] = field(default_factory=dict)
    _broken: set[str] = field(default_factory=set)

    def look(self) -> None:
        """Tell of all that is new."""
        for name in self.describe if self.fits is not None else ():
            while name not in self._broken and self._one(name, self.workspace.directory / name):
                pass

    def _one(self, name: str, directory: Path) -> bool:
        """Tell of the track's next segment; False when it is not there, or not as foretold."""
        number = self.told.get(name, self.first)
        file = directory / f"{number:05d}.m4s"  # it gets this name when it is whole
        if not file.exists() or file.stat().st_size <= EMPTY_BYTES or not self._settled(directory):
            return False
        if name not in self._inits:
            self._inits[name] = read_init(directory / INIT_NAME)
        init = self._inits[name]
        segment = read_segment(file, init)
        follows = segment.decode_time == self._ends.get(name, segment.decode_time)
        track = WrittenTrack(name, directory, init, number, (segment,))
        fits = self.fits is not None and self.fits(track)
        if not follows or not segment.starts_with_sync or not fits:
            self._broken.add(name)
            return False
        begins, *made = track.artifacts(self.describe[name](track))
        for artifact in (self.init(begins), *made) if number == self.first else made:
            self.workspace.made(artifact)
        self.told[name], self._ends[name] = number + 1, segment.decode_time + segment.duration
        return True

    def take(self, again: Path) -> None:
        """Put what another run made below `again` in the place of all that was not told of. What was told of is being
        read, and stays.
        """
        for name in self.describe:
            here, told = self.workspace.directory / name, self.told.get(name, self.first)
            if told == self.first:
                shutil.rmtree(here, ignore_errors=True)
                (again / name).rename(here)
                continue
            for file in here.glob("*.m4s"):
                if int(file.stem) >= told:
                    file.unlink()
            for file in (again / name).glob("*.m4s"):
                if int(file.stem) >= told:
                    file.rename(here / file.name)
        shutil.rmtree(again)

    def _settled(self, directory: Path) -> bool:
        """Give the init segment its name beside the one that ffmpeg gave it; False when it is not there."""
        target = directory / INIT_NAME
        if target.exists():
            return True
        found = sorted(directory.glob("init*.mp4"))
        if found:
            settle(found[0], target)
        return bool(found)
