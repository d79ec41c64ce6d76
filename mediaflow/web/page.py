"""The browser UI: one HTML page and its static files. What it shows, it asks of the HTTP API."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import flask

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'self'",
        # hls.js plays through a MediaSource, whose URL is a blob, and gives its captions' tracks an empty data: file.
        "media-src 'self' blob: data:",
        "worker-src 'self' blob:",
        "connect-src 'self'",
        "img-src 'self' data: blob:",
        "style-src 'self'",
        # default-src does not cover these
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        # no text becomes markup or code, and code comes from where `lib/trusted.js` says (Trusted Types)
        "require-trusted-types-for 'script'",
        "trusted-types default",
    )
)
"""No inline script or style and nothing from elsewhere: text that got in as markup by mistake could still not act."""

HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    # A video's address is nobody else's business.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}

CONTENT_TYPES: Final = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".svg": "image/svg+xml",
}
"""Stated here because the machine's own table may lack them, and with `nosniff` a browser then runs nothing."""

VENDOR_CACHE_SECONDS: Final = 24 * 3600


def page_blueprint(storage_origin: Callable[[], str] = str) -> flask.Blueprint:
    """`/` and `/static/...`. Make the application with `static_folder=None`, or its own `/static` comes first.

    `storage_origin` tells from where, besides here, the player may get segments and images; empty for nowhere.
    """
    # No static_folder: its route is made when the blueprint is, and can't state content types.
    blueprint = flask.Blueprint("page", __name__, template_folder="templates")
    blueprint.add_url_rule("/", "index", _index)
    blueprint.add_url_rule("/static/<path:filename>", "static_file", _static_file)
    blueprint.after_request(partial(_add_headers, storage_origin))
    return blueprint


def _index() -> flask.Response:
    response = flask.make_response(flask.render_template("index.html"))
    response.cache_control.no_cache = True
    return response


def _static_file(filename: str) -> flask.Response:
    """A file below `static/`; 404 for anything else (`send_from_directory` refuses to leave the directory).

    Our own files have stable names, so that browsers ask each time whether they changed (304 by ETag);
    libraries change rarely.
    """
    suffix = filename[filename.rfind(".") :]
    max_age = VENDOR_CACHE_SECONDS if filename.startswith("vendor/") else None
    directory = flask.current_app.blueprints["page"].root_path + "/static"
    return flask.send_from_directory(directory, filename, mimetype=CONTENT_TYPES.get(suffix), max_age=max_age)


def _add_headers(storage_origin: Callable[[], str], response: flask.Response) -> flask.Response:
    if response.mimetype == "text/html" and (origin := storage_origin()):
        response.headers["Content-Security-Policy"] = _policy_with(origin)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _policy_with(origin: str) -> str:
    """The policy, with another origin for what a player fetches: a redirect to it would be stopped otherwise."""
    policy = CONTENT_SECURITY_POLICY
    for directive in ("media-src", "connect-src", "img-src"):
        policy = policy.replace(f"{directive} 'self'", f"{directive} 'self' {origin}")
    return policy
