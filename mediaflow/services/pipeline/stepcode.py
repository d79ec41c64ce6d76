"""Where the code of steps is: what a sandbox shows of Python, of ours and of the plugins, and nothing beside it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mediaflow.sandbox.runner import CLEAN_ENVIRONMENT

_INSTALLED: Final = ("site-packages", "dist-packages")


def child_environment() -> dict[str, str]:
    """No variable of ours but where programs and modules are; Python adds what is installed by itself."""
    own = (sys.prefix, sys.base_prefix)
    modules = [str(Path(path).absolute()) for path in sys.path if path and not path.startswith(own)]
    return {
        **CLEAN_ENVIRONMENT,
        "PATH": os.environ.get("PATH", CLEAN_ENVIRONMENT["PATH"]),
        "PYTHONPATH": os.pathsep.join(modules),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def code_places() -> list[Path]:
    """Where Python and its modules are, to be seen even when they lie in a directory that is hidden.

    Of `sys.path` that is where packages are installed. It has other places: a script's directory, or the current one,
    where a program that runs us put it (Dramatiq's does). An operator's files are there, secrets among them.
    """
    installed = [path for path in map(Path, filter(None, sys.path)) if _holds_packages(path)]
    places = [*installed, Path(sys.prefix), Path(sys.base_prefix), *_loaded()]
    return [place for place in dict.fromkeys(path.absolute() for path in places) if place.exists()]


def _holds_packages(path: Path) -> bool:
    """Whether an installer put packages there (pip does with --target too)."""
    return path.is_dir() and (path.name in _INSTALLED or any(path.glob("*.dist-info")))


def _loaded() -> Iterator[Path]:
    """Editable installs are found by hooks or lie beside other files: of what is loaded, as the plugins are, each
    package's own directory, or a module's own file.
    """
    for name, module in list(sys.modules.items()):
        if "." in name or name == "__main__":
            continue
        if hasattr(module, "__path__"):
            yield from map(Path, module.__path__)
        elif isinstance(file := getattr(module, "__file__", None), str) and not _is_covered(file):
            yield Path(file)


def _is_covered(file: str) -> bool:
    return Path(file).is_relative_to(sys.prefix) or Path(file).is_relative_to(sys.base_prefix)
