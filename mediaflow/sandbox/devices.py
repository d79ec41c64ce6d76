"""Device files that a sandbox lets in beside those that the operator names."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_DEVICES: Final = Path("/dev")


def device_files(patterns: Iterable[str], root: Path = _DEVICES) -> tuple[Path, ...]:
    """The character devices that are there of patterns such as `/dev/dri/renderD*`, sorted. What a pattern names
    outside of `root`, or beyond `..`, is none.
    """
    found: set[Path] = set()
    for pattern in patterns:
        path = Path(pattern)
        if path.is_relative_to(root) and path != root and ".." not in path.parts:
            found.update(root.glob(str(path.relative_to(root))))
    return tuple(sorted(path for path in found if _is_device(path)))


def _is_device(path: Path) -> bool:
    try:
        return stat.S_ISCHR(path.lstat().st_mode)
    except OSError:
        return False
