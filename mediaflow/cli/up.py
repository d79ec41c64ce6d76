"""`mediaflow up`: everything on this machine, from one command, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mediaflow.client.output import json_option, print_json

if TYPE_CHECKING:
    from mediaflow.embedded.running import Running


@click.command()
@click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path), help="Where everything is kept.")
@click.option("--host", help="Address to serve at.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to serve at; 0 takes a free one.")
@click.option("--workers", type=click.IntRange(1, 64), help="Worker processes.")
@click.option(
    "--ingest", metavar="FILE", help="Send FILE when everything runs, and print where to watch; '' makes a short clip."
)
@click.option("--show-token", is_flag=True, help="Print an admin's API token where the output is no terminal, too.")
@json_option
def up(
    data_dir: Path | None,
    host: str | None,
    port: int | None,
    workers: int | None,
    ingest: str | None,
    show_token: bool,
    as_json: bool,
) -> None:
    """Run web server, workers, queue and metrics, and print where to sign in.

    All state is in the data directory. MEDIAFLOW_DATABASE_URL, MEDIAFLOW_REDIS_URL and MEDIAFLOW_STORAGE_URL replace
    the embedded parts one by one. What dies is started again. SIGTERM or Ctrl-C stops everything.
    """
    from mediaflow.embedded.running import run

    given = {
        "MEDIAFLOW_DATA_DIR": os.fspath(data_dir) if data_dir else None,
        "MEDIAFLOW_HOST": host,
        "MEDIAFLOW_PORT": None if port is None else str(port),
        "MEDIAFLOW_WORKER_PROCESSES": None if workers is None else str(workers),
    }
    environ = {**os.environ, **{name: value for name, value in given.items() if value is not None}}
    run(environ, announcer(as_json=as_json, show_token=show_token), ingest, quiet=as_json)


def announcer(*, as_json: bool, show_token: bool) -> Callable[[Running], None]:
    """Prints where everything is; an admin's token only to a terminal or who asks for it.

    What is no terminal is a log: whoever reads it would be the admin for a day.
    """
    return _announce_json if as_json else partial(_announce, with_token=show_token or sys.stdout.isatty())


def _announce_json(running: Running) -> None:
    print_json(_facts(running))


def _facts(running: Running) -> dict[str, Any]:
    return {
        "url": running.url,
        "token": running.token,
        "login_url": running.login_url,
        "metrics_url": running.metrics_url,
        "data_dir": os.fspath(running.data_dir),
    }


def _announce(running: Running, *, with_token: bool) -> None:
    rows = {
        "Sign in (works once)": running.login_url,
        "API token (24 hours)": running.token if with_token else None,
        "Metrics": running.metrics_url or "off",
        "Data": os.fspath(running.data_dir),
    }
    click.echo(f"\nmediaflow runs at {running.url}\n")
    for name, value in ((name, value) for name, value in rows.items() if value is not None):
        click.echo(f"  {name:<21} {value}")
    click.echo("\nCtrl-C stops it.\n")
