"""Is the process alive, and can it work? For supervisors and load balancers: quick, no details, no token."""

from __future__ import annotations

from marshmallow import Schema, fields

from mediaflow.api.http.context import web
from mediaflow.api.http.resource import Resource
from mediaflow.domain.errors import Unavailable

blueprint = Resource("health", __name__, description="For supervisors and load balancers.")


class HealthSchema(Schema):
    """One word."""

    status = fields.String(required=True)


@blueprint.operation("GET", "/livez", gives={200: HealthSchema}, access="open")
def live() -> dict[str, str]:
    """The process answers.

    For supervisors: 200 as long as the process works at all.
    """
    return {"status": "alive"}


@blueprint.operation("GET", "/readyz", gives={200: HealthSchema}, access="open")
def ready() -> dict[str, str]:
    """The process and all that it needs answer.

    For load balancers: 503 while something that is needed does not answer. It is not told what.
    """
    if not web().readiness.ready():
        raise Unavailable("Something that this service needs does not answer.", code="health.not_ready")
    return {"status": "ready"}
