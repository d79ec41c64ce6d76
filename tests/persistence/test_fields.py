"""Both databases keep exactly the fields of the dataclasses, under the same indexes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from mongoengine import BooleanField, FloatField, IntField, StringField

from mediaflow.persistence.fields import fields_of
from mediaflow.persistence.mongo.columns import JsonField, Record
from mediaflow.persistence.mongo.documents import DOCUMENTS
from mediaflow.persistence.sqlite.tables import TABLES, Table

PAIRS = [pytest.param(table, document, id=table.name) for table, document in zip(TABLES, DOCUMENTS, strict=True)]
CLASSES: dict[str, type[Any]] = {
    "text": StringField,
    "integer": IntField,
    "number": FloatField,
    "flag": BooleanField,
    "object": JsonField,
    "list": JsonField,
}


@pytest.mark.parametrize(("table", "document"), PAIRS)
def test_a_document_class_declares_the_fields_of_its_record(table: Table, document: type[Record]) -> None:
    declared = {name: (type(field), field.null, tuple(field.choices or ())) for name, field in document._fields.items()}
    wanted = {
        field.name: (CLASSES[field.kind], field.nullable, field.choices) for field in fields_of(table.record).values()
    }
    assert declared == wanted


@pytest.mark.parametrize(("table", "document"), PAIRS)
def test_both_databases_have_the_same_tables_and_indexes(table: Table, document: type[Record]) -> None:
    meta = document._meta
    assert meta["collection"] == table.name
    assert tuple(tuple(index) for index in meta["indexes"]) == table.indexes + tuple((name,) for name in table.lists)


@dataclass(frozen=True)
class Odd:
    id: str
    value: str | int


def test_a_record_with_a_field_that_can_not_be_kept_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match=r"Odd\.value"):
        fields_of(Odd)
