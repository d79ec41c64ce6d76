"""`mediaflow transcode`: the whole pipeline in this process, without any server."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mediaflow.client.output import json_option, print_json

if TYPE_CHECKING:
    from mediaflow.runtime import Runtime
    from mediaflow.services.local_run import LocalWakeups

POLL_SECONDS = 1.0
"""How often the progress is looked at: with 0.3 s that, and hands that looked as often, took 2 % of both cores."""


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path))
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--profile", help="Profile to make; else mediaflow chooses.")
@json_option
def transcode(file: Path, out: Path, profile: str | None, as_json: bool) -> None:
    """Turn FILE into streams in the directory OUT: manifests, segments, images and asset.json."""
    from mediaflow.client.progress import share_bar
    from mediaflow.plugin import InvalidInput
    from mediaflow.services.local_run import transcode_file

    if out.exists() and any(out.iterdir()):
        raise InvalidInput(f"{out} is not empty; name a new directory, so that nothing of yours is mixed up with it")
    with _runtime(out) as (runtime, wakeups), share_bar(f"Transcoding {file.name}") as done, _reporting(runtime, done):
        asset = transcode_file(runtime, wakeups, file, out, profile=profile)
        done(1.0)
    if as_json:
        print_json({**asset, "directory": str(out.absolute())})
    else:
        click.echo("\n".join(_described(out, asset)))
        for warning in asset["warnings"]:
            click.echo(f"Warning: {warning}", err=True)


def _described(out: Path, asset: Mapping[str, Any]) -> list[str]:
    """A line for each manifest that plays, with the renditions; the directory where there is none."""
    names = ", ".join(str(rendition["name"]) for rendition in asset.get("renditions") or [])
    entries = [out / name for name in (asset.get("manifests") or {}).values()] or [out]
    return [f"{entry}: {names}" if names else str(entry) for entry in entries]


@contextmanager
def _runtime(out: Path) -> Iterator[tuple[Runtime, LocalWakeups]]:
    """A runtime of our own beside what will be made, so that it lies where there is room; gone afterwards."""
    from mediaflow import registry
    from mediaflow.observability.logging import configure_logging
    from mediaflow.plugin import InvalidInput
    from mediaflow.runtime import build_runtime, make_metrics
    from mediaflow.runtime.confining import check_sandbox
    from mediaflow.services.local_run import LocalWakeups

    try:
        out.mkdir(parents=True, exist_ok=True)
        directory = tempfile.TemporaryDirectory(prefix=".transcode-", dir=out)
    except OSError as error:
        raise InvalidInput(f"{out} can't be written to ({error.strerror}); name another directory") from error
    with directory as data_dir:
        settings, plugins = registry.load(_environment(os.environ, data_dir))
        configure_logging(settings)
        check_sandbox(settings)
        wakeups = LocalWakeups()
        runtime = build_runtime(settings, plugins, metrics=make_metrics(plugins), wakeups=wakeups)
        try:
            runtime.start()
            runtime.steps.prepare()
            yield runtime, wakeups
        finally:
            runtime.close()


def _environment(environ: Mapping[str, str], data_dir: str) -> dict[str, str]:
    """The settings of this user, less the backends: a local run touches nobody's service."""
    elsewhere = {"MEDIAFLOW_DATABASE_URL", "MEDIAFLOW_STORAGE_URL", "MEDIAFLOW_REDIS_URL", "MEDIAFLOW_WORK_DIR"}
    own = {
        "MEDIAFLOW_DATA_DIR": data_dir,
        "MEDIAFLOW_LOG_LEVEL": environ.get("MEDIAFLOW_LOG_LEVEL", "warning"),
        # whoever calls this wants the file done, whatever a server's reserve is
        "MEDIAFLOW_MIN_FREE_BYTES": "0",
    }
    return {name: value for name, value in environ.items() if name not in elsewhere} | own


@contextmanager
def _reporting(runtime: Runtime, report: Callable[[float], Any]) -> Iterator[None]:
    """Show the progress that the documents tell, until the block ends."""
    from mediaflow.services.local_run import local_progress

    ended = threading.Event()

    def look() -> None:
        while not ended.wait(POLL_SECONDS):
            report(local_progress(runtime))

    thread = threading.Thread(target=look, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
