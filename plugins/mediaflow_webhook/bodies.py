"""What the webhooks' operations take and give, as the OpenAPI document shows it."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from typing import Any, Final

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from mediaflow.plugin import EVENTS
from mediaflow_webhook.endpoints import GROUPS

LONGEST_URL: Final = 2000
LONGEST_DESCRIPTION: Final = 200
MOST_EVENTS: Final = 50
LARGEST_PAGE: Final = 100
LAST_PAGE: Final = 1_000_000
EXAMPLE_ID: Final = "0f8b6a1c2d3e4f5061728394a5b6c7d8"
_WHOLE: Final = re.compile("[1-9][0-9]{0,8}")


class Moment(fields.String):
    """Seconds since the epoch, told as RFC 3339 in UTC with milliseconds."""

    def __init__(self, *, metadata: dict[str, Any] | None = None, **options: Any) -> None:
        super().__init__(metadata={"format": "date-time", **(metadata or {})}, **options)

    def _serialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if value is None:
            return None
        return datetime.fromtimestamp(value, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Truth(fields.Boolean):
    """`true` or `false` of JSON, nothing that could be read as one."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("must be true or false")
        return value


class Number(fields.Integer):
    """A number of a query string."""

    def __init__(self, most: int, **options: Any) -> None:
        self.most = most
        super().__init__(**options, metadata={**options.pop("metadata", {}), "minimum": 1, "maximum": most})

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:
        if not isinstance(value, str) or _WHOLE.fullmatch(value) is None or int(value) > self.most:
            raise ValidationError(f"must be 1 to {self.most}")
        return int(value)


class Names(fields.List[Any]):
    """At most so many texts. Many more are refused by their number, before any of them is looked at."""

    def __init__(self, most: int, **options: Any) -> None:
        self.most = most
        super().__init__(fields.String(validate=options.pop("of")), **options)

    def _deserialize(self, value: Any, *positional: Any, **named: Any) -> list[Any]:
        if isinstance(value, list) and len(value) > self.most:
            raise ValidationError(f"must have at most {self.most} items, not {len(value)}")
        return super()._deserialize(value, *positional, **named)


def _text(value: str) -> None:
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in value):
        raise ValidationError("must hold no control characters")


class Input(Schema):
    """What clients send: every member is known."""

    class Meta:
        """Unknown members are errors, not ignored."""

        unknown = RAISE

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.error_messages = {**self.error_messages, "unknown": "is not known here", "type": "must be a JSON object"}


class PagesQuery(Input):
    """Which page of a listing."""

    page = Number(LAST_PAGE, load_default=1)
    page_size = Number(LARGEST_PAGE, load_default=20)


class WebhooksQuery(PagesQuery):
    """Which page, of whose webhooks."""

    all = fields.Boolean(
        load_default=False,
        truthy={"true"},
        falsy={"false"},
        metadata={"description": "For admins: everybody's."},
    )


class WebhookChanges(Input):
    """What can be set of a webhook."""

    url = fields.String(
        validate=_text,
        metadata={
            "description": "Where to post: `https://` or `http://`, a host of the open internet, port 80, 443 or one "
            "from 1024 on. Redirects are not followed.",
            "examples": ["https://example.org/hooks/mediaflow"],
            "format": "uri",
            "maxLength": LONGEST_URL,
        },
    )
    events = Names(
        MOST_EVENTS,
        of=validate.OneOf([*EVENTS, *GROUPS], error="must be one of: {choices}"),
        metadata={
            "description": "Names of events, or groups such as `asset.*`; none: all events.",
            "examples": [["asset.ready", "job.*"]],
            "maxItems": MOST_EVENTS,
        },
    )
    description = fields.String(
        validate=[validate.Length(max=LONGEST_DESCRIPTION), _text], metadata={"examples": ["Tells the shop."]}
    )
    enabled = Truth(metadata={"description": "Whether anything is sent."})


class NewWebhook(WebhookChanges):
    """A webhook to make."""

    url = fields.String(required=True, validate=_text, metadata=WebhookChanges._declared_fields["url"].metadata)
    enabled = Truth(load_default=True, metadata={"description": "Whether anything is sent."})
    all_owners = Truth(
        load_default=False,
        metadata={"description": "For admins: events of everybody's assets, not of one's own alone."},
    )


class Webhook(Schema):
    """A webhook, without its secret."""

    id = fields.String(required=True, metadata={"examples": [EXAMPLE_ID]})
    owner = fields.String(required=True, metadata={"examples": ["ann"]})
    url = fields.String(required=True, metadata={"examples": ["https://example.org/hooks/mediaflow"]})
    events = fields.List(fields.String(), required=True, metadata={"examples": [["asset.ready"]]})
    description = fields.String(required=True)
    all_owners = fields.Boolean(required=True)
    enabled = fields.Boolean(required=True)
    disabled_reason = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Why the service has disabled it; null when it has not."},
    )
    failing_since = Moment(
        required=True,
        allow_none=True,
        metadata={"description": "When the first of the attempts was made that have all failed since."},
    )
    created_at = Moment(required=True)


class NewSecret(Webhook):
    """A webhook with its secret, which is shown this once."""

    secret = fields.String(
        required=True, metadata={"description": "For your verifying library.", "examples": ["whsec_" + 43 * "A" + "="]}
    )


class Delivery(Schema):
    """An event on its way to a webhook, or there."""

    id = fields.String(
        required=True, metadata={"description": "Its `webhook-id`, the same in each attempt.", "examples": [EXAMPLE_ID]}
    )
    event = fields.String(required=True, metadata={"examples": ["asset.ready"]})
    event_id = fields.String(required=True)
    state = fields.String(required=True, metadata={"enum": ["waiting", "delivered", "failed"]})
    attempts = fields.Integer(required=True, metadata={"minimum": 0})
    status_code = fields.Integer(required=True, allow_none=True, metadata={"description": "Of the last answer."})
    answer = fields.String(required=True, metadata={"description": "How the last answer began (500 bytes)."})
    error = fields.String(required=True, allow_none=True, metadata={"description": "What was wrong the last time."})
    created_at = Moment(required=True)
    last_attempt_at = Moment(required=True, allow_none=True)
    next_attempt_at = Moment(required=True, allow_none=True)
    delivered_at = Moment(required=True, allow_none=True)


class Pages(Schema):
    """The frame of every listing."""

    page = fields.Integer(required=True, metadata={"minimum": 1})
    page_size = fields.Integer(required=True, metadata={"minimum": 1})
    total = fields.Integer(required=True, metadata={"minimum": 0, "description": "Items on all pages."})
    pages = fields.Integer(required=True, metadata={"minimum": 0})


class WebhookPage(Pages):
    """A page of webhooks."""

    items = fields.List(fields.Nested(Webhook), required=True)


class DeliveryPage(Pages):
    """A page of deliveries."""

    items = fields.List(fields.Nested(Delivery), required=True)
