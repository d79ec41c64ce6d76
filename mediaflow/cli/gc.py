"""`mediaflow gc`: one pass that removes what nothing names, beside a working service."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mediaflow.cli.operator_context import opened_runtime
from mediaflow.client.output import json_option

if TYPE_CHECKING:
    from mediaflow.services.integrity.collector import Done


@click.command()
@click.option("--dry-run", is_flag=True, help="Change nothing; show what a pass would do.")
@click.option(
    "--wait",
    type=click.IntRange(min=60),
    help="Seconds between finding something and removing it; else MEDIAFLOW_GC_WAIT_SECONDS.",
)
@click.option("--data-dir", type=click.Path(path_type=Path), help="Data directory to look at.")
@json_option
def gc(dry_run: bool, wait: int | None, data_dir: Path | None, as_json: bool) -> None:
    """Find what nothing names, and remove what an earlier pass has found and nothing names still.

    Workers do the same by themselves, every MEDIAFLOW_GC_SECONDS.
    """
    with opened_runtime(data_dir) as runtime:
        tally = _Tally(as_json, dry_run)
        tally.begin()
        for done in runtime.collector(wait).passing(dry=dry_run):
            if done is not None:
                tally.tell(done)
        tally.end(len(runtime.work.remove_dead(dry=dry_run)))


@dataclass(slots=True)
class _Tally:
    """Tells each place at once and keeps none."""

    as_json: bool
    dry: bool
    places: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("removed", "found", "young"), 0))
    bytes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("removed", "found", "young"), 0))
    told: int = 0

    def begin(self) -> None:
        if self.as_json:
            click.echo('{"places": [', nl=False)

    def tell(self, done: Done) -> None:
        place = done.place
        self.places[done.what] += 1
        self.bytes[done.what] += place.size_bytes
        if self.as_json:
            facts = {"what": done.what, "place": place.place, "objects": place.count, "bytes": place.size_bytes}
            click.echo((", " if self.told else "") + json.dumps(facts), nl=False)
        elif done.what != "young":
            said = {"removed": self._removed, "found": "found"}[done.what]
            click.echo(f"{said} {place.place}: {place.count}, {place.size_bytes} bytes")
        self.told += 1

    def end(self, dead: int) -> None:
        facts: dict[str, Any] = {"dry_run": self.dry, "dead_work_directories": dead}
        for what in self.places:
            facts |= {what: self.places[what], f"{what}_bytes": self.bytes[what]}
        if self.as_json:
            click.echo("], " + json.dumps(facts)[1:])
            return
        counts = f"{self.places['removed']} places of {self.bytes['removed']} bytes"
        later = f"{self.places['found']} of {self.bytes['found']} bytes"
        click.echo(
            f"{self._removed}: {counts}, {dead} work directories of dead processes; for a later pass: {later};"
            f" too young: {self.places['young']}"
        )

    @property
    def _removed(self) -> str:
        return "would be removed" if self.dry else "removed"
