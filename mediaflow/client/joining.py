"""Several sizes of one film, made already, as the tracks of one file."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mediaflow.plugin import InvalidInput

PROFILE: Final = "ready-made"
"""Packages what is in such a file as it is."""


@contextmanager
def joined(film: Path, others: Sequence[Path]) -> Iterator[Path]:
    """A file with the sound, the text and the picture of the film and the pictures of the others, called as the film
    is; gone afterwards. Nothing is encoded: it takes as much room as all of them. InvalidInput says what is wrong with
    one of them, as ffmpeg does.
    """
    for file in (film, *others):
        if not file.is_file():
            raise InvalidInput(f"{file} is no file")
    with tempfile.TemporaryDirectory(prefix="mediaflow-joined-") as directory:
        target = Path(directory) / f"{film.stem}.mp4"
        done = _run(_command(film, others, target))
        if done.returncode != 0:
            said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise InvalidInput(f"the files can't be put into one MP4: {said[:300]}")
        yield target


def _command(film: Path, others: Sequence[Path], target: Path) -> list[str]:
    inputs = [argument for file in (film, *others) for argument in ("-i", f"file:{file}")]
    pictures = [argument for number in range(len(others)) for argument in ("-map", f"{number + 1}:v:0")]
    mapped = ["-map", "0:v:0", "-map", "0:a?", "-map", "0:s?", *pictures]
    return ["ffmpeg", "-v", "error", "-nostdin", *inputs, *mapped, "-c", "copy", "-movflags", "+faststart", str(target)]


def _run(argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False)
    except FileNotFoundError as error:
        raise InvalidInput("ffmpeg is not installed here; it puts the files into one") from error
