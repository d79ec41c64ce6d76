"""Argument lists for bubblewrap that more than one sandbox uses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def binds(reads: Sequence[Path], writes: Path | None) -> list[str]:
    """Options that show `reads` read only and `writes` writable, each at its own path."""
    wanted = [("--ro-bind", path.absolute()) for path in reads]
    if writes is not None:
        wanted.insert(0, ("--bind", writes.absolute()))
    # parents first, so that a mount never hides one inside it
    wanted.sort(key=lambda item: len(item[1].parts))
    return [text for kind, path in wanted for text in (kind, str(path.resolve()), str(path))]
