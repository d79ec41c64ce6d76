"""Plugins: what is installed, and what each one offers."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields

from mediaflow.api.http.context import BASE, runtime
from mediaflow.api.http.resource import Resource

blueprint = Resource("plugins", __name__, url_prefix=f"{BASE}/plugins", description="What extends this service.")


class PluginSchema(Schema):
    """One plugin, with the hooks that it implements and the names that it offers."""

    name = fields.String(required=True)
    distribution = fields.String(required=True)
    version = fields.String(required=True)
    api = fields.String(required=True, allow_none=True)
    hooks = fields.List(fields.String(), required=True)
    steps = fields.List(fields.String(), required=True)
    manifests = fields.List(fields.String(), required=True)
    storages = fields.List(fields.String(), required=True)
    profiles = fields.List(fields.String(), required=True)
    settings = fields.List(fields.String(), required=True)
    metrics = fields.List(fields.String(), required=True)
    periodics = fields.List(fields.String(), required=True)


class PluginListSchema(Schema):
    """All plugins, sorted by name."""

    items = fields.List(fields.Nested(PluginSchema), required=True)


@blueprint.operation("GET", "", gives={200: PluginListSchema})
def list_plugins() -> dict[str, Any]:
    """List the installed plugins.

    Each with the package that it comes from, the hooks that it implements and what it offers by name.
    """
    return {"items": sorted(runtime().plugins.listing(), key=lambda plugin: plugin.name)}
