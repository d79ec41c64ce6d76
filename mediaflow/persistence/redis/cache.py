"""Bodies of assets in Redis: the whole record as JSON, under a key of the record's shape, the asset's id and rev."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from redis import Redis
from redis.exceptions import ResponseError

from mediaflow.domain.errors import Unavailable
from mediaflow.domain.records import SCHEMA_VERSION, Asset
from mediaflow.persistence.fields import Field, fields_of
from mediaflow.persistence.redis.connection import NAMESPACE, RedisConnection

_FIELDS: Final = fields_of(Asset)
SHAPE: Final = hashlib.sha256(
    repr([SCHEMA_VERSION, *((name, field.kind, field.nullable) for name, field in _FIELDS.items())]).encode()
).hexdigest()[:12]
"""Another version of mediaflow, whose record has other fields, finds none of our bodies, and we none of its."""
LARGEST_BYTES: Final = 1024 * 1024
"""A body that is larger is not kept: the pause to fetch it would be felt by everybody."""


@dataclass(frozen=True, slots=True)
class RedisAssetBodies:
    """Implements `services.asset_cache.AssetBodies`. What is found is believed no further than its fields' types."""

    connection: RedisConnection

    def get(self, asset_id: str, rev: int) -> Asset | None:
        """The body of that revision; None for none, and for anything else that lies there."""
        key = key_of(asset_id, rev)

        def fetch(client: Redis) -> object:
            with suppress(ResponseError):  # something else than a text lies there
                return client.get(key)
            return None

        text = self.connection.attempt(fetch, otherwise=_NOBODY)
        if text is _NOBODY:
            raise Unavailable("The cache does not answer.", code="cache.unavailable")
        asset = _loaded(text) if isinstance(text, bytes | str) else None
        return asset if asset is not None and (asset.id, asset.rev) == (asset_id, rev) else None

    def put(self, asset: Asset, seconds: int) -> None:
        """Keep the body for so long, if Redis answers."""
        key, text = key_of(asset.id, asset.rev), dumped(asset)

        def keep(client: Redis) -> None:
            with suppress(ResponseError):  # full, or a replica that takes no writes: it answers, but keeps nothing
                client.set(key, text, ex=seconds)

        if len(text) <= LARGEST_BYTES:
            self.connection.attempt(keep, None)


_NOBODY: Final = object()


def key_of(asset_id: str, rev: int) -> str:
    """Where the body of that revision is kept."""
    return f"{NAMESPACE}asset:{SHAPE}:{asset_id}:{rev}"


def dumped(asset: Asset) -> bytes:
    """The record as it is kept."""
    return json.dumps(
        {name: field.checked(getattr(asset, name)) for name, field in _FIELDS.items()}, separators=(",", ":")
    ).encode()


def _loaded(text: bytes | str) -> Asset | None:
    """The record; None when the text is not exactly one."""
    try:
        document = json.loads(text)
        if not isinstance(document, dict) or document.keys() != _FIELDS.keys():
            return None
        return Asset(**{name: _believed(field, document[name]) for name, field in _FIELDS.items()})
    except (ValueError, LookupError, AttributeError, TypeError, OverflowError, RecursionError):
        return None


def _believed(field: Field, kept: Any) -> Any:
    """The value, if the field can have it."""
    value = field.loaded(kept)
    return field.checked(value) if field.codec is None else value
