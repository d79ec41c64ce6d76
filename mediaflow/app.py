"""The Flask application: resources, page and hooks around every request, over a runtime."""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack
from functools import partial
from typing import Final, cast

import structlog
from flask import Flask, Response, current_app, g, request
from flask_smorest import Blueprint as DocumentedBlueprint  # type: ignore[import-untyped]
from werkzeug.middleware.proxy_fix import ProxyFix

from mediaflow import registry
from mediaflow.api.http.auth import register_authentication
from mediaflow.api.http.awaiting import AskingAgain, is_waiting
from mediaflow.api.http.containment import Application
from mediaflow.api.http.context import BASE, caller_if_any, install, request_id
from mediaflow.api.http.context import runtime as current_runtime
from mediaflow.api.http.converters import register_converters
from mediaflow.api.http.errors import register_error_handlers
from mediaflow.api.http.headers import check_host, check_lengths, finish_headers
from mediaflow.api.http.idempotency import abandon, begin_once, finish_once
from mediaflow.api.http.limiting import limit_requests, with_limits
from mediaflow.api.resources import (
    api_keys,
    asset_actions,
    assets,
    audit,
    bulk,
    captions,
    events,
    health,
    health_details,
    imports,
    jobs,
    originals,
    playback,
    plugins,
    poster,
    profiles,
    queue,
    resumable,
    session,
    sessions,
    shares,
    stream,
    tus,
    uploads,
    usage,
)
from mediaflow.api.resources.audit import audit_request
from mediaflow.api.resources.openapi import Document, make_document
from mediaflow.domain.errors import MediaflowError
from mediaflow.observability.logging import bind_ids, configure_logging
from mediaflow.queue.broker import make_broker
from mediaflow.queue.wakeups import DramatiqWakeups
from mediaflow.registry import Registry
from mediaflow.runtime import Runtime, build_runtime, make_metrics
from mediaflow.services.assets.for_plugins import PluginContext
from mediaflow.serving import BOOT_FAILED, CLOSE
from mediaflow.settings import Settings
from mediaflow.web.page import page_blueprint

_log = structlog.get_logger(__name__)

LARGEST_JSON_BYTES: Final = 1024 * 1024
RESOURCES: Final = (
    uploads.blueprint,
    imports.blueprint,
    assets.blueprint,
    asset_actions.blueprint,
    originals.blueprint,
    bulk.blueprint,
    playback.blueprint,
    captions.blueprint,
    poster.blueprint,
    jobs.blueprint,
    queue.blueprint,
    events.blueprint,
    profiles.blueprint,
    plugins.blueprint,
    shares.blueprint,
    api_keys.blueprint,
    session.blueprint,
    session.login_blueprint,
    sessions.blueprint,
    stream.blueprint,
    health.blueprint,
    health_details.blueprint,
    usage.blueprint,
    audit.blueprint,
)
QUIET_ROUTES: Final = ("/livez", "/readyz", "/static/<path:filename>")
"""Logged at debug level only: they are asked for all the time."""
KNOWN_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Others are counted together: a label's values must not be the client's choice."""
OFFERED_BY_PLUGINS: Final = frozenset({"webhooks"})
"""Resources of the HTTP contract that a plugin serves: the one whose blueprint is called so."""
SUBJECTS: Final = ("upload_id", "asset_id", "job_id")


def create_app(settings: Settings, runtime: Runtime | None = None) -> Flask:
    """The application over that runtime (started already), or over one of its own with the installed plugins."""
    if runtime is None:
        runtime = web_runtime(settings, registry.load(os.environ)[1])
        runtime.start()
    app = Application("mediaflow", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_JSON_BYTES
    app.json.sort_keys = False  # type: ignore[attr-defined]
    install(app, runtime)
    register_converters(app)
    register_error_handlers(app)
    app.wsgi_app = AskingAgain(app.wsgi_app)  # type: ignore[method-assign]
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    app.before_request(_begin)
    register_authentication(app)
    app.before_request(limit_requests)
    app.before_request(begin_once)
    app.after_request(_finish)
    app.teardown_request(_end)
    document = make_document(app)
    for blueprint in RESOURCES:
        document.register_blueprint(blueprint)
    app.register_blueprint(tus.blueprint)
    app.register_blueprint(resumable.blueprint)
    _mount_plugins(app, document, runtime)
    document.describe_limits(largest_upload=settings.max_upload_bytes, profiles=runtime.plugins.profiles)
    app.register_blueprint(page_blueprint(runtime.delivery.storage_origin))
    app.extensions[CLOSE] = partial(_close, runtime)
    return app


def from_environment() -> Flask:
    """The application of this process's environment, logs and all; one sentence and an exit when it can't start."""
    try:
        settings, plugins = registry.load(os.environ)
        configure_logging(settings, plugins.setting_specs)
        runtime = web_runtime(settings, plugins)
        runtime.start()
        return create_app(settings, runtime)
    except MediaflowError as error:
        sys.stderr.write(f"mediaflow: {error.detail}\n")
        sys.exit(BOOT_FAILED)


def web_runtime(settings: Settings, plugins: Registry) -> Runtime:
    """A runtime whose hints go to Redis."""
    metrics = make_metrics(plugins)
    wakeups = DramatiqWakeups(make_broker(settings.redis_url), metrics)
    return build_runtime(settings, plugins, metrics=metrics, wakeups=wakeups)


def _close(runtime: Runtime) -> None:
    runtime.close()
    if isinstance(runtime.wakeups, DramatiqWakeups):
        runtime.wakeups.close()


def _mount_plugins(app: Application, document: Document, runtime: Runtime) -> None:
    contexts = partial(PluginContext, database=lambda: current_runtime().database, who=caller_if_any)
    offered = runtime.plugins.blueprints(contexts)
    for name, blueprint in offered.things.items():
        prefix = f"{BASE}/{name}" if name in OFFERED_BY_PLUGINS else f"{BASE}/plugins/{name}"
        mount = document.register_blueprint if isinstance(blueprint, DocumentedBlueprint) else app.register_blueprint
        with runtime.plugins.failures_named(offered.owners[name], f"the blueprint {name!r}"):
            mount(blueprint, url_prefix=prefix)
    app.plugins = offered.owners


# --- around every request


def _begin() -> None:
    g.began = time.monotonic()
    subjects = {name: str(value) for name, value in (request.view_args or {}).items() if name in SUBJECTS}
    g.bound = ExitStack()
    plugin = cast("Application", current_app).plugin_of_request()
    g.bound.enter_context(bind_ids(request_id=request_id(), plugin=plugin, **subjects))
    check_lengths()
    check_host()


def _finish(response: Response) -> Response:
    finish_once(response)
    response = with_limits(response)
    audit_request(response)
    finish_headers(response)
    _account(response)
    return response


def _account(response: Response) -> None:
    if is_waiting(request.environ):
        return
    route = request.url_rule.rule if request.url_rule else "unmatched"
    method = request.method if request.method in KNOWN_METHODS else "OTHER"
    status, seconds = response.status_code, time.monotonic() - g.get("began", time.monotonic())
    metrics = current_runtime().metrics
    metrics.count("mediaflow_http_requests_total", method=method, route=route, status=str(status))
    metrics.observe("mediaflow_http_request_seconds", seconds, method=method, route=route)
    say = _log.debug if route in QUIET_ROUTES and status < 500 else _log.info
    say("request", method=method, route=route, status=status, seconds=round(seconds, 4))


def _end(_error: BaseException | None) -> None:
    abandon()
    if bound := g.pop("bound", None):
        bound.close()
