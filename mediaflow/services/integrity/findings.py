"""What is found, and who finds it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from mediaflow.services.ports import After, OneOf, Repository

PAGE: Final = 200
LOST: Final = "storage.lost_object"
"""The code of the error that stands beside what can't be had back."""

R = TypeVar("R")
Mend = Callable[[], bool]
Again = Callable[[], "Iterator[Finding]"]


@dataclass(frozen=True, slots=True)
class Finding:
    """An invariant that does not hold. `code` says which, `subject` is the id (or key) of what it does not hold for.

    `remedy` is what repairing does, as the end of a sentence; None when nothing helps. `mend` does it by
    compare-and-set, False when the subject had changed in the meantime. A `note` harms nothing, or goes by itself.
    `is_loss`: something is missing in the storage, which may be back when the right one is there. `again` tells what
    does not hold for the subject now.
    """

    code: str
    subject: str
    detail: str
    remedy: str | None = None
    mend: Mend | None = field(default=None, compare=False, repr=False)
    note: bool = False
    is_loss: bool = False
    again: Again | None = field(default=None, compare=False, repr=False)


class Examiner(Protocol):
    """Looks after one kind of document or object."""

    @property
    def kind(self) -> str:
        """What it looks at, for people: `uploads`."""
        ...

    def suspects(self, told: Callable[[int], None]) -> Iterator[Finding]:
        """What does not hold at a first look over everything; `told` hears how many more were looked at."""
        ...

    def again(self, subject: str) -> Iterator[Finding]:
        """What does not hold for this one, read anew."""
        ...


def pages(repository: Repository[R], *, by: str = "id", size: int = PAGE) -> Iterator[list[R]]:
    """All records in the order of a text field whose values are distinct, a page at a time."""
    after = ""
    while found := repository.find({by: After(after)}, sort=(by,), limit=size):
        yield found
        after = str(getattr(found[-1], by))


def by_id(repository: Repository[R], ids: Iterable[str | None]) -> dict[str, R]:
    """Those of the records that there are, by their ids."""
    wanted = tuple({one for one in ids if one})
    found: dict[str, Any] = {}
    for start in range(0, len(wanted), PAGE):
        for record in repository.find({"id": OneOf(wanted[start : start + PAGE])}):
            one: Any = record
            found[one.id] = record
    return found


def setting(repository: Repository[R], record_id: str, expect: Mapping[str, Any], changes: Mapping[str, Any]) -> Mend:
    """A repair that is one compare-and-set."""
    return lambda: repository.change(record_id, expect, changes) is not None


def error_of(code: str, detail: str) -> dict[str, Any]:
    """An error as documents keep it."""
    return {"code": code, "detail": detail}


def no_reason(kind: str, record: Any, repository: Repository[Any]) -> Iterator[Finding]:
    """Whatever fails does so with a reason."""
    if record.state in ("failed", "rejected") and not record.error:
        told = error_of(f"{kind}.failed", "It failed, and nobody wrote down why.")
        yield Finding(
            f"{kind}.no_reason",
            record.id,
            f"it is {record.state} without a reason",
            "a reason is written that says so",
            setting(repository, record.id, {"rev": record.rev}, {"error": told}),
        )
