"""How commands speak: sentences for people on stderr, results on stdout, one JSON document with `--json`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

PREFIX: Final = "mediaflow: "
"""Begins every sentence that explains why a command ended. `mediaflow up` looks for it in what its children say."""
PIPE_COLUMNS: Final = 250


def complain(sentence: str) -> None:
    """Write a sentence for people to stderr."""
    click.echo(PREFIX + sentence, err=True)


def explained(detail: str, places: Iterable[tuple[str | None, str]]) -> str:
    """One sentence of an error and of what is wrong at each place (a JSON pointer, or None)."""
    named = [(place.strip("/"), what) if place else ("", what) for place, what in places]
    if not named:
        return detail
    wrong = "; ".join(f"{place}: {what}" if place else what for place, what in named)
    if all(what in detail for _, what in named) and detail not in (what for _, what in named):
        return detail  # it says everything already
    # an error with one problem often says nothing else
    return wrong if detail in (what for _, what in named) else f"{detail.rstrip('.')}: {wrong}"


def print_json(value: Any) -> None:
    """Write one JSON document on one line to stdout, at once."""
    click.echo(json.dumps(value, ensure_ascii=False, default=str))


def console(*, stderr: bool = False) -> Console:
    """A console as wide as the terminal; wide enough to wrap little when it is none."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, highlight=False, width=None if stream.isatty() else PIPE_COLUMNS)


def table(*columns: str) -> Table:
    """A plain table with these columns."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    made = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for number, column in enumerate(columns):
        # the first column is the name that people copy
        made.add_column(column, overflow="fold", no_wrap=number == 0)
    return made


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
