"""gunicorn's hooks, in the order in which they are called: logs, shared metrics, the end of the application.

Nothing here may import prometheus_client before `share_metrics` has run: it decides at import whether processes share.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from typing import Any, Final

from mediaflow import registry
from mediaflow.domain.errors import MediaflowError
from mediaflow.observability.logging import configure_logging
from mediaflow.sandbox.kernel import die_with
from mediaflow.serving.limits import raise_descriptors
from mediaflow.settings import Settings

SHARED_METRICS: Final = "PROMETHEUS_MULTIPROC_DIR"
CLOSE: Final = "mediaflow.close"
"""Where an application keeps the function that gives everything back (`app.extensions`)."""


def on_starting(server: Any) -> None:
    """In the first process, before anything is bound."""
    settings, plugins = registry.load(os.environ)
    configure_logging(settings, plugins.setting_specs)
    raise_descriptors()
    server.mediaflow_metrics = _share_metrics(settings)


def _share_metrics(settings: Settings) -> str | None:
    """A directory in which our processes share their metrics; None when that is somebody else's business.

    Where the variable is set already, whoever set it (`mediaflow up`) collects from more programs than this one.
    """
    if SHARED_METRICS in os.environ or settings.metrics_bind == "off":
        return None
    os.environ[SHARED_METRICS] = tempfile.mkdtemp(prefix="mediaflow-metrics-")
    return os.environ[SHARED_METRICS]


def when_ready(server: Any) -> None:
    """In the first process, before the workers are made: the metrics of all of them."""
    if server.mediaflow_metrics is None:
        return
    from mediaflow.observability.metrics_server import serve_metrics
    from mediaflow.observability.queue_metrics import QueueCollector
    from mediaflow.runtime import make_metrics
    from mediaflow.runtime.depths import DepthLook

    settings, plugins = registry.load(os.environ)
    try:
        queue = QueueCollector(DepthLook(settings))  # connected by a scrape, apart from the workers' connections
        serve_metrics(settings.metrics_bind, make_metrics(plugins).registry, queue)
    except MediaflowError as error:
        server.log.error("%s", error.detail)  # noqa: TRY400 - the sentence says it all
        server.halt(reason="metrics", exit_status=1)


def post_fork(_server: Any, worker: Any) -> None:
    """In a new worker: it dies with the first process, however that dies. A worker without one would hold the port."""
    die_with(worker.ppid, signal.SIGKILL)


def worker_exit(_server: Any, worker: Any) -> None:
    """In a worker that ends: what the application holds is given back."""
    extensions = getattr(getattr(worker, "wsgi", None), "extensions", {})
    if CLOSE in extensions:
        extensions[CLOSE]()


def child_exit(server: Any, worker: Any) -> None:
    """In the first process, when a worker has ended."""
    if getattr(server, "mediaflow_metrics", None):
        from mediaflow.observability.metrics import mark_process_dead

        mark_process_dead(worker.pid)


def on_exit(server: Any) -> None:
    """In the first process, at its end."""
    if directory := getattr(server, "mediaflow_metrics", None):
        shutil.rmtree(directory, ignore_errors=True)
