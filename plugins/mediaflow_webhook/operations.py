"""How an operation is declared: its route, what it takes and gives, and how it fails, in one line of the view."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, TypeVar

import flask
from flask_smorest import Blueprint  # type: ignore[import-untyped]
from marshmallow import RAISE, Schema
from webargs import core
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

View = TypeVar("View", bound=Callable[..., Any])
HEADERS: Final = {name: name for name in ("X-Request-Id", "RateLimit", "RateLimit-Policy")}
"""Components of the service's document."""
SECURITY: Final[list[dict[str, list[str]]]] = [{"bearer": []}, {"session": []}]
ALWAYS: Final = (401, 403, 429, 500, 503)


class Parser(FlaskParser):
    """JSON as JSON, and no unknown parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.DEFAULT_UNKNOWN_BY_LOCATION = {**FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, "query": RAISE}

    def load_json(self, req: flask.Request, schema: Schema) -> Any:
        if not core.is_json(req.mimetype):
            raise UnsupportedMediaType("The body must be JSON, with `Content-Type: application/json`.")
        try:
            return super().load_json(req, schema)
        except (RecursionError, ValueError) as error:
            raise BadRequest("The JSON is nested too deeply, or has a number of too many digits.") from error


class Operations(Blueprint):  # type: ignore[misc]
    """A blueprint with documented operations."""

    ARGUMENTS_PARSER = Parser()

    def operation(
        self,
        method: str,
        rule: str,
        gives: dict[int, type[Schema] | None],
        *,
        takes: type[Schema] | None = None,
        query: type[Schema] | None = None,
        fails: tuple[int, ...] = (),
    ) -> Callable[[View], View]:
        """Declare a view, whose name in camelCase is the operation's id."""
        failures = {*ALWAYS, *fails, *((404,) if "<" in rule else ())}
        failures |= {400, 413, 415, 422} if takes else {414, 422} if query else set()
        ((status, schema),) = gives.items()

        def declare(view: View) -> View:
            declared: Any = self.response(status, schema, headers=HEADERS)(view)
            for failure in sorted(failures):
                declared = self.alt_response(failure, response=HTTPStatus(failure).name)(declared)
            if query is not None:
                declared = self.arguments(query, location="query")(declared)
            if takes is not None:
                declared = self.arguments(takes, location="json")(declared)
            first, *others = view.__name__.split("_")
            name = first + "".join(word.capitalize() for word in others)
            self.route(rule, methods=[method])(self.doc(operationId=name, security=SECURITY)(declared))
            return view

        return declare
