"""Distributions, really built and installed, each once a session."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
THIRD_PARTY = ROOT / "tests" / "thirdparty"


@pytest.fixture(scope="session")
def pip_install() -> Callable[[Path, Path], Path]:
    """`pip install` of a source tree or wheel (first) into a directory (second, also the answer)."""
    return lambda source, target: _install(target, source)


@pytest.fixture(scope="session")
def thirdparty_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory for PYTHONPATH with all of tests/thirdparty installed in it, by the first process that asks."""
    base = tmp_path_factory.getbasetemp()
    directory = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "thirdparty"
    directory.mkdir(exist_ok=True)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "installed").exists():
            _install(directory / "site", *(_copy(source, directory) for source in THIRD_PARTY.glob("mediaflow-*")))
            (directory / "installed").touch()
    return directory / "site"


@pytest.fixture
def edited_site(thirdparty_site: Path, tmp_path: Path) -> Callable[[Callable[[Path], None]], Path]:
    """Edits a copy of what is installed by a function; answers the directory. It is built and installed once."""

    def edited(edit: Callable[[Path], None]) -> Path:
        site = tmp_path / "site"
        shutil.copytree(thirdparty_site, site, ignore=shutil.ignore_patterns("__pycache__"))
        edit(site)
        return site

    return edited


def _copy(source: Path, directory: Path) -> Path:
    """A copy of a source tree, because building writes into it."""
    copy = directory / source.name
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    return copy


def _install(target: Path, *sources: Path) -> Path:
    """Install source trees or wheels into a directory, as `pip install` does, without any network; the directory."""
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--no-index"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), *map(str, sources)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target
