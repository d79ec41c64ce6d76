"""What MongoEngine's document classes are made of. `null=True` keeps None as a value: each document has each field."""

from __future__ import annotations

from typing import Any, ClassVar, get_args

from mongoengine import BooleanField, Document, FloatField, IntField, StringField
from mongoengine.base import BaseField


class JsonField(BaseField):  # type: ignore[misc]  # MongoEngine ships no types
    """A list or dictionary of JSON values, kept and returned as it is.

    MongoEngine's own DictField and ListField copy and wrap every nested value, and save changes of theirs by deltas,
    which nx-27017 loses; here a value is only ever replaced as a whole.
    """


def text(*, null: bool = False) -> Any:
    """A text."""
    return StringField(null=null, required=not null)


def one_of(literal: Any) -> Any:
    """One of the texts of a Literal type."""
    return StringField(choices=get_args(literal), required=True)


def integer(*, null: bool = False) -> Any:
    """An integer."""
    return IntField(null=null, required=not null)


def number(*, null: bool = False) -> Any:
    """A float."""
    return FloatField(null=null, required=not null)


def flag() -> Any:
    """True or false."""
    return BooleanField(required=True)


def json(*, null: bool = False) -> Any:
    """A list or dictionary."""
    return JsonField(null=null, required=not null)


class Record(Document):  # type: ignore[misc]  # MongoEngine ships no types
    """What all have. Not strict: a field that a newer version has added must not stop an older one from reading."""

    meta: ClassVar[dict[str, Any]] = {
        "abstract": True,
        "strict": False,
        "auto_create_index": False,
        "allow_inheritance": False,
    }

    id = StringField(primary_key=True)
    rev = integer()
    schema = integer()
