"""What both databases know of the records: their fields, read from the dataclasses; checked conditions and changes.

A wrong name, type or state is a mistake in our code: ValueError or TypeError before anything reaches a database.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass
from dataclasses import fields as dataclass_fields
from types import MappingProxyType, NoneType
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from mediaflow.domain.documents import publication_document, publication_of
from mediaflow.domain.errors import ConfigurationError, Unavailable
from mediaflow.domain.publication import Publication
from mediaflow.domain.records import SCHEMA_VERSION
from mediaflow.services.ports import After, Below, Between, Contains, Drop, HasPrefixes, Increment, OneOf, Put

Kind = Literal["text", "integer", "number", "flag", "object", "list"]
Condition = OneOf | After | Below | Between | Contains | HasPrefixes

NUMERIC: Final[tuple[Kind, ...]] = ("integer", "number")
JSON: Final[tuple[Kind, ...]] = ("object", "list")
KEPT_BY_US: Final = ("id", "rev")
"""Fields that no caller may change."""
_MEMBER: Final = re.compile(r"[A-Za-z0-9_-]+")
"""Names of members that are set alone: paths in both databases know other characters as something else."""
_FIRST_SURROGATE: Final = 0xD800
_AFTER_SURROGATES: Final = 0xE000

_KINDS: Final[dict[Any, Kind]] = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "flag",
    dict: "object",
    list: "list",
}


@dataclass(frozen=True, slots=True)
class Codec:
    """How values of a type are kept as JSON objects. `load` reads every shape that `dump` ever wrote."""

    type: type[Any]
    dump: Callable[[Any], dict[str, Any]]
    load: Callable[[Mapping[str, Any]], Any]


_CODECS: Final = {Publication: Codec(Publication, publication_document, publication_of)}


@dataclass(frozen=True, slots=True)
class Field:
    """A record's field. `choices` are its possible texts (empty: any), `default` makes its default (None: has none)."""

    name: str
    kind: Kind
    nullable: bool
    choices: tuple[str, ...]
    default: Any
    codec: Codec | None = None

    def checked(self, value: Any) -> Any:
        """The value as it is kept (a float for a number); TypeError or ValueError when the field can't have it."""
        if value is None and self.nullable:
            return None
        if self.codec is not None and isinstance(value, self.codec.type):
            return self.codec.dump(value)
        if self.codec is not None:
            raise TypeError(f"{self.name} is a {self.codec.type.__name__}, it can't be {value!r:.100}")
        if not _fits(self.kind, value):
            raise TypeError(f"{self.name} is a field of kind {self.kind}, it can't be {value!r:.100}")
        if self.kind == "number":
            return _finite(self.name, float(value))
        if self.choices and value not in self.choices:
            raise ValueError(f"{self.name} can't be {value!r}; it is one of {', '.join(self.choices)}")
        return value

    def loaded(self, value: Any) -> Any:
        """The record's value of what is kept, which is JSON."""
        return value if self.codec is None or value is None else self.codec.load(value)


def checked_database(where: object, schema: int) -> None:
    """ConfigurationError for a database of a schema that this version can't know."""
    if schema > SCHEMA_VERSION:
        raise ConfigurationError(
            f"{where} was written by a newer mediaflow (schema {schema}, this one knows {SCHEMA_VERSION}): install that"
            " version again, or restore the backup that was made before it"
        )


def checked_schema(record_id: str, schema: int | None) -> None:
    """Unavailable for a document of a shape that this version can't know: to guess would be to lose something."""
    if schema is not None and schema > SCHEMA_VERSION:
        raise Unavailable(
            f"The document {record_id} was written by a newer mediaflow (schema {schema}, this one knows"
            f" {SCHEMA_VERSION}): update this one.",
            code="database.newer_document",
        )


def fields_of(record: type[Any]) -> Mapping[str, Field]:
    """The fields of a record type by name, in the order in which the dataclass declares them."""
    hints = get_type_hints(record)
    found: dict[str, Field] = {}
    for declared in dataclass_fields(record):
        kind, nullable, choices, codec = _analysed(record, declared.name, hints[declared.name])
        default = declared.default_factory
        if declared.default is not MISSING:
            default = _constant(declared.default)
        made = None if default is MISSING else default
        found[declared.name] = Field(declared.name, kind, nullable, choices, made, codec)
    return MappingProxyType(found)


def checked_conditions(fields: Mapping[str, Field], where: Mapping[str, Any]) -> list[tuple[Field, Condition]]:
    """The conditions of a query; equality becomes `OneOf` one value. Lists and dictionaries compare with None only."""
    return [(_known(fields, name), _condition(_known(fields, name), value)) for name, value in where.items()]


@dataclass(frozen=True, slots=True)
class Changes:
    """What to set, what to add to numbers (`rev` is not among it), and members of objects to set and to take out."""

    assigned: list[tuple[Field, Any]]
    added: list[tuple[Field, float]]
    put: list[tuple[Field, Mapping[str, Any]]]
    dropped: list[tuple[Field, tuple[str, ...]]]


def checked_changes(fields: Mapping[str, Field], changes: Mapping[str, Any]) -> Changes:
    """The changes by what they do. What has a codec is written in the newest shape."""
    found = Changes([], [], [], [])
    for name, value in changes.items():
        field = _known(fields, name)
        if name in KEPT_BY_US:
            raise ValueError(f"{name} is changed by the database only")
        match value:
            case Increment():
                if field.kind not in NUMERIC or field.nullable:
                    raise TypeError(f"{name} is a field of kind {field.kind}, it can't be incremented")
                found.added.append((field, value.by))
            case Put():
                found.put.append((field, {_member(field, member): kept for member, kept in value.members.items()}))
            case Drop():
                found.dropped.append((field, tuple(_member(field, member) for member in value.members)))
            case _:
                found.assigned.append((field, field.checked(value)))
    if "schema" not in changes and any(field.codec is not None for field, _ in found.assigned):
        found.assigned.append((_known(fields, "schema"), SCHEMA_VERSION))
    return found


def checked_sort(fields: Mapping[str, Field], sort: Sequence[str]) -> list[tuple[Field, bool]]:
    """Fields, and whether they descend."""
    keys = [(_known(fields, name.removeprefix("-")), name.startswith("-")) for name in sort]
    for field, _ in keys:
        if field.kind in JSON:
            raise ValueError(f"{field.name} is a {field.kind}, records can't be sorted by it")
    return keys


def known_fields(fields: Mapping[str, Field], names: Sequence[str]) -> list[Field]:
    """The fields of those names."""
    return [_known(fields, name) for name in names]


def numeric_field(fields: Mapping[str, Field], name: str) -> Field:
    """The field of that name, which must be a number."""
    field = _known(fields, name)
    if field.kind not in NUMERIC:
        raise TypeError(f"{field.name} is a field of kind {field.kind}, it can't be added up")
    return field


def text_field(fields: Mapping[str, Field], name: str) -> Field:
    """The field of that name, which must be a text."""
    field = _known(fields, name)
    if field.kind != "text":
        raise TypeError(f"{field.name} is a field of kind {field.kind}, no text")
    return field


def after_prefix(prefix: str) -> str | None:
    """The smallest text above all that begin with `prefix`, in the order of code points; None when none is.

    UTF-8's bytes (SQLite, MongoDB) have the same order. Surrogates are no text and are left out.
    """
    for end in range(len(prefix), 0, -1):
        following = ord(prefix[end - 1]) + 1
        if following <= sys.maxunicode:
            return prefix[: end - 1] + chr(_AFTER_SURROGATES if following == _FIRST_SURROGATE else following)
    return None


def _known(fields: Mapping[str, Field], name: str) -> Field:
    if name not in fields:
        raise ValueError(f"there is no field {name!r}; the fields are {', '.join(fields)}")
    return fields[name]


def _condition(field: Field, value: Any) -> Condition:
    match value:
        case Below():
            if field.kind not in NUMERIC:
                raise TypeError(f"{field.name} is a field of kind {field.kind}, it has no order")
            return Below(_finite(field.name, float(value.value)))
        case Between():
            if field.kind not in NUMERIC:
                raise TypeError(f"{field.name} is a field of kind {field.kind}, it has no order")
            bounds = (
                None if bound is None else _finite(field.name, float(bound)) for bound in (value.least, value.below)
            )
            return Between(*bounds)
        case After():
            if field.kind != "text":
                raise TypeError(f"{field.name} is a field of kind {field.kind}, no text")
            return After(_text(field.name, value.value))
        case HasPrefixes():
            if field.kind != "list":
                raise TypeError(f"{field.name} is a field of kind {field.kind}, it contains nothing")
            return HasPrefixes(tuple(_text(field.name, prefix) for prefix in value.prefixes))
        case Contains():
            if field.kind != "list":
                raise TypeError(f"{field.name} is a field of kind {field.kind}, it contains nothing")
            return Contains(_text(field.name, value.value))
        case OneOf():
            return OneOf(tuple(_compared(field, each) for each in value.values))
        case _:
            return OneOf((_compared(field, value),))


def _compared(field: Field, value: Any) -> Any:
    """A value to compare with. None is allowed for every field: nothing has it where the field can't be None."""
    if value is None:
        return None
    if field.kind in JSON:
        raise TypeError(f"{field.name} is a {field.kind}, it can be compared with None only")
    return field.checked(value)


def _member(field: Field, name: str) -> str:
    if field.kind != "object" or field.nullable or field.codec is not None:
        raise TypeError(f"{field.name} is no object whose members can be changed")
    if _MEMBER.fullmatch(name) is None:
        raise ValueError(f"{field.name} can't have a member {name!r:.100}; its name is letters, digits, _ and -")
    return name


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} holds texts, it can't contain {value!r:.100}")
    return value


def _fits(kind: Kind, value: Any) -> bool:
    match kind:
        case "text":
            return isinstance(value, str)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "flag":
            return isinstance(value, bool)
        case "object":
            return isinstance(value, dict)
        case "list":
            return isinstance(value, list)


def _finite(name: str, value: float) -> float:
    """Neither JSON nor an order knows NaN, and SQLite keeps it as NULL."""
    if not math.isfinite(value):
        raise ValueError(f"{name} can't be {value}")
    return value


def _analysed(record: type[Any], name: str, hint: Any) -> tuple[Kind, bool, tuple[str, ...], Codec | None]:
    alternatives = get_args(hint) if NoneType in get_args(hint) else (hint,)
    kept = [alternative for alternative in alternatives if alternative is not NoneType]
    nullable = len(kept) < len(alternatives)
    if len(kept) == 1 and get_origin(kept[0]) is Literal:
        return "text", nullable, get_args(kept[0]), None
    if len(kept) == 1 and kept[0] in _CODECS:
        return "object", nullable, (), _CODECS[kept[0]]
    kind = _KINDS.get(get_origin(kept[0]) or kept[0]) if len(kept) == 1 else None
    if kind is None:
        raise TypeError(f"{record.__name__}.{name} has a type that no database here can keep: {hint}")
    return kind, nullable, (), None


def _constant(value: Any) -> Any:
    return lambda: value
