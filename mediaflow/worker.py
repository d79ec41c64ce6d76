"""The Dramatiq entry point: `dramatiq mediaflow.worker`. Importing it builds the worker from the environment."""

from __future__ import annotations

import os
import sys

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from mediaflow import registry
from mediaflow.domain.errors import MediaflowError
from mediaflow.observability.logging import configure_logging
from mediaflow.queue.actors import declare_actors
from mediaflow.queue.broker import make_broker
from mediaflow.queue.middleware import WorkerLife
from mediaflow.queue.wakeups import DramatiqWakeups
from mediaflow.runtime import build_runtime, make_metrics
from mediaflow.runtime.confining import check_sandbox


def build_worker_broker(environ: dict[str, str]) -> RedisBroker:
    """A broker with all actors declared, over a runtime of this process."""
    settings, plugins = registry.load(environ)
    configure_logging(settings, plugins.setting_specs)
    check_sandbox(settings)
    life = WorkerLife()
    broker = make_broker(settings.redis_url, life)
    metrics = make_metrics(plugins)
    life.runtime = build_runtime(settings, plugins, metrics=metrics, wakeups=DramatiqWakeups(broker, metrics))
    life.runtime.start()
    declare_actors(broker, life.runtime)
    return broker


try:
    broker = build_worker_broker(dict(os.environ))
except MediaflowError as error:
    sys.exit(f"mediaflow worker: {error.detail}")
dramatiq.set_broker(broker)
