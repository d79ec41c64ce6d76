"""The author's guide: every hook is a heading with its signature, and every interface is named."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

import mediaflow.plugin
from mediaflow import registry
from mediaflow.observability.core_metrics import CORE_METRICS
from mediaflow.plugin import hookspecs
from mediaflow.settings import describe

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "plugins" / "README.md"
HOOKS = {name: value for name, value in vars(hookspecs).items() if name.startswith("mediaflow_")}


def _signature(name: str) -> str:
    """The specification as the guide writes it; annotations are texts because of the __future__ import."""
    signature = inspect.signature(HOOKS[name])
    parameters = ", ".join(f"{parameter.name}: {parameter.annotation}" for parameter in signature.parameters.values())
    return f"{name}({parameters}) -> {signature.return_annotation}"


def _headings() -> list[str]:
    return re.findall(r"^#+ `(mediaflow_[^`]+)`$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_a_heading_with_its_signature(name: str) -> None:
    assert _signature(name) in _headings()


def test_every_heading_is_a_hook() -> None:
    assert {heading.partition("(")[0] for heading in _headings()} == set(HOOKS)


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_has_a_contract(name: str) -> None:
    assert len((HOOKS[name].__doc__ or "").split()) >= 10


@pytest.mark.parametrize(
    "name",
    [name for name in mediaflow.plugin.__all__ if getattr(getattr(mediaflow.plugin, name), "_is_protocol", False)],
)
def test_every_interface_is_in_the_guide(name: str) -> None:
    assert f"`{name}`" in GUIDE.read_text(encoding="utf-8")


ENGINE = (ROOT / "deploy" / "engine.md").read_text()


def test_the_page_about_the_engine_has_the_bounds_that_the_code_has() -> None:
    rows = re.findall(r"^\| .+? \| ([\d.]+)(?: s)? \| `(\w+)` in `([\w/]+)\.py` \|$", ENGINE, re.MULTILINE)
    assert len(rows) == ENGINE.partition("## Bounds")[2].partition("## Metrics")[0].count("\n| ") - 1
    for value, name, module in rows:
        assert getattr(import_module(module.replace("/", ".")), name) == float(value), name


def test_the_page_about_the_engine_names_metrics_and_settings_that_there_are() -> None:
    settings, plugins = registry.load({})
    known = {info.variable for info in describe(settings, plugins.setting_specs)}
    assert set(re.findall(r"MEDIAFLOW_[A-Z0-9_]+", ENGINE)) <= known
    metrics = {spec.name for spec in CORE_METRICS}
    shown = {f"{name}_count" for name in metrics} | metrics
    queue = (ROOT / "mediaflow" / "observability" / "queue_metrics.py").read_text()
    named = set(re.findall(r"mediaflow_[a-z_]+", ENGINE))
    assert [name for name in named if name not in shown and f'"{name}"' not in queue] == []
    assert {name for name in metrics if "demand" in name or "evicted" in name or "playable" in name} <= named
    assert "(deploy/engine.md)" in (ROOT / "README.md").read_text()


def test_every_promise_of_security_is_held_by_a_test_that_is_there() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", text)
    assert len(named) > 30
    missing = [f"{file}::{test}" for file, test in named if f"def {test}(" not in (ROOT / file).read_text()]
    assert missing == []
    rows = text.partition("## What is promised")[2].partition("## What is not")[0].strip().splitlines()[2:]
    assert [row.split("|")[1] for row in rows if "`tests/" not in row] == []
