"""How an operation is declared: one decorator says its route, what it takes and gives, its errors and who may call it.

flask-smorest and webargs are used here and in `openapi.py` only, so that views are plain typed functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Literal, NoReturn, TypeVar, cast

import flask
from flask import Response
from flask_smorest import Blueprint  # type: ignore[import-untyped]
from marshmallow import RAISE, Schema, ValidationError
from webargs import core
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType

from mediaflow.api.http.bodies import whole
from mediaflow.services.access.principals import Scope

View = TypeVar("View", bound=Callable[..., Any])
Access = Literal["required", "optional", "open"]
Gives = Mapping[int, type[Schema] | dict[str, Any] | None]
"""Statuses of success and their bodies: a Schema, none, or a choice (`{"oneOf": [Schema, ...]}`) for a Response."""

POLICY_ATTRIBUTE: Final = "mediaflow_policy"
"""Set on view functions, a `Policy`; what has none (a plugin's view) needs a token."""
ALWAYS: Final = (500, 503)
IDEMPOTENCY_KEY: Final[dict[str, Any]] = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "description": "A fresh text for each request, such as a UUID: a repeat with the same key is not done again, it "
    "gets the first answer (409 while that is being worked on, 422 when the key was another request's).",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]{1,255}$"},
    "example": "8e03978e-40d5-43e8-bc93-6894a57f9324",
}
SECURITY: Final[Mapping[Access, list[dict[str, list[str]]]]] = {
    "required": [{"bearer": []}, {"session": []}],
    "optional": [{"bearer": []}, {"session": []}, {}],
    "open": [],
}


@dataclass(frozen=True, slots=True)
class Policy:
    """Who may call an operation: `scope` is what their credential must open (None: nothing special).

    `repeatable`: it takes an `Idempotency-Key`, and a repeat is answered with the first answer.
    """

    access: Access = "required"
    scope: Scope | None = None
    admin: bool = False
    repeatable: bool = False


OPEN: Final = Policy("open")


class StrictParser(FlaskParser):
    """webargs without its leniency: another content type is 415, unknown or repeated query parameters are 422."""

    def __init__(self) -> None:
        super().__init__()
        self.DEFAULT_UNKNOWN_BY_LOCATION = {**FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, "query": RAISE}

    def load_json(self, req: flask.Request, schema: Schema) -> Any:
        if getattr(schema, "absent_is_empty", False) and not req.content_length and not req.mimetype:
            return {}
        if not core.is_json(req.mimetype):
            raise UnsupportedMediaType("The body must be JSON, with `Content-Type: application/json`.")
        arrived = len(whole())
        if req.content_length is None and arrived >= (req.max_content_length or math.inf):
            raise RequestEntityTooLarge  # werkzeug stops reading there and does not say it
        try:
            return super().load_json(req, schema)
        except RecursionError as error:
            raise BadRequest("The JSON is nested too deeply.") from error
        except ValueError as error:
            raise BadRequest("The JSON has a number of too many digits.") from error

    def load_querystring(self, req: flask.Request, schema: Schema) -> Any:
        """One value of each parameter: of several, a proxy may have meant another than we would take."""
        repeated = [name for name, values in req.args.lists() if len(values) > 1]
        if repeated:
            raise ValidationError({name: ["must be given once"] for name in repeated})
        return super().load_querystring(req, schema)

    def _handle_invalid_json_error(self, error: Exception, *_: Any, **__: Any) -> NoReturn:
        raise BadRequest("The body is not valid JSON.") from error


class Resource(Blueprint):  # type: ignore[misc]
    """A resource of the API: routes, documented as they are declared."""

    ARGUMENTS_PARSER = StrictParser()

    def operation(
        self,
        method: str,
        rule: str,
        *,
        gives: Gives,
        takes: type[Schema] | None = None,
        query: type[Schema] | None = None,
        fails: tuple[int, ...] = (),
        access: Access = "required",
        scope: Scope | Literal["any", "by method"] = "by method",
        admin: bool = False,
        repeatable: bool | None = None,
        **document: Any,
    ) -> Callable[[View], View]:
        """Declare a view. It is called with the path's parameters by name, after the body's or the query's values.

        It answers a dictionary (or nothing), with another status than the first of `gives` as the second of a pair, or
        a whole Response. `fails` are the statuses of errors besides those that follow from the rest. `admin` is for
        admins only; `scope` is what a limited credential must open (by default `assets:read` or `assets:write`);
        `repeatable`: it takes an `Idempotency-Key` and its answer is kept (by default what is posted as JSON).
        """
        if repeatable is None:
            repeatable = method == "POST" and access == "required" and "requestBody" not in document
        policy = Policy(access, _scope(method, scope, admin=admin), admin, repeatable)
        if repeatable:
            document["parameters"] = [*document.get("parameters", ()), IDEMPOTENCY_KEY]
        failures = _failures(rule, policy, fails, has_body=takes is not None, has_query=query is not None)
        decorators = [*self._answers(gives, failures, _headers(policy)), *self._arguments(query, takes)]

        def declare(view: View) -> View:
            setattr(view, POLICY_ATTRIBUTE, policy)
            wrapped = _empty_as_response(view, next(iter(gives)))
            for decorate in decorators:
                wrapped = decorate(wrapped)
            wrapped = self.doc(operationId=_camel(view.__name__), security=SECURITY[access], **document)(wrapped)
            self.route(rule, methods=[method])(wrapped)
            return view

        return declare

    def _answers(self, gives: Gives, failures: Iterable[int], headers: dict[str, str]) -> Iterator[Any]:
        (first, schema), *others = gives.items()
        yield self.response(first, schema, headers=headers)
        for status, other in others:
            yield self.alt_response(status, schema=other, success=True, headers=headers)
        yield from (self.alt_response(status, response=HTTPStatus(status).name) for status in failures)

    def _arguments(self, query: type[Schema] | None, body: type[Schema] | None) -> Iterator[Any]:
        if query is not None:
            yield self.arguments(query, location="query")
        if body is not None:
            yield self.arguments(body, location="json", required=not getattr(body, "absent_is_empty", False))


def _empty_as_response(view: View, status: int) -> View:
    """The view, with None turned into a response without a body (flask-smorest would send `null`)."""

    def answer(*args: Any, **kwargs: Any) -> Any:
        result = flask.current_app.ensure_sync(view)(*args, **kwargs)
        return Response(status=status) if result is None else result

    answer.__name__, answer.__doc__ = view.__name__, view.__doc__
    setattr(answer, POLICY_ATTRIBUTE, getattr(view, POLICY_ATTRIBUTE))
    return answer  # type: ignore[return-value]


def _failures(rule: str, policy: Policy, fails: tuple[int, ...], *, has_body: bool, has_query: bool) -> tuple[int, ...]:
    implied = set(fails) | set(ALWAYS)
    if policy.access != "open":
        implied |= {401, 403, 429}
    if policy.repeatable:
        implied |= {409, 413, 422}
    if has_body:
        implied |= {400, 413, 415, 422}
    if has_query:
        implied |= {414, 422}
    if "<" in rule:
        implied.add(404)
    return tuple(sorted(implied))


def _headers(policy: Policy) -> dict[str, str]:
    """References to the components of `openapi.py` that say what the answers' headers mean."""
    names = ["X-Request-Id"]
    if policy.access != "open":
        names += ["RateLimit", "RateLimit-Policy"]
    if policy.repeatable:
        names.append("Idempotency-Replayed")
    return {name: name for name in names}


def _scope(method: str, scope: str, *, admin: bool) -> Scope | None:
    if scope == "any":
        return None
    if scope != "by method":
        return cast(Scope, scope)
    if admin:
        return "admin"
    return "assets:read" if method == "GET" else "assets:write"


def operation_id(view: Callable[..., Any]) -> str | None:
    """The id of a view that was declared here, None for another."""
    return _camel(view.__name__) if hasattr(view, POLICY_ATTRIBUTE) else None


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
