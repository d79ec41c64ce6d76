"""YAML (JSON is YAML) to plain values, with the line of every member; bounded in size and depth."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

MAX_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 20
"""Deeper nesting is no profile; the limit keeps the recursion below far from Python's own."""
_Loader: Final[type[yaml.SafeLoader]] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's, which PyYAML's wheels bring: several times as fast, and each process reads profiles when it starts."""


@dataclass(slots=True)
class YamlValues:
    """`value` is made of dict, list, str, int, float, bool and None; `lines` maps paths (`steps[0].step`) to lines.

    `problems` are (line, path, sentence): what they are about is None or left out in `value`. `complete` says that the
    whole text was read.
    """

    value: Any = None
    lines: dict[str, int] = field(default_factory=dict)
    problems: list[tuple[int, str, str]] = field(default_factory=list)
    complete: bool = False


def read_yaml(text: str) -> YamlValues:
    """All of a document's values and lines. Never raises: what is wrong is among the problems."""
    result = YamlValues()
    if len(text.encode(errors="replace")) > MAX_BYTES:
        result.problems.append((1, "", f"the file has more than {MAX_BYTES // 1024} KiB; no profile needs that"))
        return result
    if text.lstrip().startswith("{"):
        # JSON may be indented by tabs, PyYAML takes none; inside of JSON's strings there are no bare ones (RFC 8259, 7)
        text = text.replace("\t", " ")
    loader = None
    try:
        loader = _Loader(text)
        _check_events(text, result)
        if not result.problems:
            node = loader.get_single_node()
            result.value = _Reader(loader, result).value(node, "") if node else None
            result.complete = True
    except yaml.YAMLError as error:
        result.problems.append(_syntax_problem(error))
    finally:
        if loader is not None:
            loader.dispose()
    return result


def child_path(path: str, key: object) -> str:
    """The path of a member: `steps` + 0 -> `steps[0]`, `steps[0]` + step -> `steps[0].step`."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else str(key)


def _check_events(text: str, result: YamlValues) -> None:
    """Refuse aliases (a few lines of them can mean gigabytes) and deep nesting before anything recursive sees them."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            result.problems.append((line, "", f"the alias *{event.anchor} is not allowed here; write the value out"))
            return
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            result.problems.append((line, "", f"values are nested more than {MAX_DEPTH} deep"))
            return


def _syntax_problem(error: yaml.YAMLError) -> tuple[int, str, str]:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = getattr(error, "problem", None) or str(error).splitlines()[0]
    return (mark.line + 1 if mark else 1, "", f"this is not valid YAML: {said}")


class _Reader:
    def __init__(self, loader: yaml.SafeLoader, result: YamlValues) -> None:
        self._loader = loader
        self._result = result

    def value(self, node: yaml.Node, path: str) -> Any:
        self._result.lines[path] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, child_path(path, index)) for index, child in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: str) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = self._scalar(key_node, path) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                self._problem(line, path, f"{_shown(key_node)} can't be a key; keys are text")
            elif key in made:
                first = self._result.lines[child_path(path, key)]
                self._problem(line, child_path(path, key), f"this key is here twice; the first one is in line {first}")
            else:
                made[key] = self.value(value_node, child_path(path, key))
                self._result.lines[child_path(path, key)] = line
        return made

    def _scalar(self, node: yaml.Node, path: str) -> Any:
        line = node.start_mark.line + 1
        try:
            value = self._loader.construct_object(node)
        except (yaml.YAMLError, ValueError, OverflowError):  # `!!int x`, `!what y`, 2026-13-45, 5,000 digits
            value = math.nan
        finite = not isinstance(value, float) or math.isfinite(value)
        if value is not None and not (isinstance(value, str | bool | int | float) and finite):
            self._problem(
                line, path, f"{_shown(node)} is neither text, a number, true, false nor null; quote it if it is text"
            )
            return None
        return value

    def _problem(self, line: int, path: str, sentence: str) -> None:
        self._result.problems.append((line, path, sentence))


def _shown(node: yaml.Node) -> str:
    return repr(node.value[:60]) if isinstance(node, yaml.ScalarNode) else "a list or mapping"
