"""`mediaflow fsck`: whether documents and objects fit together, beside a working service."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mediaflow.cli.operator_context import opened_runtime
from mediaflow.cli.ranges import Numbers
from mediaflow.client.output import json_option

if TYPE_CHECKING:
    from mediaflow.services.integrity.findings import Finding
    from mediaflow.services.integrity.fsck import Fsck, Outcome


@click.command()
@click.option("--repair", is_flag=True, help="Do what can be done safely about each problem, and say so.")
@click.option("--deep", is_flag=True, help="Read and hash every original.")
@click.option(
    "--grace",
    type=Numbers(0, 3600),
    help="Seconds after which what looks wrong is looked at again.  [default: 3]",
)
@click.option("--data-dir", type=click.Path(path_type=Path), help="Data directory to look at.")
@json_option
def fsck(repair: bool, deep: bool, grace: float | None, data_dir: Path | None, as_json: bool) -> int:
    """Check every promise that documents and objects make; exit code 1 when one is broken (and not repaired).

    A note is no problem: it goes by itself, or `mediaflow gc` takes it away.
    """
    from mediaflow.cli.main import EXIT_DONE, EXIT_FAILED

    with opened_runtime(data_dir) as runtime, _counting() as told:
        check = runtime.fsck(deep=deep)
        check.told = told
        if grace is not None:
            check.grace_seconds = grace
        tally = _Tally(as_json)
        tally.begin()
        for finding in check.findings():
            tally.tell(finding, check.repair(finding) if repair and not finding.note else None)
        tally.end(check)
    return EXIT_FAILED if tally.problems else EXIT_DONE


@dataclass(slots=True)
class _Tally:
    """Tells each finding at once and keeps none: there may be a million."""

    as_json: bool
    codes: Counter[str] = field(default_factory=Counter)
    problems: int = 0
    repaired: int = 0
    notes: int = 0

    def begin(self) -> None:
        if self.as_json:
            click.echo('{"findings": [', nl=False)

    def tell(self, finding: Finding, outcome: Outcome | None) -> None:
        done = outcome is not None and outcome.done
        is_first = not self.codes
        self.codes[finding.code] += 1
        self.notes += finding.note
        self.repaired += done
        self.problems += not (finding.note or done)
        if self.as_json:
            click.echo(("" if is_first else ", ") + json.dumps(_document(finding, outcome)), nl=False)
        else:
            click.echo(_line(finding, outcome))

    def end(self, check: Fsck) -> None:
        facts: dict[str, Any] = {
            "clean": not self.problems,
            "problems": self.problems,
            "repaired": self.repaired,
            "notes": self.notes,
            "codes": dict(self.codes),
            "looked_at": dict(check.looked_at),
        }
        if self.as_json:
            click.echo("], " + json.dumps(facts)[1:])
            return
        counts = {"problems": self.problems, "repaired": self.repaired, "notes": self.notes}
        said = ", ".join(f"{name}: {count}" for name, count in counts.items() if count)
        looked = ", ".join(f"{kind}: {count}" for kind, count in check.looked_at.items() if count)
        click.echo(f"{said or 'clean'}; looked at {looked or 'nothing, there is nothing'}")


def _line(finding: Finding, outcome: Outcome | None) -> str:
    line = f"{'note: ' if finding.note else ''}{finding.code} {finding.subject}: {finding.detail}"
    if outcome is not None:
        return f"{line}; {'repaired' if outcome.done else 'not repaired'}: {outcome.detail}"
    if finding.note:
        return line
    return f"{line}; " + (f"--repair: {finding.remedy}" if finding.remedy else "--repair can do nothing about it")


def _document(finding: Finding, outcome: Outcome | None) -> dict[str, Any]:
    return {
        "code": finding.code,
        "subject": finding.subject,
        "detail": finding.detail,
        "remedy": finding.remedy,
        "note": finding.note,
        "repaired": None if outcome is None else outcome.done,
        "repair": None if outcome is None else outcome.detail,
    }


@contextmanager
def _counting() -> Iterator[Any]:
    """What is looked at, on one line of a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _kind, _count: None
        return
    from mediaflow.client.output import console

    with console(stderr=True).status("looking") as status:
        yield lambda kind, count: status.update(f"{count} {kind}")
