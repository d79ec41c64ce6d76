"""`mediaflow worker`: workers alone, for a queue that is somewhere else."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dramatiq.brokers.redis import RedisBroker


@click.command()
@click.option("--processes", type=click.IntRange(1, 64), help="Worker processes; else MEDIAFLOW_WORKER_PROCESSES.")
@click.option("--threads", type=click.IntRange(1, 256), help="Threads of each; else MEDIAFLOW_WORKER_THREADS.")
@click.option(
    "--drain-seconds",
    type=click.IntRange(0, 86_400),
    default=600,
    show_default=True,
    help="How long what runs may go on after SIGUSR1.",
)
def worker(processes: int | None, threads: int | None, drain_seconds: int) -> int:
    """Run workers on the queue of MEDIAFLOW_REDIS_URL, as `dramatiq mediaflow.worker` does.

    A worker process that dies is started again at once. SIGTERM gives what runs back to others; SIGUSR1 claims nothing
    new and ends when what runs is done, or gives it back when that takes too long.
    """
    from mediaflow import registry
    from mediaflow.cli.main import EXIT_DONE, EXIT_FAILED
    from mediaflow.embedded.checks import check_worker
    from mediaflow.embedded.crew import Crew
    from mediaflow.observability.logging import configure_logging
    from mediaflow.queue.working import work_until_told
    from mediaflow.runtime import work_root

    if threads:
        os.environ["MEDIAFLOW_WORKER_THREADS"] = str(threads)
    if processes:
        # the worker processes read it too: they share this machine's cores
        os.environ["MEDIAFLOW_WORKER_PROCESSES"] = str(processes)
    settings, plugins = registry.load(os.environ)
    _check_queue(settings.redis_url)
    check_worker(settings, plugins)
    configure_logging(settings, plugins.setting_specs)
    crew = Crew(settings.worker_processes, partial(work_until_told, _broker, drain_seconds), work_root(settings))
    return EXIT_DONE if crew.run() == 0 else EXIT_FAILED


def _broker() -> RedisBroker:
    """The broker of this process, made where it is used: nothing of it would survive a fork."""
    from mediaflow.worker import broker

    return broker


def _check_queue(redis_url: str) -> None:
    from mediaflow.plugin import ConfigurationError

    if not redis_url:
        raise ConfigurationError(
            "MEDIAFLOW_REDIS_URL is not set, and without a queue workers hear of nothing; "
            "name a Redis (redis://host:6379/0), or run `mediaflow up`, which brings its own"
        )
