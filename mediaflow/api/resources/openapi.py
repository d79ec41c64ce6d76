"""The OpenAPI 3.1 document of all operations, and the page that shows it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final

from flask import Blueprint, Flask, Response, render_template_string, request, url_for
from flask_smorest import Api  # type: ignore[import-untyped]
from marshmallow import INCLUDE, Schema, fields

from mediaflow.api.http.auth import COOKIE
from mediaflow.api.http.context import BASE
from mediaflow.api.http.converters import (
    IdConverter,
    IndexConverter,
    LanguageConverter,
    id_schema,
    index_schema,
    language_schema,
)
from mediaflow.api.http.errors import PROBLEM_TYPE
from mediaflow.api.http.fields import Text, Timestamp
from mediaflow.api.http.resource import OPEN, POLICY_ATTRIBUTE
from mediaflow.api.schemas.actions import bulk_variants

SPECIFICATION: Final = "api-docs.openapi_json"
METHODS: Final = ("get", "put", "post", "patch", "delete")
CONFIGURATION: Final = {
    "API_TITLE": "mediaflow",
    "OPENAPI_VERSION": "3.1.0",
    "OPENAPI_URL_PREFIX": BASE,
    "OPENAPI_JSON_PATH": "openapi.json",
    "API_SPEC_OPTIONS": {
        # relative: the same host that serves the document
        "servers": [{"url": "/", "description": "This service."}],
        "info": {
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "contact": {"name": "Whoever runs this installation of mediaflow"},
            "description": "Files in, streams out. Announce a file, send its chunks, follow its asset until it is "
            "`ready`, ask for its playback addresses. Errors are problem documents (RFC 9457) with a stable `code`; "
            "answers 429 and 503 carry `Retry-After`. Times are RFC 3339 in UTC, sizes bytes, "
            "bitrates bit/s, durations seconds.\n\n"
            "**Pages.** Listings take `page` (from 1) and `page_size` (20, at most 100) and answer `{items, page, "
            "page_size, total, pages}`. An empty page behind the last one is no error; the order is stable.\n\n"
            "**Changes.** `ETag` of an asset is its metadata's revision; send it as `If-Match` to change only what you "
            "have seen. A POST with an `Idempotency-Key` can be repeated safely.\n\n"
            "**Not yours** is 404, like what is not there; 401 means no valid credential, 403 one that does not "
            "open this.",
        },
    },
}
SECURITY_SCHEMES: Final[dict[str, dict[str, Any]]] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A token, or an API key (`mfk_...`). A `scope` of theirs limits what they open.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "The page's cookie (by https `__Host-mediaflow_session`); writes need the header "
        "`X-Requested-With: mediaflow` as well.",
    },
}


RETRIED: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
RETRY_AFTER: Final = {
    "description": "Seconds to wait before the next try.",
    "required": True,
    "schema": {"type": "integer", "minimum": 0},
}
HEADERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "X-Request-Id": {
        "description": "Finds the request in the service's logs; yours, when you sent a good one.",
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": "What is left of the user's limit (draft-ietf-httpapi-ratelimit-headers): `r` requests, "
        "until it is reset in `t` seconds.",
        "schema": {"type": "string"},
        "example": '"user";r=29990;t=42',
    },
    "RateLimit-Policy": {
        "description": "The user's limit: `q` requests in `w` seconds.",
        "schema": {"type": "string"},
        "example": '"user";q=30000;w=60',
    },
    "Idempotency-Replayed": {
        "description": "`true` when this is the answer that an earlier request with this key got.",
        "schema": {"type": "string", "enum": ["true"]},
    },
}
"""Headers of answers that several operations have."""
MEANINGS: Final[Mapping[int, str]] = {
    400: "The request is malformed.",
    401: "There is no credential, or none that is valid.",
    403: "The credential does not open this.",
    404: "There is no such thing, or it is not yours.",
    409: "The thing's state does not allow this.",
    412: "The thing was changed since you saw it.",
    413: "Larger than this service accepts.",
    414: "The request's first line is too long.",
    415: "Another media type is expected.",
    416: "The range lies outside of the file.",
    422: "Understood, and wrong: `errors` says what and where.",
    429: "Too much; wait and try again.",
    500: "A fault of the service.",
    503: "Something that the service needs does not answer; try again.",
    507: "There is no room for what was announced.",
}
"""What a status means in this API."""


class ProblemDetailSchema(Schema):
    """One thing that is wrong with a request."""

    pointer = fields.String(required=True, metadata={"description": "JSON pointer to it; empty for the whole."})
    detail = fields.String(required=True)
    code = fields.String(required=True, metadata={"examples": ["request.unknown_field"]})


class ProblemSchema(Schema):
    """RFC 9457: what went wrong, for people (`detail`) and for programs (`code`)."""

    type = fields.String(required=True, metadata={"examples": ["urn:mediaflow:asset.not_found"]})
    title = fields.String(required=True, metadata={"examples": ["Not Found"]})
    status = fields.Integer(required=True, metadata={"examples": [404]})
    detail = fields.String(required=True, metadata={"examples": ["There is no such asset."]})
    code = fields.String(required=True, metadata={"examples": ["asset.not_found"], "description": "Stable."})
    errors = fields.List(fields.Nested(ProblemDetailSchema), required=True)
    request_id = fields.String(required=True, metadata={"description": "Finds the request in the service's logs."})

    class Meta:
        """Some errors have members of their own (RFC 9457 section 3.2), such as `missing` of incomplete uploads."""

        unknown = INCLUDE


class Document(Api):  # type: ignore[misc]
    """flask-smorest's Api with problem documents; error handlers are in `http/errors.py`."""

    ERROR_SCHEMA = ProblemSchema
    DEFAULT_ERROR_RESPONSE_NAME = None

    def _register_error_handlers(self) -> None:
        """None of flask-smorest's own."""

    def _register_pagination_header(self) -> None:
        """None: pages are told in the body."""

    def describe_limits(self, *, largest_upload: int, profiles: Iterable[str]) -> None:
        """Say in the document what this installation takes."""
        announced = self.spec.components.schemas["NewUploadBody"]["properties"]
        announced["size_bytes"]["maximum"] = largest_upload
        announced["profile"]["enum"] = [*sorted(profiles), None]
        again = self.spec.components.schemas["ReprocessBody"]["properties"]
        again["profile"]["enum"] = [*sorted(profiles), None]
        self.spec.components.schemas["BulkBody"]["oneOf"] = bulk_variants()
        self.spec.components.schemas["BulkChangesBody"]["minProperties"] = 1

    def _register_responses(self) -> None:
        """One response component for each status that is no success; errors have the media type of problems."""
        for status in HTTPStatus:
            response: dict[str, Any] = {"description": MEANINGS.get(status, status.phrase)}
            if status >= 400:
                response["content"] = {PROBLEM_TYPE: {"schema": self.ERROR_SCHEMA}}
                response["headers"] = {name: name for name in ("X-Request-Id", "RateLimit", "RateLimit-Policy")}
            if status in RETRIED:
                response["headers"]["Retry-After"] = RETRY_AFTER
            if status >= 300:
                self.spec.components.response(status.name, response, lazy=True)


def make_document(app: Flask) -> Document:
    """The document of an application that has no operations yet."""
    app.config.update(CONFIGURATION, API_VERSION=version("mediaflow"))
    document = Document(app)
    for name, header in HEADERS.items():
        document.spec.components.header(name, dict(header))
    document.register_converter(IdConverter, id_schema)
    document.register_converter(IndexConverter, index_schema)
    document.register_converter(LanguageConverter, language_schema)
    document.register_field(Text, "string", None)
    document.register_field(Timestamp, "string", "date-time")
    for name, scheme in SECURITY_SCHEMES.items():
        document.spec.components.security_scheme(name, scheme)
    app.view_functions[SPECIFICATION] = _rendered_once(app, document)
    app.register_blueprint(_docs_page(document))
    return document


def _rendered_once(app: Flask, document: Document) -> Callable[[], Response]:
    """The document, rendered at the first request and then sent as it is: rendering takes 15 ms.

    Nothing is declared after that, and it is the same for everybody.
    """

    @cache
    def rendered() -> tuple[bytes, str]:
        text = app.json.dumps(document.spec.to_dict(), indent=2).encode()
        return text, hashlib.sha256(text).hexdigest()[:32]

    def openapi_json() -> Response:
        text, tag = rendered()
        response = Response(text, mimetype="application/json", headers={"Cache-Control": "no-cache"})
        response.set_etag(tag)
        response.make_conditional(request)
        return response

    setattr(openapi_json, POLICY_ATTRIBUTE, OPEN)
    return openapi_json


# --- the page

_PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>mediaflow API</title>
<link rel="stylesheet" href="/static/vendor/swagger-ui/swagger-ui.css">
<body>
<div id="swagger-ui" data-specification="{{ specification }}">
<h1>mediaflow API</h1>
<p>The whole document: <a href="{{ specification }}">openapi.json</a></p>
<ul>{% for method, path, summary in operations %}
<li><code>{{ method }} {{ path }}</code> {{ summary }}</li>{% endfor %}
</ul>
</div>
<script src="/static/vendor/swagger-ui/swagger-ui-bundle.js"></script>
<script src="{{ script }}"></script>
</body>
</html>
"""
"""The list stays where Swagger UI's files are not installed."""

_SCRIPT: Final = """if (window.SwaggerUIBundle) {
  const place = document.getElementById("swagger-ui");
  window.SwaggerUIBundle({ url: place.dataset.specification, domNode: place, deepLinking: true, validatorUrl: null });
}
"""
_PAGE_POLICY: Final = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Swagger UI writes style attributes, and markup that it has cleaned, as text: DOMPurify's TrustedHTML is a string
again when React assigns it. With `require-trusted-types-for 'script'` chromium shows nothing of 5.35.0 (tried). A
default policy that lets every markup pass would help, and protect nobody. What it shows is our own document.
"""


def _docs_page(document: Document) -> Blueprint:
    pages = Blueprint("docs", __name__, url_prefix=f"{BASE}/docs")

    @cache
    def rendered() -> str:
        paths = document.spec.to_dict()["paths"]
        return render_template_string(
            _PAGE,
            specification=url_for(SPECIFICATION),
            script=url_for("docs.docs_script"),
            operations=list(_operations(paths)),
        )

    def docs() -> Response:
        return Response(rendered(), mimetype="text/html", headers={"Content-Security-Policy": _PAGE_POLICY})

    def docs_script() -> Response:
        return Response(_SCRIPT, mimetype="text/javascript")

    for rule, view in (("", docs), ("/page.js", docs_script)):
        setattr(view, POLICY_ATTRIBUTE, OPEN)
        pages.add_url_rule(rule, view_func=view)
    return pages


def _operations(paths: dict[str, dict[str, Any]]) -> Iterable[tuple[str, str, str]]:
    for path, operations in paths.items():
        for method in METHODS:
            if method in operations:
                yield method.upper(), path, operations[method].get("summary", "")
