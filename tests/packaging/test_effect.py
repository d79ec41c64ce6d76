"""Nothing is there for nothing: each setting and each field of a record is read by the code that it is for."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import fields
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from mediaflow.persistence.tables import TABLES, Table
from mediaflow.plugin import ENTRY_POINT_GROUP
from mediaflow.settings import CORE, owned_specs

ROOT = Path(__file__).parents[2]
WHERE = {"change": 1, "find": 0, "count": 0, "total": 1, "remove": 1, "_remove_some": 1}
"""Methods of repositories, and which argument holds the conditions."""


@pytest.fixture(scope="module")
def nodes() -> list[ast.AST]:
    """The whole code but that which keeps settings and records for others."""
    keepers = [ROOT / "mediaflow/settings", ROOT / "mediaflow/persistence", ROOT / "mediaflow/domain/records.py"]
    sources = [path for root in ("mediaflow", "plugins") for path in (ROOT / root).rglob("*.py")]
    read = [path for path in sources if not any(path.is_relative_to(keeper) for keeper in keepers)]
    return _nodes(read)


def _texts(node: ast.AST | None) -> Iterator[str]:
    texts = [node] if isinstance(node, ast.Constant) else [*ast.walk(node)] if node is not None else []
    yield from (text.value for text in texts if isinstance(text, ast.Constant) and isinstance(text.value, str))


def _is_settings(node: ast.AST) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name.endswith("settings")


def _nodes(paths: Iterable[Path]) -> list[ast.AST]:
    return [node for path in paths for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]


def test_every_setting_has_an_effect(nodes: list[ast.AST]) -> None:
    read: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Attribute) and _is_settings(node.value):
            read.add(node.attr)
        elif isinstance(node, ast.Subscript) and _is_settings(node.value):
            read.update(_texts(node.slice))
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "get" and node.args:
            read.update(text.removeprefix("MEDIAFLOW_").lower() for text in _texts(node.args[0]) if text.isupper())
    # what the table's own properties and functions make of it
    own = _nodes([ROOT / "mediaflow/settings/table.py"])
    read.update(
        node.attr
        for node in own
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") in ("self", "settings")
    )
    points = entry_points(group=ENTRY_POINT_GROUP)
    plugins = [point.load() for point in points if point.dist and point.dist.name == CORE]
    hooks = (getattr(plugin, "mediaflow_register_settings", None) for plugin in plugins)
    registers = [hook for hook in hooks if hook is not None]
    assert registers
    specs = owned_specs((CORE, spec) for register in registers for spec in register())
    assert [spec.name for _, spec in specs if spec.name not in read] == []


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_field_of_a_record_is_read(table: Table, nodes: list[ast.AST]) -> None:
    """By its name; as what a change, a listing or an answer of the API goes by."""
    # what the databases themselves go by
    read: set[str] = {"id", "rev", "schema"}
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            read.add(node.attr)
        elif isinstance(node, ast.Call) and (name := _name(node.func)) in WHERE:
            read.update(text for argument in node.args[WHERE[name] : WHERE[name] + 1] for text in _texts(argument))
        elif isinstance(node, ast.Assign):
            names = {target.id for target in node.targets if isinstance(target, ast.Name)}
            read.update(names if isinstance(node.value, ast.Call) else ())
            read.update(_texts(node.value) if names & {"where", "expect"} else ())
    assert [field.name for field in fields(table.record) if field.name not in read] == []


def _name(function: ast.expr) -> str:
    """Of what is called: `find` of `database.assets.find`, and of `find`."""
    return str(getattr(function, "attr", getattr(function, "id", "")))
