"""Plugins import `mediaflow.plugin` itself and nothing deeper: ours, and those of others that we keep."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import mediaflow.plugin

ROOT = Path(__file__).parents[2]
PLACES = (ROOT / "plugins", ROOT / "profiles", ROOT / "tests" / "thirdparty")
FILES = sorted(file for place in PLACES for file in place.rglob("*.py") if file.name != "conftest.py")


def imported(source: str) -> Iterator[str]:
    """Every module of mediaflow that the source imports, as a dotted name; `from mediaflow import x` is x itself."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "mediaflow")
        elif isinstance(node, ast.ImportFrom) and node.module == "mediaflow":
            yield from (f"mediaflow.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mediaflow."):
            yield node.module or ""
            # a submodule taken from its package: `from mediaflow.plugin import hookspecs`
            for alias in node.names:
                if node.module == "mediaflow.plugin" and alias.name not in mediaflow.plugin.__all__:
                    yield f"mediaflow.plugin.{alias.name}"


def refused(file: Path) -> list[str]:
    """What the file imports and must not; a plugin's tests may use the kit for tests too."""
    in_tests = "tests" in file.relative_to(ROOT / "tests" if ROOT / "tests" in file.parents else ROOT).parts[:-1]
    found = imported(file.read_text(encoding="utf-8"))
    return [
        name
        for name in found
        if name != "mediaflow.plugin" and not (in_tests and f"{name}.".startswith("mediaflow.testing."))
    ]


def test_plugins_import_the_public_api_and_nothing_deeper() -> None:
    assert FILES
    assert {str(file.relative_to(ROOT)): found for file in FILES if (found := refused(file))} == {}


@pytest.mark.parametrize(
    "source",
    [
        "from mediaflow.plugin.wire import load",
        "import mediaflow.plugin.interfaces",
        "from mediaflow.plugin import hookspecs",
        "from mediaflow.domain.media import MediaInfo",
        "from mediaflow import registry",
        "def f():\n    import mediaflow.services.ports",
    ],
)
def test_what_lies_deeper_is_seen(source: str) -> None:
    assert [name for name in imported(source) if name != "mediaflow.plugin"]


def test_every_public_name_is_there() -> None:
    assert [name for name in mediaflow.plugin.__all__ if not hasattr(mediaflow.plugin, name)] == []
