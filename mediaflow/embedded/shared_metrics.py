"""The metrics of all processes of a `mediaflow up`, served by `up` itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry

from mediaflow.client.output import complain
from mediaflow.embedded.addresses import base_url
from mediaflow.embedded.datadir import DataDirectory
from mediaflow.observability.metrics import MULTIPROCESS_VARIABLE
from mediaflow.observability.metrics_server import MetricsServer, metrics_address, serve_metrics
from mediaflow.observability.queue_metrics import QueueCollector
from mediaflow.plugin import ConfigurationError
from mediaflow.runtime.depths import DepthLook
from mediaflow.settings import Settings


@contextmanager
def served_metrics(settings: Settings, directory: DataDirectory) -> Iterator[str | None]:
    """Serve what the processes leave in the directory while the block runs; the URL, or None for `off`.

    Here and not in a program of its own, so that the port is ours from the moment when it is chosen.
    """
    os.environ[MULTIPROCESS_VARIABLE] = os.fspath(directory.metrics)
    address = metrics_address(settings.metrics_bind)
    look = DepthLook(settings)
    server = _started(settings, QueueCollector(look))
    try:
        yield f"{base_url(address[0], server.port)}/metrics" if address and server else None
    finally:
        if server:
            server.close()
        look.close()


def _started(settings: Settings, queue: QueueCollector) -> MetricsServer | None:
    # we count nothing ourselves
    own = CollectorRegistry()
    try:
        return serve_metrics(settings.metrics_bind, own, queue)
    except ConfigurationError:
        if "metrics_bind" in settings.from_environment:
            raise
        # the usual port, which nobody asked for: likely another `mediaflow up`
        complain(f"{settings.metrics_bind} is taken by another program, so the metrics are at a free port")
        return serve_metrics("127.0.0.1:0", own, queue)
