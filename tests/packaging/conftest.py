"""Distributions, really built and installed, each once a session."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "tests" / "thirdparty" / "mediaflow-example"


@pytest.fixture(scope="session")
def pip_install() -> Callable[[Path, Path], Path]:
    """`pip install` of a source tree or wheel (first) into a directory (second, also the answer)."""
    return _install


@pytest.fixture(scope="session")
def thirdparty_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory for PYTHONPATH with tests/thirdparty/mediaflow-example installed in it."""
    return _installed(tmp_path_factory.mktemp("example"), lambda source: None)


@pytest.fixture
def edited_site(tmp_path: Path) -> Callable[[Callable[[Path], None]], Path]:
    """Installs a copy of the example that a function edited first; answers the directory."""
    return lambda edit: _installed(tmp_path, edit)


def _installed(directory: Path, edit: Callable[[Path], None]) -> Path:
    # a copy, because building writes into the source tree
    source = directory / "source"
    shutil.copytree(EXAMPLE, source, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    edit(source)
    return _install(source, directory / "site")


def _install(source: Path, target: Path) -> Path:
    """Install a source tree or wheel into a directory, as `pip install` does, without any network; the directory."""
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--no-index"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target
