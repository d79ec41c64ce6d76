"""`mediaflow serve`: the web server alone."""

from __future__ import annotations

import os

import click


@click.command()
@click.option("--host", help="Address to serve at; else MEDIAFLOW_HOST.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to serve at; else MEDIAFLOW_PORT.")
def serve(host: str | None, port: int | None) -> int:
    """Run the web server, as `gunicorn -c gunicorn.conf.py wsgi:app` does. It needs MEDIAFLOW_REDIS_URL."""
    from mediaflow import registry
    from mediaflow.embedded.checks import check_hosts
    from mediaflow.serving import run as serve_until_stopped

    given = {"MEDIAFLOW_HOST": host, "MEDIAFLOW_PORT": None if port is None else str(port)}
    os.environ.update({name: value for name, value in given.items() if value is not None})
    settings, plugins = registry.load(os.environ)
    check_hosts(settings, plugins)
    return serve_until_stopped(settings)
