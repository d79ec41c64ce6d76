"""The wheel: everything that runs is in it, and it runs from there."""

from __future__ import annotations

import configparser
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("mediaflow", "plugins", "profiles", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")
DATA = {".yaml", ".html", ".css", ".js"}
CHECK = """
import json, sys
import mediaflow, mediaflow.registry
settings, plugins = mediaflow.registry.load({})
print(json.dumps({
    "from": mediaflow.__file__,
    "plugins": {info.name: info.distribution for info in plugins.listing()},
    "profiles": sorted(plugins.profiles),
}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the tree as it is. Built from a copy: setuptools leaves a `build` directory behind."""
    directory = tmp_path_factory.mktemp("wheel")
    source = directory / "source"
    source.mkdir()
    ignored = shutil.ignore_patterns("__pycache__", "node_modules", "*.egg-info")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(directory), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = directory.glob("*.whl")
    return built


def _names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_every_module_of_the_tree_is_in_the_wheel(wheel: Path) -> None:
    roots = {"mediaflow": "mediaflow", "profiles": "mediaflow_profiles"}
    roots |= {f"plugins/{path.name}": path.name for path in (ROOT / "plugins").iterdir() if path.is_dir()}
    expected = {
        f"{package}/{module.relative_to(ROOT / root).as_posix()}"
        for root, package in roots.items()
        for module in (ROOT / root).rglob("*.py")
        if "node_modules" not in module.parts
    }

    assert expected - _names(wheel) == set()


def test_data_files_are_in_the_wheel(wheel: Path) -> None:
    names = _names(wheel)

    assert "mediaflow/py.typed" in names
    for root, package in (("profiles", "mediaflow_profiles"), ("mediaflow/web", "mediaflow/web")):
        data = [path for path in (ROOT / root).rglob("*") if path.is_file() and path.suffix in DATA]
        here = {path.relative_to(ROOT / root).as_posix() for path in data if "node_modules" not in path.parts}
        assert here
        assert {f"{package}/{name}" for name in here} - names == set()


def test_nothing_else_is_in_the_wheel(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in _names(wheel)}

    assert {top for top in tops if not top.startswith("mediaflow")} == set()
    assert "mediaflow/testing/__init__.py" in _names(wheel)


def test_its_metadata_say_what_it_is(wheel: Path) -> None:
    (name,) = (name for name in _names(wheel) if name.endswith("entry_points.txt"))
    config = configparser.ConfigParser(interpolation=None)
    config.optionxform = str  # type: ignore[assignment,method-assign]
    with zipfile.ZipFile(wheel) as archive:
        config.read_string(archive.read(name).decode())

    assert set(config["mediaflow"]) >= {"ffmpeg", "hls", "local", "minio", "profiles", "validation"}
    assert "mediaflow" in config["console_scripts"]
    assert any(name.endswith("licenses/LICENSE") for name in _names(wheel))


def test_it_loads_from_where_it_was_installed(
    wheel: Path, tmp_path: Path, pip_install: Callable[[Path, Path], Path]
) -> None:
    site = pip_install(wheel, tmp_path / "site")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MEDIAFLOW_")}

    command = [sys.executable, "-c", CHECK]
    done = subprocess.run(
        command, cwd=tmp_path, env={**environ, "PYTHONPATH": str(site)}, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert Path(said["from"]).is_relative_to(site)
    assert set(said["plugins"]) >= {"ffmpeg", "hls", "local", "minio", "profiles", "validation"}
    assert {"web-h264"} <= set(said["profiles"])
