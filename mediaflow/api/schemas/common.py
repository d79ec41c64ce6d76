"""What several resources share: pages of a listing, errors of documents, tags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from marshmallow import Schema, ValidationError, fields

from mediaflow.api.http.fields import Body, number
from mediaflow.services.paging import LARGEST_PAGE, LAST_PAGE, Page

T = TypeVar("T")


class FaultSchema(Schema):
    """Why something failed: a stable code, and a sentence."""

    code = fields.String(
        required=True, metadata={"description": "Stable, for programs.", "examples": ["media.undecodable"]}
    )
    detail = fields.String(required=True, metadata={"description": "A sentence for people."})


class PageQuery(Body):
    """Which page of a listing."""

    page = number(
        load_default=1,
        validate=lambda value: _between(value, 1, LAST_PAGE),
        metadata={"minimum": 1, "maximum": LAST_PAGE, "description": "Which page, from 1."},
    )
    page_size = number(
        load_default=20,
        validate=lambda value: _between(value, 1, LARGEST_PAGE),
        metadata={"minimum": 1, "maximum": LARGEST_PAGE, "description": "How many items a page has."},
    )


class PageSchema(Schema):
    """The frame of every listing."""

    page = fields.Integer(required=True, metadata={"minimum": 1, "examples": [1]})
    page_size = fields.Integer(required=True, metadata={"minimum": 1, "examples": [20]})
    total = fields.Integer(
        required=True, metadata={"minimum": 0, "description": "Items on all pages.", "examples": [53]}
    )
    pages = fields.Integer(
        required=True, metadata={"minimum": 0, "description": "How many pages there are.", "examples": [3]}
    )


def page_document(page: Page[T], document: Callable[[T], dict[str, Any]]) -> dict[str, Any]:
    """A page of a listing, each item as a document."""
    return {
        "items": [document(item) for item in page.items],
        "page": page.page,
        "page_size": page.page_size,
        "total": page.total,
        "pages": page.pages,
    }


def fault_document(error: dict[str, Any] | None) -> dict[str, str] | None:
    """The public part of a record's error."""
    if error is None:
        return None
    return {"code": str(error.get("code", "internal.error")), "detail": str(error.get("detail", ""))}


def _between(value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ValidationError(f"must be {least} to {most}, not {value}")
