"""`mediaflow worker`: workers alone, for a queue that is somewhere else."""

from __future__ import annotations

import os
from typing import Final

import click

STOP_MILLISECONDS: Final = 6000
"""Running tasks are given back within a second (`queue/middleware.py`); what hangs longer is left to its lease."""


@click.command()
@click.option("--processes", type=click.IntRange(1, 64), help="Worker processes; else MEDIAFLOW_WORKER_PROCESSES.")
@click.option("--threads", type=click.IntRange(1, 256), help="Threads of each; else MEDIAFLOW_WORKER_THREADS.")
def worker(processes: int | None, threads: int | None) -> int:
    """Run workers on the queue of MEDIAFLOW_REDIS_URL, as `dramatiq mediaflow.worker` does."""
    from mediaflow import registry
    from mediaflow.cli.main import EXIT_DONE, EXIT_FAILED
    from mediaflow.embedded.checks import check_worker
    from mediaflow.embedded.tether import tether_forks
    from mediaflow.observability.logging import configure_logging

    if threads:
        os.environ["MEDIAFLOW_WORKER_THREADS"] = str(threads)
    if processes:
        # the worker processes read it too: they share this machine's cores
        os.environ["MEDIAFLOW_WORKER_PROCESSES"] = str(processes)
    settings, plugins = registry.load(os.environ)
    _check_queue(settings.redis_url)
    check_worker(settings, plugins)
    configure_logging(settings, plugins.setting_specs)
    tether_forks()
    done = _run_dramatiq(settings.worker_processes)
    return EXIT_DONE if done == 0 else EXIT_FAILED


def _check_queue(redis_url: str) -> None:
    from mediaflow.plugin import ConfigurationError

    if not redis_url:
        raise ConfigurationError(
            "MEDIAFLOW_REDIS_URL is not set, and without a queue workers hear of nothing; "
            "name a Redis (redis://host:6379/0), or run `mediaflow up`, which brings its own"
        )


def _run_dramatiq(processes: int) -> int:
    from dramatiq import cli

    arguments = cli.make_argument_parser().parse_args(  # type: ignore[no-untyped-call]
        [
            "mediaflow.worker",
            *("--processes", str(processes)),
            *("--worker-shutdown-timeout", str(STOP_MILLISECONDS)),
            # ours are configured already
            "--skip-logging",
        ]
    )
    # its default puts the current directory before installed packages
    arguments.path = []
    code: int = cli.main(arguments)  # type: ignore[no-untyped-call]
    return code
