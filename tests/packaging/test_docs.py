"""The author's guide: every hook is a heading with its signature, and every interface is named."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import mediaflow.plugin
from mediaflow.plugin import hookspecs

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


def test_every_promise_of_security_is_held_by_a_test_that_is_there() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", text)
    assert len(named) > 30
    missing = [f"{file}::{test}" for file, test in named if f"def {test}(" not in (ROOT / file).read_text()]
    assert missing == []
    rows = text.partition("## What is promised")[2].partition("## What is not")[0].strip().splitlines()[2:]
    assert [row.split("|")[1] for row in rows if "`tests/" not in row] == []
