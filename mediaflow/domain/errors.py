"""One tree of errors. Each carries a stable code, a sentence for people and facts for programs.

The HTTP status of each class is in one table, `mediaflow/api/http/errors.py`; nothing here knows about HTTP.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

REPEATING_CODES: Final = frozenset(
    (
        "job.bad_manifest",
        "job.bad_output",
        "job.bad_plan",
        "job.bad_task",
        "job.incomplete",
        "job.name_taken",
        "job.output_too_large",
        "job.timeout",
        "job.unknown_profile",
        "plugin.broken",
    )
)
"""Errors of work that are a function of its input: the same code and detail twice in a row will come a third time too.

What the surroundings do (a storage, a database, a process that dies) is not among them. A time limit is: it is many
times what a task takes, and whoever reached it twice would hold its cores for three more of it.
"""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an input.

    `code` is stable (`upload.*`, `media.*`, ...), `detail` is a sentence with the value and the way out, `pointer` is a
    JSON pointer (RFC 6901) to the member that is wrong, or None when no single member is.
    """

    code: str
    detail: str
    pointer: str | None = None


def all_said(problems: Iterable[Problem]) -> str:
    """What several problems say, each once."""
    return " ".join(dict.fromkeys(problem.detail for problem in problems))


class MediaflowError(Exception):
    """Base of every error that a user may see: a stable `code`, a sentence `detail`, and `facts` for programs."""

    default_code = "internal.error"

    def __init__(
        self, detail: str, *, code: str | None = None, problems: tuple[Problem, ...] = (), **facts: Any
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.default_code
        self.problems = problems
        self.facts = facts


class InvalidInput(MediaflowError):
    """The request or file is understood and wrong; sending it again unchanged can't help."""

    default_code = "request.invalid"


class Unauthenticated(MediaflowError):
    """Nobody is known to be asking: no credential, or one that is expired or forged."""

    default_code = "auth.required"


class Forbidden(MediaflowError):
    """Somebody known is asking, whose role does not allow it."""

    default_code = "auth.forbidden"


class NotFound(MediaflowError):
    """There is no such thing, or none that the asking principal may know of."""

    default_code = "request.not_found"


class Conflict(MediaflowError):
    """The thing is in a state that does not allow this."""

    default_code = "request.conflict"


class Busy(Conflict):
    """Somebody else is doing just this; `retry_after_seconds` says when to ask again."""

    default_code = "request.busy"

    def __init__(self, detail: str, *, retry_after_seconds: int = 1, code: str | None = None, **facts: Any) -> None:
        super().__init__(detail, code=code, **facts)
        self.retry_after_seconds = retry_after_seconds


class PreconditionFailed(Conflict):
    """The thing was changed since the caller saw it; look again, then decide."""

    default_code = "request.precondition_failed"


class TooLarge(MediaflowError):
    """Larger than a limit of this service; `limit` is among the facts."""

    default_code = "limit.too_large"


class LimitReached(MediaflowError):
    """Too much, for now: of requests, or of what a user may keep; `retry_after_seconds` says when to ask again."""

    default_code = "limit.rate"

    def __init__(self, detail: str, *, retry_after_seconds: int = 1, code: str | None = None, **facts: Any) -> None:
        super().__init__(detail, code=code, **facts)
        self.retry_after_seconds = retry_after_seconds


class InsufficientStorage(MediaflowError):
    """There is no room for what was announced."""

    default_code = "storage.full"


class Unavailable(MediaflowError):
    """A dependency does not answer; trying again later can help."""

    default_code = "storage.unavailable"
    retry_after_seconds = 5


class ConfigurationError(MediaflowError):
    """The service can't start as it is configured. The sentence names the place, the value and the way out."""

    default_code = "configuration.invalid"


class PluginFailed(MediaflowError):
    """A plugin's code raised something; the sentence names the plugin, the hook and the cause."""

    default_code = "plugin.failed"


class MediaRejected(MediaflowError):
    """The media itself is at fault (`media.*`): no retry can help, the asset becomes `rejected`."""

    default_code = "media.undecodable"


class TaskFailed(MediaflowError):
    """A task did not reach its goal for a reason outside the media; it may be tried again."""

    default_code = "job.task_failed"


class NeedsWholeSource(TaskFailed):
    """A step needs more of its source than it said that it reads (`Workspace.partial`): it is run again with all."""

    default_code = "job.needs_whole_source"


class LeaseLost(MediaflowError):
    """Somebody else owns the task now: stop at once and write nothing."""

    default_code = "job.lease_lost"
