"""The README tells what is there: settings, commands, make targets."""

from __future__ import annotations

import re
from pathlib import Path

from mediaflow import registry
from mediaflow.cli.main import COMMANDS
from mediaflow.settings import RESERVED, describe

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def settings_table() -> str:
    """The table that belongs between the marks."""
    settings, plugins = registry.load({})
    rows = ["| Variable | Default | Meaning |", "|---|---|---|"]
    for info in describe(settings, plugins.setting_specs):
        default = f"`{info.default}`" if info.default else ""
        rows.append(f"| `{info.variable}` | {default} | {info.help} |")
    return "\n".join(rows)


def test_the_table_of_settings_is_the_settings() -> None:
    found = re.search(r"<!-- settings:[^>]*-->\n(.*?)\n?<!-- /settings -->", README, re.DOTALL)

    assert found is not None
    assert found[1].strip() == settings_table(), f"put this between the marks:\n{settings_table()}"


def test_every_command_is_shown_or_is_production_only() -> None:
    listed = README.partition("## Command line")[2].partition("\n## ")[0]
    shown = set(re.findall(r"^mediaflow (\w+)", listed, re.MULTILINE))

    assert shown | {"serve", "worker"} == set(COMMANDS)


def test_every_variable_that_it_names_exists() -> None:
    settings, plugins = registry.load({})
    known = {info.variable for info in describe(settings, plugins.setting_specs)} | set(RESERVED)

    assert set(re.findall(r"MEDIAFLOW_[A-Z0-9_]+", README)) <= known


def test_every_make_target_that_it_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"^make ([a-z-]+)", README, re.MULTILINE))

    assert {"run", "test"} <= named <= targets
