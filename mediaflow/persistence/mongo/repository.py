"""A repository over one collection. Each operation is one command on one document, so it is atomic on its own.

Only what MongoDB, mongomock and nx-27017 all do right is used: `$set` and `$unset` of whole values and of members of
objects, `$inc`, `$in`, `$lt`. None is asked for as `{"$in": [None]}`: nx-27017 counts nothing for `{field: None}`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

from mongoengine.errors import BulkWriteError, NotUniqueError

from mediaflow.persistence.fields import (
    Changes,
    Condition,
    after_prefix,
    checked_changes,
    checked_conditions,
    checked_schema,
    checked_sort,
    fields_of,
    known_fields,
    numeric_field,
    text_field,
)
from mediaflow.persistence.mongo.client import MongoConnection
from mediaflow.persistence.mongo.documents import DOCUMENTS, Record
from mediaflow.persistence.tables import Table
from mediaflow.services.ports import After, Below, Between, Contains, HasPrefixes, OneOf, Sum

R = TypeVar("R")


class MongoRepository(Generic[R]):
    """Implements `mediaflow.services.ports.Repository`."""

    def __init__(self, connection: MongoConnection, table: Table, record: type[R]) -> None:
        self._connection = connection
        self._document = DOCUMENTS[table.name]
        self._record = record
        self._fields = fields_of(record)

    def insert(self, record: R) -> bool:
        with self._connection.documents(self._document) as documents:
            try:
                documents.insert(self._made(record), load_bulk=False)
            except NotUniqueError:
                return False
        return True

    def insert_all(self, records: Sequence[R]) -> None:
        if not records:
            return
        try:
            with self._connection.documents(self._document) as documents:
                documents.insert([self._made(record) for record in records], load_bulk=False)
        except (NotUniqueError, BulkWriteError):  # some are there: those before the first of them are kept by now
            for record in records:
                self.insert(record)

    def _made(self, record: R) -> Record:
        values = {name: field.checked(getattr(record, name)) for name, field in self._fields.items()}
        return self._document(**values | {"schema": self._connection.schema_of(values["schema"])})

    def get(self, record_id: str) -> R | None:
        with self._connection.documents(self._document) as documents:
            return self._loaded(documents(__raw__={"_id": record_id}).first())

    def peek(self, record_id: str, fields: Sequence[str]) -> dict[str, Any] | None:
        wanted = known_fields(self._fields, fields)
        with self._connection.documents(self._document) as documents:
            found = documents(__raw__={"_id": record_id}).only("schema", *(field.name for field in wanted)).first()
        if found is None:
            return None
        checked_schema(record_id, found.schema)
        return {field.name: field.loaded(getattr(found, field.name)) for field in wanted}

    def change(self, record_id: str, expect: Mapping[str, Any], changes: Mapping[str, Any]) -> R | None:
        query = self._query(expect, record_id)
        checked = checked_changes(self._fields, changes)
        with self._connection.documents(self._document) as documents:
            update = self._update(checked)
            # raw operators: MongoEngine's keywords refuse None for a text
            return self._loaded(documents(__raw__=query).modify(__raw__=update, new=True))

    def find(
        self, where: Mapping[str, Any], *, sort: Sequence[str] = ("id",), skip: int = 0, limit: int | None = None
    ) -> list[R]:
        query = self._query(where)
        keys = [f"{'-' if descends else '+'}{field.name}" for field, descends in checked_sort(self._fields, sort)]
        if limit == 0:  # means "all" to MongoDB
            return []
        with self._connection.documents(self._document) as documents:
            found = documents(__raw__=query).order_by(*keys).skip(skip)
            # limit first and MongoEngine's cache off: one pass over the cursor, no second copy
            selected = (found if limit is None else found.limit(limit)).no_cache()
            return [record for record in map(self._loaded, selected) if record is not None]

    def count(self, where: Mapping[str, Any]) -> int:
        query = self._query(where)
        with self._connection.database() as database:
            # not MongoEngine's count: without conditions that is an estimate
            return database[self._document._meta["collection"]].count_documents(query)

    def total(self, field: str, where: Mapping[str, Any]) -> float:
        name, query = numeric_field(self._fields, field).name, self._query(where)
        pipeline = [{"$match": query}, {"$group": {"_id": None, "total": {"$sum": f"${name}"}}}]
        with self._connection.database() as database:
            groups = list(database[self._document._meta["collection"]].aggregate(pipeline))
        # nx-27017 adds up nothing but nulls to null
        return float(groups[0]["total"] or 0) if groups else 0.0

    def sums(self, field: str, by: str, where: Mapping[str, Any]) -> dict[str, Sum]:
        name, group = numeric_field(self._fields, field).name, text_field(self._fields, by).name
        each = {"_id": f"${group}", "total": {"$sum": f"${name}"}, "count": {"$sum": 1}}
        pipeline = [{"$match": self._query(where)}, {"$group": each}]
        with self._connection.database() as database:
            groups = list(database[self._document._meta["collection"]].aggregate(pipeline))
        return {
            # nx-27017 adds up nothing but nulls to null
            found["_id"]: Sum(float(found["total"] or 0), int(found["count"]))
            for found in groups
            if found["_id"] is not None
        }

    def distinct(self, field: str, where: Mapping[str, Any]) -> list[str]:
        name, query = text_field(self._fields, field).name, self._query(where)
        pipeline = [{"$match": query}, {"$group": {"_id": f"${name}"}}]
        with self._connection.database() as database:
            groups = list(database[self._document._meta["collection"]].aggregate(pipeline))
        return [group["_id"] for group in groups if group["_id"] is not None]

    def remove(self, record_id: str, expect: Mapping[str, Any] = {}) -> bool:
        query = self._query(expect, record_id)
        with self._connection.documents(self._document) as documents:
            return documents(__raw__=query).modify(remove=True) is not None

    def _query(self, where: Mapping[str, Any], record_id: str | None = None) -> dict[str, Any]:
        parts: list[dict[str, Any]] = [] if record_id is None else [{"_id": record_id}]
        for field, condition in checked_conditions(self._fields, where):
            name = "_id" if field.name == "id" else field.name
            parts += [{name: wanted} for wanted in _wanted(condition)]
        names = [name for part in parts for name in part]
        if len(names) > len(set(names)):
            return {"$and": parts}
        return {name: wanted for part in parts for name, wanted in part.items()}

    def _update(self, changes: Changes) -> dict[str, Any]:
        """The changes as raw operators, no empty one among them."""
        assigned = {field.name: value for field, value in changes.assigned}
        if "schema" in assigned:
            assigned["schema"] = self._connection.schema_of(assigned["schema"])
        assigned |= {f"{field.name}.{name}": value for field, members in changes.put for name, value in members.items()}
        dropped = {f"{field.name}.{name}": "" for field, members in changes.dropped for name in members}
        added = {"rev": 1} | {field.name: amount for field, amount in changes.added}
        return {name: what for name, what in (("$inc", added), ("$set", assigned), ("$unset", dropped)) if what}

    def _loaded(self, document: Record | None) -> R | None:
        if document is None:
            return None
        checked_schema(document.id, document.schema)
        values = {name: field.loaded(getattr(document, name)) for name, field in self._fields.items()}
        # a document that is older than a field takes the field's default
        return self._record(
            **{name: value for name, value in values.items() if value is not None or self._fields[name].nullable}
        )


def _wanted(condition: Condition) -> list[Any]:
    """What the field must all meet."""
    match condition:
        case Below(limit):
            return [{"$lt": limit}]
        case After(text):
            return [{"$gt": text}]
        case Between(least, below):
            bounds = {name: bound for name, bound in (("$gte", least), ("$lt", below)) if bound is not None}
            return [bounds or {"$gte": float("-inf")}]
        case HasPrefixes(prefixes):
            # one range an element: nx-27017 finds nothing for `$all` of them
            return [{"$elemMatch": _range(prefix)} for prefix in prefixes]
        case Contains(element):
            return [{"$in": [element]}]  # nx-27017 finds nothing for `{field: element}` where the field has an index
        case OneOf(values):
            return [values[0] if len(values) == 1 and values[0] is not None else {"$in": list(values)}]


def _range(prefix: str) -> dict[str, str]:
    """The texts that begin so."""
    end = after_prefix(prefix)
    return {"$gte": prefix} if end is None else {"$gte": prefix, "$lt": end}
