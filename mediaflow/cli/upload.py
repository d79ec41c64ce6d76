"""`mediaflow upload`: send a file to a running mediaflow."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from mediaflow.client.output import json_option, print_json


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--url",
    envvar="MEDIAFLOW_URL",
    help="Where mediaflow runs; else MEDIAFLOW_URL, else the `up` of the data directory.",
)
@click.option("--token", envvar="MEDIAFLOW_TOKEN", help="API token; else MEDIAFLOW_TOKEN, else one from the local key.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Data directory of the `mediaflow up` to use.")
@click.option("--profile", help="Profile to make; else mediaflow chooses.")
@click.option(
    "--rendition",
    "renditions",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Another size of the same film, made already; may be repeated. Nothing is encoded then.",
)
@click.option("--title", help="Title of the asset; else the file's name without its ending.")
@click.option("--wait", is_flag=True, help="Wait until it is ready or failed, and print it.")
@json_option
def upload(
    file: Path,
    url: str | None,
    token: str | None,
    data_dir: Path | None,
    profile: str | None,
    renditions: tuple[Path, ...],
    title: str | None,
    wait: bool,
    as_json: bool,
) -> int:
    """Send FILE to a running mediaflow, and print its asset's id."""
    from mediaflow.client.api_client import ApiClient
    from mediaflow.client.ingest import ingest
    from mediaflow.client.joining import PROFILE, joined
    from mediaflow.client.sending import Wishes
    from mediaflow.embedded.local_access import find_service

    service = find_service(os.environ, data_dir, url, token)
    whole = joined(file, renditions) if renditions else nullcontext(file)
    profile = profile or (PROFILE if renditions else None)
    with ApiClient(service.url, service.token) as client, whole as sent:
        asset = ingest(client, sent, Wishes(profile, title), wait=wait, on_playable=_plays)
    return _report(asset, as_json)


def _plays(asset: dict[str, Any]) -> None:
    click.echo(f"{asset['filename']} plays already; the rest of it is being made.", err=True)


def _report(asset: dict[str, Any], as_json: bool) -> int:
    from mediaflow.cli.main import EXIT_DONE, EXIT_FAILED
    from mediaflow.client.ingest import failure
    from mediaflow.client.output import complain

    failed = asset.get("state") in ("failed", "rejected")
    if as_json:
        print_json(asset)
    elif not failed:
        click.echo(asset["id"] if "state" not in asset else described(asset))
        for warning in (asset.get("media") or {}).get("warnings", []):
            click.echo(f"Warning: {warning}", err=True)
    if failed:
        complain(failure(asset))
    return EXIT_FAILED if failed else EXIT_DONE


def described(asset: dict[str, Any]) -> str:
    """A ready asset in one line."""
    renditions = ", ".join(str(rendition["name"]) for rendition in asset.get("renditions") or [])
    seconds = asset.get("duration_seconds")
    length = f", {seconds:.1f} s" if seconds else ""
    return f"{asset['id']} {asset['state']}: {asset.get('title') or ''}{length} ({renditions or 'audio only'})"
