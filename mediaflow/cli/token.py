"""`mediaflow token`: make an API token with the configured key."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

import click

from mediaflow.cli.ranges import Numbers
from mediaflow.client.output import complain, json_option, print_json
from mediaflow.services.access.principals import SCOPES

MAX_HOURS: Final = 10 * 366 * 24
USUAL_HOURS: Final = 24
_SPAN: Final = re.compile(r"([0-9]{1,9})([smhd])", re.ASCII)
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Lifetime(click.ParamType[int]):
    """How many seconds from now: a span, or a time with its offset from UTC."""

    name = "SPAN|TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        seconds = _seconds(value)
        if seconds is None:
            self.fail(f"{value!r} is neither a span (90m, 12h, 30d) nor a time (2026-12-31T00:00:00Z)", param, ctx)
        if not 0 < seconds <= MAX_HOURS * 3600:
            self.fail(f"{value!r} is not within the next {MAX_HOURS // 24} days", param, ctx)
        return seconds


@click.command()
@click.option("--user", required=True, help="Whom the token stands for: the owner of what is uploaded with it.")
@click.option("--role", type=click.Choice(["user", "admin"]), default="user", show_default=True)
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    help="What it opens; can be given several times. Everything when left out.",
)
@click.option("--expires", type=Lifetime(), help="When it ends: 90m, 12h, 30d, or a time with its offset.")
@click.option(
    "--hours",
    type=Numbers(min=0, max=MAX_HOURS, min_open=True),
    help=f"The same in hours.  [default: {USUAL_HOURS}]",
)
@click.option("--older-name", is_flag=True, help="Write the name as it is: one that `mediaflow doctor` says is odd.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Data directory whose key signs it.")
@json_option
def token(
    user: str,
    role: Literal["user", "admin"],
    scopes: tuple[str, ...],
    expires: int | None,
    hours: float | None,
    older_name: bool,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Make an API token, signed with MEDIAFLOW_JWT_KEY or the data directory's key."""
    from mediaflow import registry
    from mediaflow.embedded.known_users import name_for_token
    from mediaflow.embedded.local_access import mint, with_data_dir
    from mediaflow.plugin import Unavailable
    from mediaflow.services.access.names import local_name

    if expires is not None and hours is not None:
        raise click.UsageError("--expires and --hours say the same; give one of them")
    seconds = expires or max(1, round((hours or USUAL_HOURS) * 3600))
    settings, _ = registry.load(with_data_dir(os.environ, data_dir))
    try:
        name = name_for_token(settings, user, older=older_name)
    except Unavailable as error:
        complain(f"whether {user!r} is somebody can't be told: {error.detail}")
        name = user if older_name else local_name(user)
    if name != user:
        complain(f"{user!r} is written {name!r}; where an older version knew {user!r} as somebody else: --older-name")
    user = name
    made = mint(settings, user, role, seconds, scopes or None, older=older_name)
    if as_json:
        opens = [scope for scope in SCOPES if not scopes or scope in scopes]
        print_json({"token": made, "user": user, "role": role, "scopes": opens, "expires_in_seconds": seconds})
    else:
        click.echo(made)


def _seconds(text: str) -> int | None:
    if match := _SPAN.fullmatch(text):
        return int(match[1]) * _UNITS[match[2]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    # without an offset it would mean another time on each machine
    return None if moment.tzinfo is None else (moment - datetime.now(UTC)) // timedelta(seconds=1)
