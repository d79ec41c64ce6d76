"""Progress: bars on stderr, which stay silent on anything but a terminal, or a line for each tenth, for logs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mediaflow.client.output import console

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import ProgressColumn


def tenths(label: str, total: float, say: Callable[[str], None]) -> Callable[[float], None]:
    """A function that hears how much of the total is done, and says so each time when another tenth is."""
    told = -1

    def heard(done: float) -> None:
        nonlocal told
        tenth = int(10 * min(1.0, done / total)) if total else 10
        if tenth > told:  # what is sent once more is told once
            told = tenth
            say(f"{label}: {10 * tenth} %")

    return heard


@contextmanager
def byte_bar(label: str, total_bytes: int, on: Console | None = None) -> Iterator[Callable[[int], None]]:
    """A bar of bytes with speed and time left; the function adds bytes."""
    from rich.progress import DownloadColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with _bar(label, float(total_bytes), columns, on) as (_, advance):
        yield advance


@contextmanager
def share_bar(label: str, on: Console | None = None) -> Iterator[Callable[[float], None]]:
    """A bar of a share of the work with time spent; the function sets the share, 0.0-1.0."""
    from rich.progress import TaskProgressColumn, TimeElapsedColumn

    with _bar(label, 1.0, (TaskProgressColumn(), TimeElapsedColumn()), on) as (complete, _):
        yield complete


@contextmanager
def count_bar(label: str) -> Iterator[Callable[[str], None]]:
    """A line without an end that anybody knows; the function says how far it is, in words."""
    from rich.markup import escape
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    to = console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=to, disable=not to.is_terminal) as bar:
        task = bar.add_task(escape(label), total=None)
        yield lambda words: bar.update(task, description=escape(f"{label}: {words}"))


@contextmanager
def _bar(
    label: str, total: float, columns: tuple[ProgressColumn, ...], on: Console | None
) -> Iterator[tuple[Callable[[float], None], Callable[[float], None]]]:
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn

    to = on or console(stderr=True)
    with Progress(
        TextColumn("{task.description}"), BarColumn(), *columns, console=to, disable=not to.is_terminal
    ) as bar:
        task = bar.add_task(escape(label), total=total)
        yield (lambda value: bar.update(task, completed=value)), (lambda value: bar.advance(task, value))
