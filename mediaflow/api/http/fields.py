"""Fields that do not guess: no "5" for 5, no 1 for true; text without control characters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from marshmallow import RAISE, Schema, ValidationError, fields, pre_load, validate

from mediaflow.api.http.errors import MISSING_FIELD, MOST_PROBLEMS, UNKNOWN_FIELD
from mediaflow.services.text.plain import VISIBLE, is_visible, sanitised

_MESSAGES: Final = {"required": MISSING_FIELD, "null": "must not be null", "validator_failed": "is not allowed here"}
_WHOLE: Final = re.compile("0|-?[1-9][0-9]{0,18}")
_MOMENT: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:)([0-9]{2})((?:\.[0-9]{1,9})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2}))"
)


def _messages(**more: str) -> dict[str, Any]:
    return {**_MESSAGES, **more}


_NUMBER_MESSAGES: Final = _messages(invalid="must be a whole number", too_large="is too large")


class Body(Schema):
    """What clients send: every member is known and of its own type."""

    class Meta:
        """Unknown members are errors, not ignored."""

        unknown = RAISE

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.error_messages = {**self.error_messages, "unknown": UNKNOWN_FIELD, "type": "must be a JSON object"}

    @pre_load
    def _few_members(self, data: Any, **_: Any) -> Any:
        """Many unknown members are all that is said of an object: marshmallow takes 8 microseconds for each."""
        if isinstance(data, Mapping) and len(data) > len(self.fields) + MOST_PROBLEMS:
            known = {field.data_key or name for name, field in self.fields.items()}
            raise ValidationError({name: [UNKNOWN_FIELD] for name in data if name not in known})
        return data


class whole(fields.Integer):  # noqa: N801  # declared like the functions below
    """A whole number of JSON (`28.0` is one, RFC 8259 section 6), and nothing that could be read as one."""

    def __init__(self, **options: Any) -> None:
        super().__init__(strict=True, error_messages=_NUMBER_MESSAGES, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> int:
        if isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        exact = int(value) if isinstance(value, float) and value.is_integer() else value
        return super()._deserialize(exact, attr, data, **options)


class number(fields.Integer):  # noqa: N801  # declared like the functions beside it
    """A whole number of a query string, where everything is text: as JSON has it, not `1_0`, `+1`, ` 1`, `01`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(error_messages=_NUMBER_MESSAGES, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> int:
        if not isinstance(value, str) or _WHOLE.fullmatch(value) is None:
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **options)


def switch(**options: Any) -> fields.Boolean:
    """`true` or `false` of a query string."""
    messages = _messages(invalid="must be true or false")
    return fields.Boolean(truthy={"true"}, falsy={"false"}, error_messages=messages, **options)


def choice(*choices: str, **options: Any) -> fields.String:
    """One of a few words."""
    words = validate.OneOf(choices, error="must be one of: {choices}")
    return fields.String(validate=words, error_messages=_messages(invalid="must be text"), **options)


def matching(pattern: str, error: str, **options: Any) -> fields.String:
    """Text of a certain form, all of it."""
    form = re.compile(pattern)

    def check(value: str) -> None:
        if form.fullmatch(value) is None:  # `$` would let a line feed through
            raise ValidationError(error)

    messages = _messages(invalid="must be text")
    described = {"pattern": f"^{pattern}$", **options.pop("metadata", {})}
    return fields.String(validate=check, error_messages=messages, metadata=described, **options)


class listed(fields.List[Any]):  # noqa: N801  # declared like the functions beside it
    """A list of at least `least` and at most `most` elements, which are counted before one is looked at."""

    def __init__(self, element: fields.Field[Any], *, least: int = 0, most: int, **options: Any) -> None:
        counted = f"{least} to {most}" if least else f"at most {most}"
        self.length = validate.Length(least, most, error=f"must have {counted} elements")
        given = options.pop("validate", ())
        checks = [self.length, *(given if isinstance(given, list | tuple) else (given,))]
        super().__init__(element, validate=checks, error_messages=_messages(invalid="must be a list"), **options)

    def _deserialize(self, value: Any, *arguments: Any, **options: Any) -> list[Any]:
        if isinstance(value, list):
            self.length(value)
        return super()._deserialize(value, *arguments, **options)


def inner(schema: type[Schema], **options: Any) -> fields.Nested:
    """An object within the object."""
    return fields.Nested(schema, error_messages=_messages(type="must be a JSON object"), **options)


class Truth(fields.Boolean):
    """`true` or `false` of JSON."""

    def __init__(self, **options: Any) -> None:
        super().__init__(error_messages=_messages(invalid="must be true or false"), **options)

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return value


class Text(fields.String):
    """Sanitised text of at most `longest` characters: NFC, trimmed, without control characters and turns of direction.

    With `lines`, line feeds and tabs stay. With `shortest`, something of it can be seen.
    """

    def __init__(self, *, longest: int, shortest: int = 0, lines: bool = False, **options: Any) -> None:
        metadata = {"maxLength": longest, "minLength": shortest, **options.pop("metadata", {})}
        if shortest:
            metadata["pattern"] = VISIBLE
        super().__init__(metadata=metadata, error_messages=_messages(invalid="must be text"), **options)
        self.longest, self.shortest, self.lines = longest, shortest, lines

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        # before anything looks at it: what is done below costs something for each character
        self._check_length(len(value))
        text = sanitised(value, lines=self.lines)
        if len(text) < self.shortest or (self.shortest and not is_visible(text)):
            raise ValidationError("must not be empty")
        self._check_length(len(text))
        return text

    def _check_length(self, length: int) -> None:
        """Both counts: as it was sent, which is how the OpenAPI document counts, and in NFC, which can be longer."""
        if length > self.longest:
            raise ValidationError(f"must have at most {self.longest} characters, not {length}")


class Timestamp(fields.Float):
    """Seconds since the epoch, told as RFC 3339 in UTC with milliseconds."""

    def _serialize(self, value: Any, *_: Any, **__: Any) -> Any:
        return None if value is None else rfc3339(value)


class Moment(fields.String):
    """A time of RFC 3339, with its offset from UTC, as seconds since the epoch."""

    def __init__(self, *, metadata: dict[str, Any] | None = None, **options: Any) -> None:
        described = {"format": "date-time", "examples": ["2026-01-31T08:15:30Z"], **(metadata or {})}
        super().__init__(metadata=described, error_messages=_messages(invalid="must be text"), **options)

    def _deserialize(self, value: Any, *arguments: Any, **options: Any) -> Any:
        text = super()._deserialize(value, *arguments, **options)
        message = "must be a time such as 2026-01-31T08:15:30Z (RFC 3339)"
        match = _MOMENT.fullmatch(text)
        if match is None:
            raise ValidationError(message)
        # a leap second, which Python's clock does not know, is the one after
        leap = match[2] == "60"
        try:
            moment = datetime.fromisoformat(f"{match[1]}{'59' if leap else match[2]}{match[3]}".upper())
            return moment.astimezone(UTC).timestamp() + leap
        except (ValueError, OverflowError) as error:
            raise ValidationError(message) from error


def rfc3339(seconds: float) -> str:
    """`2026-01-31T08:15:30.250Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
