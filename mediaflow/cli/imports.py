"""`mediaflow import`: have a running mediaflow take folders, prefixes of storages, and files at addresses."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from mediaflow.client.output import complain, json_option, print_json

if TYPE_CHECKING:
    from mediaflow.client.api_client import ApiClient

ADDRESS: Final = ("http://", "https://")
VISIBILITIES: Final = ("private", "unlisted", "public")


@click.command("import")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("--recursive", is_flag=True, help="With the folders in it.")
@click.option("--link", is_flag=True, help="Leave the files where they are: they are read there, and never deleted.")
@click.option("--watch", is_flag=True, help="Go on looking until Ctrl-C; a file is taken when it has stopped growing.")
@click.option("--dry-run", is_flag=True, help="Only say what would be taken.")
@click.option("--owner", help="Whose the assets are; else the token's user.")
@click.option("--visibility", type=click.Choice(VISIBILITIES), help="Of what is taken; else private.")
@click.option("--tag", "tags", multiple=True, help="Of what is taken; may be repeated.")
@click.option("--profile", help="Profile to make; else mediaflow chooses.")
@click.option(
    "--url",
    envvar="MEDIAFLOW_URL",
    help="Where mediaflow runs; else MEDIAFLOW_URL, else the `up` of the data directory.",
)
@click.option("--token", envvar="MEDIAFLOW_TOKEN", help="API token; else MEDIAFLOW_TOKEN, else one from the local key.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Data directory of the `mediaflow up` to use.")
@json_option
def import_(
    paths: tuple[str, ...], url: str | None, token: str | None, data_dir: Path | None, as_json: bool, **options: Any
) -> int:
    """Take what lies at each PATH of the machine where mediaflow runs: a folder, a file, the URL of a storage with a
    prefix (s3:https://host/bucket?prefix=films), or an address (https://...).

    Beside film.mp4, film.json says its title, description and tags, film.vtt, film.de.vtt or film.srt are captions, and
    film.jpg is its picture.
    Files that were taken before are left alone: the same command goes on where the last one was stopped.
    """
    from mediaflow.cli.main import EXIT_DONE, EXIT_FAILED
    from mediaflow.client.api_client import ApiClient
    from mediaflow.client.importing import followed
    from mediaflow.embedded.local_access import find_service

    service = find_service(os.environ, data_dir, url, token)
    with ApiClient(service.url, service.token) as client:
        asked = [_begun(client, path, options) for path in paths]
        ended = followed(client, asked, forever=options["watch"])
    for each in ended:
        _report(each, as_json)
    return EXIT_FAILED if any(_has_failed(each) for each in ended) else EXIT_DONE


def _has_failed(done: dict[str, Any]) -> bool:
    return done["state"] == "failed" or bool(done["counts"] and done["counts"]["failed"])


def _begun(client: ApiClient, path: str, options: dict[str, Any]) -> dict[str, Any]:
    metadata = {"visibility": options["visibility"], "tags": list(options["tags"])}
    body: dict[str, Any] = {"metadata": {name: value for name, value in metadata.items() if value}}
    body |= {name: options[name] for name in ("profile",) if options[name]}
    if path.startswith(ADDRESS):
        body["url"] = path
    else:
        body["folder"] = path if _is_storage(path) else os.fspath(Path(path).absolute())
        names = ("recursive", "link", "watch", "dry_run", "owner")
        body |= {name: options[name] for name in names if options[name]}
    begun: dict[str, Any] = client.call("POST", "/imports", json=body)
    return begun


def _is_storage(path: str) -> bool:
    scheme, colon, _ = path.partition(":")
    return bool(colon) and scheme.isalnum() and not Path(path).exists()


def _report(done: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(done)
        return
    for note in done["notes"]:
        click.echo(f"{note['kind'].replace('_', ' ')}: {note['name']}: {note['detail']}", err=True)
    if done["notes_left_out"]:
        click.echo(f"... and {done['notes_left_out']} more", err=True)
    if done["error"] is not None:
        complain(done["error"]["detail"])
    click.echo(summary(done))


def summary(done: dict[str, Any]) -> str:
    """An import in one line."""
    place = done["folder"] or done["url"]
    if done["counts"] is None:
        return f"{place}: {done['state']}, asset {done['asset_id']}"
    counts = {name: number for name, number in done["counts"].items() if number or name in ("found", "taken")}
    said = ", ".join(f"{number:,} {name}" for name, number in counts.items())
    return f"{place}: {said}"
