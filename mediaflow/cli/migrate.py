"""`mediaflow migrate`: the end of an upgrade, when no older version runs any more."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from mediaflow.cli.operator_context import opened_runtime
from mediaflow.client.output import json_option, print_json


@click.command()
@click.option("--dry-run", is_flag=True, help="Change no document; show how many are of an older schema.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Data directory to look at.")
@json_option
def migrate(dry_run: bool, data_dir: Path | None, as_json: bool) -> int:
    """Bring the documents of older versions to the newest shape, beside a working service.

    To be run when web and workers are all of this version: older ones refuse what it has written. Killed or repeated,
    it does what is left. Exit code 1 when something was left because it kept changing.
    """
    from mediaflow.cli.main import EXIT_DONE, EXIT_FAILED
    from mediaflow.domain.records import SCHEMA_VERSION
    from mediaflow.services.integrity.migration import Migration

    counts: dict[str, int] = {}
    left: dict[str, int] = {}
    with opened_runtime(data_dir) as runtime:
        migration = Migration(runtime.database)
        if dry_run:
            counts = migration.waiting()
        else:
            with _progress() as told:
                for brought in migration.run():
                    counts[brought.kind], left[brought.kind] = brought.documents, brought.left
                    told(f"{brought.documents} {brought.kind}")
        kept = migration.kept()
    stayed = sum(left.values())
    if as_json:
        facts = {"schema": SCHEMA_VERSION, "dry_run": dry_run, "documents": counts, "kept": kept, "left": stayed}
        print_json(facts)
    else:
        click.echo(_said(counts, SCHEMA_VERSION, dry_run=dry_run))
        if kept:
            click.echo(
                f"{kept} sessions and API keys stay as they are: nobody can tell of which issuer their makers are"
            )
        if stayed:
            click.echo(f"{stayed} kept changing and were left: run it again")
    return EXIT_FAILED if stayed else EXIT_DONE


def _said(counts: dict[str, int], schema: int, *, dry_run: bool) -> str:
    listed = ", ".join(f"{kind}: {count}" for kind, count in counts.items() if count)
    if not listed:
        return f"all documents are of schema {schema}"
    return f"{'would be brought' if dry_run else 'brought'} to schema {schema}: {listed}"


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """What was done of a kind, on one line of a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from mediaflow.client.output import console

    with console(stderr=True).status("looking") as status:
        yield status.update
