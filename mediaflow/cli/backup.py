"""`mediaflow backup` and `mediaflow restore`."""

from __future__ import annotations

import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mediaflow.cli.operator_context import opened_runtime
from mediaflow.client.output import json_option, print_json

if TYPE_CHECKING:
    from mediaflow.embedded.backups import BackupFacts

_data_dir = click.option("--data-dir", type=click.Path(path_type=Path), help="Data directory of the installation.")


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--objects", is_flag=True, help="Objects too: as hard links where that can be, else as copies.")
@_data_dir
@json_option
def backup(directory: Path, objects: bool, data_dir: Path | None, as_json: bool) -> None:
    """Copy all documents of this moment, with the list of the objects that belong to them, into an empty DIRECTORY.

    The service may run. The backup holds the key that signs tokens: keep it as you keep the data directory.
    """
    from mediaflow.embedded.backups import back_up

    with opened_runtime(data_dir) as runtime:
        facts = back_up(runtime, directory, with_objects=objects)
    _tell(facts, f"{directory} holds", as_json=as_json)


@click.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@_data_dir
@json_option
def restore(directory: Path, data_dir: Path | None, as_json: bool) -> None:
    """Restore the backup in DIRECTORY into an empty data directory, its objects, if it has them, into the storage.

    `mediaflow fsck` says afterwards which objects are missing.
    """
    from mediaflow import registry
    from mediaflow.embedded.backups import restore as put_back
    from mediaflow.embedded.local_access import with_data_dir
    from mediaflow.runtime import storage_url

    settings, plugins = registry.load(with_data_dir(os.environ, data_dir))
    facts = put_back(directory, settings, plugins.open_storage(storage_url(settings), settings))
    _tell(facts, f"{settings.data_path} holds", as_json=as_json)


def _tell(facts: BackupFacts, begin: str, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(facts))
        return
    when = datetime.fromtimestamp(facts.at, UTC).isoformat(timespec="seconds")
    where = "copied with them" if facts.copied else "not copied: keep the storage, or copy what objects.jsonl lists"
    click.echo(f"{begin} {facts.assets} assets as of {when}; {facts.objects} objects of {facts.bytes} bytes, {where}")
