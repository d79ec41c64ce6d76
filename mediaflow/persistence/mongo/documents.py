"""MongoEngine's view of the records: a Document class for each table, made from the fields of its dataclass.

None has the id in an index: nx-27017 can't insert into such a collection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from mongoengine import BooleanField, Document, FloatField, IntField, StringField
from mongoengine.base import BaseField

from mediaflow.persistence.fields import Field, Kind, fields_of
from mediaflow.persistence.tables import TABLES, Table


class JsonField(BaseField):  # type: ignore[misc]  # MongoEngine ships no types
    """A list or dictionary of JSON values, kept and returned as it is.

    MongoEngine's own DictField and ListField copy and wrap every nested value, and save changes of theirs by deltas,
    which nx-27017 loses; here a value is only ever replaced as a whole.
    """


class Record(Document):  # type: ignore[misc]  # MongoEngine ships no types
    """What all have. Not strict: a field that a newer version has added must not stop an older one from reading."""

    meta: ClassVar[dict[str, Any]] = {
        "abstract": True,
        "strict": False,
        "auto_create_index": False,
        "allow_inheritance": False,
    }

    id = StringField(primary_key=True)


_CLASSES: Final[Mapping[Kind, type[Any]]] = {
    "text": StringField,
    "integer": IntField,
    "number": FloatField,
    "flag": BooleanField,
    "object": JsonField,
    "list": JsonField,
}


def _made(table: Table) -> type[Record]:
    meta = {"collection": table.name, "indexes": [*table.indexes, *((name,) for name in table.lists)]}
    fields = {name: _field(field) for name, field in fields_of(table.record).items() if name != "id"}
    return type(f"{table.record.__name__}Document", (Record,), {"__module__": __name__, "meta": meta} | fields)


def _field(field: Field) -> Any:
    """`null` keeps None as a value: each document has each field."""
    return _CLASSES[field.kind](null=field.nullable, required=not field.nullable, choices=field.choices or None)


DOCUMENTS: Final = {table.name: _made(table) for table in TABLES}
"""The classes by the names of their tables."""
