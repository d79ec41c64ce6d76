"""What happened, as told to listeners (`mediaflow_on_event`): every event that there is, and what it carries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from mediaflow.domain.ids import new_id
from mediaflow.domain.suggest import suggestion


@dataclass(frozen=True, slots=True)
class EventKind:
    """`when` is a sentence for authors of listeners; `fields` are the keys of its `data`, always all of them."""

    when: str
    fields: tuple[str, ...] = ()


ERROR: Final = ("code", "detail")
EVENTS: Final[Mapping[str, EventKind]] = MappingProxyType(
    {
        "asset.created": EventKind("An upload was announced; its file is on its way.", ("upload_id", "filename")),
        "upload.stored": EventKind("The file is here, hashed and in its place; its job follows.", ("upload_id",)),
        "upload.failed": EventKind("The file is not what was announced; its asset is `failed`.", ("upload_id", *ERROR)),
        "upload.aborted": EventKind("The upload was given up, and its asset with it.", ("upload_id",)),
        "upload.expired": EventKind("The upload was not completed in time; its asset went with it.", ("upload_id",)),
        "task.failed": EventKind(
            "A task ended failed for good: after its last attempt, or at once where no other would help. "
            "An `optional` one is left out, any other ends its job.",
            (*ERROR, "task", "stage", "step", "attempt", "optional"),
        ),
        "job.done": EventKind("A job reached its goal: what it made is published, or a chosen picture shown."),
        "job.failed": EventKind("A job ended without it.", ERROR),
        "job.cancelled": EventKind("A job was stopped: by a request, by a delete, by a newer job.", ERROR),
        "asset.processing": EventKind("A job begins to make a generation, the first or a later one.", ("generation",)),
        "asset.playable": EventKind(
            "Viewers may begin while the rest of its first generation is made.", ("generation",)
        ),
        "asset.ready": EventKind("A generation was published, the first or a later one.", ("generation",)),
        "asset.failed": EventKind("The asset could not be processed, and has nothing to show.", ERROR),
        "asset.rejected": EventKind("The file was refused after probing (a code `media.*`).", ERROR),
        "asset.updated": EventKind("Title, description, tags or visibility are others now.", ("changes",)),
        "asset.captioned": EventKind("Its captions are others now; all of their languages are listed.", ("languages",)),
        "asset.shared": EventKind("It is shared with others than before; all of them are listed.", ("shared_with",)),
        "original.changed": EventKind(
            "Its original was archived, brought back or deleted; or one that was linked is gone, or there again.",
            ("state",),
        ),
        "asset.deleted": EventKind("It is in the trash, until `purge_at` (seconds since the epoch).", ("purge_at",)),
        "asset.restored": EventKind("It was taken back from the trash."),
        "asset.purged": EventKind("Everything of it is gone for good."),
    }
)


@dataclass(frozen=True, slots=True)
class Event:
    """`name` is one of EVENTS (ValueError else; a newer mediaflow may have logged others), whose fields `data` has.

    `at` is seconds since the epoch, UTC. `asset_id` is set in each of them; `job_id` where a job did it. `id` is the
    same each time that the event is told. `number` is its place in the log of events, the first has 1: what is told
    later has a larger one, and no number is left out (None: it is not in the log yet).
    """

    name: str
    at: float
    owner: str
    asset_id: str | None = None
    job_id: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=new_id)
    number: int | None = None

    def __post_init__(self) -> None:
        if self.number is None and self.name not in EVENTS:
            raise ValueError(f"there is no event {self.name!r}{suggestion(self.name, EVENTS)}")

    def numbered(self, number: int) -> Event:
        """The event at its place in the log."""
        return replace(self, number=number)

    def document(self) -> dict[str, Any]:
        """The event as a JSON object, without its id and number."""
        return {name: getattr(self, name) for name in _KEPT} | {"data": dict(self.data)}

    @classmethod
    def of_document(cls, event_id: str, document: Mapping[str, Any]) -> Event:
        """The event that `document` made that object of."""
        return cls(**{name: document[name] for name in (*_KEPT, "data")}, id=event_id)


_KEPT: Final = ("name", "at", "owner", "asset_id", "job_id")
