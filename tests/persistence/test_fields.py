"""Both databases keep exactly the fields of the dataclasses, under the same indexes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from mongoengine import BooleanField, FloatField, IntField, StringField

from mediaflow.persistence.fields import fields_of
from mediaflow.persistence.mongo.documents import DOCUMENTS, JsonField
from mediaflow.persistence.tables import TABLES, Table

CLASSES: dict[str, type[Any]] = {
    "text": StringField,
    "integer": IntField,
    "number": FloatField,
    "flag": BooleanField,
    "object": JsonField,
    "list": JsonField,
}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_document_class_has_the_fields_and_indexes_of_its_table(table: Table) -> None:
    document = DOCUMENTS[table.name]
    declared = {name: (type(field), field.null, tuple(field.choices or ())) for name, field in document._fields.items()}
    wanted = {
        field.name: (CLASSES[field.kind], field.nullable, field.choices) for field in fields_of(table.record).values()
    }
    assert declared == wanted
    assert all(field.required is not field.null for field in document._fields.values())
    assert document._meta["collection"] == table.name
    indexes = tuple(tuple(index) for index in document._meta["indexes"])
    assert indexes == table.indexes + tuple((name,) for name in table.lists)


@dataclass(frozen=True)
class Odd:
    id: str
    value: str | int


def test_a_record_with_a_field_that_can_not_be_kept_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match=r"Odd\.value"):
        fields_of(Odd)
