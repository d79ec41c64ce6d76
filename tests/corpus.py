"""Real and hostile media, when they are at hand: `MEDIAFLOW_CORPUS`, or `../shared/media` beside this checkout.

`MANIFEST.json` there says of each file what must happen to it.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Sample:
    """A file of the corpus. `verdict` is accept, reject or policy; `expected` is the manifest's whole expectation."""

    name: str
    path: Path
    upload_name: str
    verdict: str
    expected: dict[str, Any]


def corpus_directory() -> Path | None:
    """Where the corpus is, or None. A directory that MEDIAFLOW_CORPUS names must exist."""
    named = os.environ.get("MEDIAFLOW_CORPUS")
    directory = Path(named) if named else ROOT.parent / "shared" / "media"
    if named and not (directory / "MANIFEST.json").exists():
        raise FileNotFoundError(f"MEDIAFLOW_CORPUS={named}: there is no MANIFEST.json in it")
    return directory if (directory / "MANIFEST.json").exists() else None


@cache
def samples() -> tuple[Sample, ...]:
    """Every file of the corpus; empty when it is not at hand."""
    directory = corpus_directory()
    if directory is None:
        return ()
    entries = json.loads((directory / "MANIFEST.json").read_text())
    return tuple(
        Sample(
            entry["name"],
            directory / entry["name"],
            entry["upload_name"],
            entry["expected"]["verdict"],
            entry["expected"],
        )
        for entry in entries
        if entry["name"]
    )


def sample(name: str) -> Sample:
    """One file by its name in the manifest."""
    return next(entry for entry in samples() if entry.name == name)
