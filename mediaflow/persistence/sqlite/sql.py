"""Bits of SQL. Names come from dataclasses, values are bound or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from mediaflow.persistence.fields import Field


def dumped(value: Any) -> str:
    """JSON text as it is kept. Short, and NaN is an error."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def quoted(name: str) -> str:
    """A name that came from a dataclass, as SQL (`index` is a keyword)."""
    return f'"{name}"'


def listed(names: Iterable[str], prefix: str = "") -> str:
    """Names with commas, each after the prefix (`new.`)."""
    return ", ".join(f"{prefix}{quoted(name)}" for name in names)


def index_key(key: str) -> str:
    """One column of an index, named as a sort does."""
    return f"{quoted(key.removeprefix('-'))} {'DESC' if key.startswith('-') else 'ASC'}"


def ordered(keys: Iterable[tuple[Field, bool]]) -> str:
    """`ORDER BY`, or nothing."""
    order = ", ".join(f"{quoted(field.name)} {'DESC' if descends else 'ASC'}" for field, descends in keys)
    return f" ORDER BY {order}" if order else ""
