"""`mediaflow token`: make an API token with the configured key."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import click

from mediaflow.cli.output import json_option, print_json

MAX_HOURS = 10 * 366 * 24


@click.command()
@click.option("--user", required=True, help="Whom the token stands for: the owner of what is uploaded with it.")
@click.option("--role", type=click.Choice(["user", "admin"]), default="user", show_default=True)
@click.option(
    "--hours",
    type=click.FloatRange(min=0, max=MAX_HOURS, min_open=True),
    default=24,
    show_default=True,
    help="How long it is valid.",
)
@click.option("--data-dir", type=click.Path(path_type=Path), help="Data directory whose key signs it.")
@json_option
def token(user: str, role: Literal["user", "admin"], hours: float, data_dir: Path | None, as_json: bool) -> None:
    """Make an API token, signed with MEDIAFLOW_JWT_KEY or the data directory's key."""
    from mediaflow import registry
    from mediaflow.cli.local_access import mint, with_data_dir

    settings, _ = registry.load(with_data_dir(os.environ, data_dir))
    made = mint(settings, user, role, max(1, round(hours * 3600)))
    if as_json:
        print_json({"token": made, "user": user, "role": role, "expires_in_seconds": max(1, round(hours * 3600))})
    else:
        click.echo(made)
