"""`mediaflow upload`: send a file to a running mediaflow."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mediaflow.cli.output import json_option, print_json

if TYPE_CHECKING:
    from mediaflow.cli.client import ApiClient
    from mediaflow.cli.sending import Wishes


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
@click.option("--title", help="Title of the asset; else the file's name.")
@click.option("--wait", is_flag=True, help="Wait until it is ready or failed, and print it.")
@json_option
def upload(
    file: Path,
    url: str | None,
    token: str | None,
    data_dir: Path | None,
    profile: str | None,
    title: str | None,
    wait: bool,
    as_json: bool,
) -> int:
    """Send FILE to a running mediaflow, and print its asset's id."""
    from mediaflow.cli.client import ApiClient
    from mediaflow.cli.local_access import find_service
    from mediaflow.cli.sending import Wishes

    service = find_service(os.environ, data_dir, url, token)
    with ApiClient(service.url, service.token) as client:
        asset = ingest(client, file, Wishes(profile, title), wait=wait)
    return _report(asset, as_json)


def ingest(client: ApiClient, file: Path, wishes: Wishes, *, wait: bool, bars_on: Any = None) -> dict[str, Any]:
    """Send a file with a bar, and wait with another; the asset, or `{"id": ...}` when not waited for."""
    from mediaflow.cli.progress import byte_bar, share_bar
    from mediaflow.cli.sending import send_file, wait_for_asset

    size = file.stat().st_size if file.is_file() else 0
    with byte_bar(f"Sending {file.name}", size, bars_on) as sent:
        asset_id = send_file(client, file, wishes, sent)
    if not wait:
        return {"id": asset_id}
    with share_bar("Processing", bars_on) as done:
        return wait_for_asset(client, asset_id, done)


def _report(asset: dict[str, Any], as_json: bool) -> int:
    from mediaflow.cli.main import EXIT_DONE, EXIT_FAILED
    from mediaflow.cli.output import complain

    failed = asset.get("state") in ("failed", "rejected")
    if as_json:
        print_json(asset)
    elif not failed:
        click.echo(asset["id"] if "state" not in asset else described(asset))
    if failed:
        complain(failure(asset))
    return EXIT_FAILED if failed else EXIT_DONE


def failure(asset: dict[str, Any]) -> str:
    """Why an asset did not become ready, in one sentence."""
    error = asset.get("error") or {}
    return f"{asset.get('filename') or asset['id']} is {asset['state']}: {error.get('detail', 'no reason is known')}"


def described(asset: dict[str, Any]) -> str:
    """A ready asset in one line."""
    renditions = ", ".join(str(rendition["name"]) for rendition in asset.get("renditions") or [])
    seconds = asset.get("duration_seconds")
    length = f", {seconds:.1f} s" if seconds else ""
    return f"{asset['id']} {asset['state']}: {asset.get('title') or ''}{length} ({renditions or 'audio only'})"
