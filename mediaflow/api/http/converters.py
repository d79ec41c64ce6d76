"""Path parameters: what does not look like one is 404 before any code of ours sees it."""

from __future__ import annotations

from typing import Any

from flask import Flask
from werkzeug.routing import BaseConverter

from mediaflow.domain.ids import ID_PATTERN


class IdConverter(BaseConverter):
    """An id of ours: `<id:asset_id>`."""

    regex = ID_PATTERN.removeprefix("^").removesuffix("$")


class IndexConverter(BaseConverter):
    """The index of a chunk, `<index:index>`. A negative one passes, for an error that says which there are."""

    regex = "-?[0-9]{1,9}"

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)


class LanguageConverter(BaseConverter):
    """A language's tag, `<language:language>`. Whatever is none passes, for an error that says what is one."""

    regex = "[^/]{1,200}"


def register_converters(app: Flask) -> None:
    """Make the converters known; before any blueprint is registered."""
    app.url_map.converters |= {"id": IdConverter, "index": IndexConverter, "language": LanguageConverter}


def id_schema(_: IdConverter) -> dict[str, Any]:
    """How an id is documented."""
    return {"type": "string", "pattern": ID_PATTERN}


def index_schema(_: IndexConverter) -> dict[str, Any]:
    """How an index is documented."""
    return {"type": "integer", "minimum": 0}


def language_schema(_: LanguageConverter) -> dict[str, Any]:
    """How a language's tag is documented."""
    return {
        "type": "string",
        "description": "BCP 47.",
        "pattern": "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$",
        "maxLength": 35,
        "examples": ["en", "pt-BR"],
    }
