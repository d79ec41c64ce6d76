"""What becomes of the pieces that ffmpeg cuts sound into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mediaflow_ffmpeg.cutting import RAW
from mediaflow_ffmpeg.initsegment import settle
from mediaflow_ffmpeg.jobs import INIT_NAME


@dataclass(frozen=True, slots=True)
class Pieces:
    """The pieces of some tracks below a directory, which become segments of the tracks below another one."""

    directory: Path
    target: Path
    names: Sequence[str]
    first: int
    count: int
    lead: int

    def make_room(self) -> None:
        """The muxer makes no directories."""
        for name in self.names:
            for directory in (self.directory, self.target):
                (directory / name).mkdir(parents=True, exist_ok=True)

    def publish(self, told: Mapping[str, int], *, ended: bool = False) -> None:
        """Give each piece that is whole its name as a segment: when there is one after it, or ffmpeg has `ended`. What
        was `told` of, up to a number, is being read, and stays.
        """
        for name in self.names:
            found = sorted((self.directory / name).glob(f"*.{RAW}"))
            for piece in found if ended else found[:-1]:
                number = self.first + int(piece.stem) - self.lead
                if piece.stem.strip("0") == "" and not (self.target / name / INIT_NAME).exists():
                    piece.rename(self.target / name / INIT_NAME)
                elif told.get(name, self.first) <= number < self.first + self.count:
                    piece.rename(self.target / name / f"{number:05d}.m4s")
                else:
                    piece.unlink()


def make_room(directory: Path, names: Sequence[str]) -> None:
    """For the pieces of tracks: the muxer makes no directories."""
    for name in names:
        (directory / name).mkdir(parents=True, exist_ok=True)


def publish_numbered(directory: Path, names: Sequence[str], *, ended: bool = False) -> None:
    """Give each piece that is whole its name: the first one of a run is the init segment, and the number of any other
    is one more than its segment's.
    """
    for name in names:
        found = sorted((directory / name).glob(f"*.{RAW}"))
        for piece in found if ended else found[:-1]:
            if _is_init(piece):
                settle(piece, piece.with_name(INIT_NAME))
                piece.unlink()
            else:
                piece.replace(piece.with_name(f"{int(piece.stem) - 1:05d}.m4s"))


def _is_init(piece: Path) -> bool:
    with piece.open("rb") as file:
        return file.read(8)[4:] == b"ftyp"
