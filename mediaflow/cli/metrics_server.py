"""Serves the metrics of all processes of a `mediaflow up`: one of its programs."""

from __future__ import annotations

import os
import signal
import sys


def main() -> int:
    """Serve at MEDIAFLOW_METRICS_BIND until SIGTERM. Exit codes as of the `mediaflow` command."""
    from mediaflow import registry
    from mediaflow.cli.output import complain
    from mediaflow.observability.metrics_server import serve_metrics
    from mediaflow.plugin import MediaflowError
    from mediaflow.runtime import make_metrics

    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    try:
        settings, plugins = registry.load(os.environ)
        serve_metrics(settings.metrics_bind, make_metrics(plugins).registry)
    except MediaflowError as error:
        complain(error.detail)
        return 1
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    return 0


if __name__ == "__main__":
    sys.exit(main())
