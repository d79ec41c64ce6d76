"""`mediaflow jobs`: what a running mediaflow works on; cancelled, repeated, paused."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from functools import update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar
from urllib.parse import urlencode

import click

from mediaflow.client.output import complain, console, json_option, print_json, table

if TYPE_CHECKING:
    from mediaflow.client.api_client import ApiClient

P = ParamSpec("P")
R = TypeVar("R")
LOOK_SECONDS: Final = 1.0
ENDED: Final = ("done", "failed", "cancelled")


@click.group()
def jobs() -> None:
    """Show and steer the work of a running mediaflow."""


def _on_a_service(command: Callable[Concatenate[ApiClient, P], R]) -> Callable[..., R]:
    """A command that is called with a client of the service that its options name."""

    @click.option("--url", envvar="MEDIAFLOW_URL", help="Where mediaflow runs; else the `up` of the data directory.")
    @click.option("--token", envvar="MEDIAFLOW_TOKEN", help="API token; else one from the local key.")
    @click.option("--data-dir", type=click.Path(path_type=Path), help="Data directory of the `mediaflow up` to use.")
    def called(url: str | None, token: str | None, data_dir: Path | None, *args: P.args, **kwargs: P.kwargs) -> R:
        from mediaflow.client.api_client import ApiClient
        from mediaflow.embedded.local_access import find_service

        service = find_service(os.environ, data_dir, url, token)
        with ApiClient(service.url, service.token) as client:
            return command(client, *args, **kwargs)

    return update_wrapper(called, command)


def _is_id(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    from mediaflow.domain.ids import is_id

    if value is not None and not is_id(value):
        raise click.BadParameter(f"{value!r} is no job's id: 32 digits 0-9 and a-f; `mediaflow jobs list` shows them")
    return value


_job = click.argument("job", callback=_is_id)


@jobs.command("list")
@click.option("--state", type=click.Choice(["pending", "running", "done", "failed", "cancelled"]), help="Only these.")
@click.option("--asset", help="Only the jobs of this asset.")
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True, help="How many, the newest first.")
@json_option
@_on_a_service
def list_jobs(client: ApiClient, state: str | None, asset: str | None, limit: int, as_json: bool) -> None:
    """List jobs, the newest first: one's own, an admin's token shows everybody's."""
    query = {"state": state, "asset_id": asset, "page_size": limit}
    page = client.call("GET", f"/jobs?{urlencode({k: v for k, v in query.items() if v is not None})}")
    if as_json:
        print_json(page)
        return
    rows = table("Job", "State", "Asset", "Owner", "Made", "Priority", "Error")
    for job in page["items"]:
        error = job["error"]["code"] if job["error"] else ""
        made, priority = job["created_at"][:19].replace("T", " "), str(job["priority"])
        rows.add_row(job["id"], job["state"], job["asset_id"], job["owner"], made, priority, error)
    console().print(rows)
    if page["total"] > len(page["items"]):
        complain(f"{page['total'] - len(page['items'])} more; --limit shows up to 100, --state and --asset fewer")
    _say_pause(page)


@jobs.command()
@_job
@json_option
@_on_a_service
def show(client: ApiClient, job: str, as_json: bool) -> None:
    """Show a job: its tasks over time, their attempts and errors."""
    document = client.call("GET", f"/jobs/{job}")
    if as_json:
        print_json(document)
    else:
        _print(document)


@jobs.command()
@_job
@_on_a_service
def cancel(client: ApiClient, job: str) -> None:
    """Cancel a job. Nothing of it is published any more; what was published before stays."""
    _print(client.call("POST", f"/jobs/{job}/cancel"))


@jobs.command()
@click.argument("job", required=False, callback=_is_id)
@click.option("--failed-with", "code", help="Repeat all that failed with this code, such as job.poison.")
@click.option("--since", help="Of those only such as were made then or later (RFC 3339).")
@click.option("--owner", help="Of those only this user's; for admins.")
@json_option
@_on_a_service
def retry(
    client: ApiClient, job: str | None, code: str | None, since: str | None, owner: str | None, as_json: bool
) -> int:
    """Repeat a JOB that failed or was cancelled, or all that failed with one code."""
    from mediaflow.cli.main import EXIT_DONE, EXIT_FAILED

    if (job is None) == (code is None):
        raise click.UsageError("name a JOB, or the code of what failed with --failed-with")
    if job is not None:
        begun = client.call("POST", f"/jobs/{job}/retry")
        print_json(begun) if as_json else click.echo(begun["id"])
        return EXIT_DONE
    wish = {"code": code, "since": since, "owner": owner}
    begun, refused = _retry_all(client, {name: value for name, value in wish.items() if value is not None})
    if as_json:
        print_json({"jobs": begun, "refused": refused})
    else:
        for each in begun:
            click.echo(f"{each['id']} repeats {each['retry_of']}")
        for each in refused:
            complain(f"{each['id']} is not repeated: {each['error']['detail']}")
        click.echo(f"{len(begun)} jobs repeated", err=True)
    return EXIT_FAILED if refused else EXIT_DONE


def _retry_all(client: ApiClient, wish: dict[str, str]) -> tuple[list[Any], list[Any]]:
    """Ask until nothing is left that was not looked at, or nothing moves any more."""
    begun, refused = list[Any](), list[Any]()
    while True:
        answer = client.call("POST", "/jobs/retry", json=wish)
        begun, refused = [*begun, *answer["jobs"]], [*refused, *answer["refused"]]
        if not answer["more"] or (answer["since"] == wish.get("since") and not answer["jobs"]):
            return begun, refused
        wish = {**wish, "since": answer["since"]}


@jobs.command()
@click.option("--reason", help="Told to whoever asks why nothing is done.")
@_on_a_service
def pause(client: ApiClient, reason: str | None) -> None:
    """Begin nothing new, on any worker, until `resume`. What runs is done; uploads are taken."""
    queue = client.call("POST", "/queue/pause", json={"reason": reason} if reason else {})
    click.echo(f"paused; {queue['running']} tasks run on, {queue['waiting']} wait")


@jobs.command()
@_on_a_service
def resume(client: ApiClient) -> None:
    """Go on after `pause`."""
    queue = client.call("POST", "/queue/resume")
    click.echo(f"resumed; {queue['waiting']} tasks wait")


@jobs.command()
@_job
@_on_a_service
def follow(client: ApiClient, job: str) -> int:
    """Follow a job until it ends, a line for each task that does: exit code 0 when the job is done, else 1."""
    from mediaflow.cli.main import EXIT_DONE, EXIT_FAILED
    from mediaflow.client.progress import share_bar

    known: dict[str, str] = {}
    with share_bar("Working") as progress:
        while True:
            document = client.call("GET", f"/jobs/{job}")
            for task in document["tasks"]:
                if known.get(task["id"]) != task["state"] != "pending":
                    click.echo(f"{task['name']}: {task['state']}{_why(task)}")
                known[task["id"]] = task["state"]
            progress(_share(document))
            if document["state"] in ENDED:
                break
            client.pause(LOOK_SECONDS)
    click.echo(f"{document['state']}{_why(document)}")
    return EXIT_DONE if document["state"] == "done" else EXIT_FAILED


def _share(job: Mapping[str, Any]) -> float:
    shares = [1.0 if task["state"] in ENDED else task["progress"] for task in job["tasks"]]
    return sum(shares) / len(shares) if shares else 0.0


def _why(failed: Mapping[str, Any]) -> str:
    return f" ({failed['error']['detail']})" if failed["error"] and failed["state"] != "done" else ""


def _say_pause(page: Mapping[str, Any]) -> None:
    if page["paused"] is not None:
        why = f": {page['paused']['reason']}" if page["paused"]["reason"] else ""
        complain(f"the queue is paused, nothing new is begun{why}")


def _print(job: Mapping[str, Any]) -> None:
    from mediaflow.client.gantt import drawn

    click.echo(f"{job['kind']} job {job['id']} of {job['owner']}: {job['state']}{_why(job)}")
    about = {"asset": job["asset_id"], "profile": job["profile"], "generation": job["generation"]}
    click.echo(", ".join(f"{name} {value}" for name, value in about.items() if value is not None))
    if job["tasks"]:
        click.echo("\n".join(["", *drawn(job, time.time())]))
