"""The rules that tools check: who may import whom, types, style."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def _run(program: str, *arguments: str) -> None:
    command = [str(BIN / program), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_imports_point_down() -> None:
    _run("lint-imports", "--config", "setup.cfg")


@pytest.mark.timeout(600)
def test_everything_is_typed() -> None:
    _run("mypy")


def test_the_example_plugin_is_typed() -> None:
    example = ROOT / "tests" / "thirdparty" / "mediaflow-example"
    _run("mypy", "--strict", "--config-file", "", *map(str, sorted((example / "mediaflow_example").glob("*.py"))))


def test_the_style_is_kept() -> None:
    _run("ruff", "check")


def test_the_format_is_kept() -> None:
    _run("ruff", "format", "--check")


SOURCES = sorted(
    path
    for root in ("mediaflow", "plugins", "profiles")
    for path in (ROOT / root).rglob("*.py")
    if "node_modules" not in path.parts
)


def test_modules_stay_readable() -> None:
    long = {str(path.relative_to(ROOT)): found for path in SOURCES if (found := _too_long(path))}
    assert long == {}


def _too_long(path: Path) -> dict[str, int]:
    """The lines of the module and of each of its functions that has too many."""
    text = path.read_text(encoding="utf-8")
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    lengths = {node.name: (node.end_lineno or 0) - node.lineno + 1 for node in functions}
    lines = len(text.splitlines())
    return ({"module": lines} if lines > 300 else {}) | {name: n for name, n in lengths.items() if n > 40}


def test_nothing_happens_at_import() -> None:
    """Importing the core's modules imports no plugin and none of the heavy libraries that only one process needs."""
    code = (
        "import sys, mediaflow.registry, mediaflow.settings, mediaflow.plugin, mediaflow.registry.profiles\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {"
        "'flask', 'dramatiq', 'mongoengine', 'redis', 'minio', 'ffmpeg', 'prometheus_client',"
        "'mediaflow_local', 'mediaflow_minio', 'mediaflow_ffmpeg', 'mediaflow_hls', 'mediaflow_validation'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
