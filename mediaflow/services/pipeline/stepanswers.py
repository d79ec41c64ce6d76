"""What a step's `run` returned, looked at where it was returned: a mistake is told by field, value and what fits."""

from __future__ import annotations

from types import UnionType
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from mediaflow.domain.errors import TaskFailed
from mediaflow.plugin import Artifact

_FIELDS: Final[dict[str, Any]] = get_type_hints(Artifact)


def checked_artifacts(step: str, returned: Any) -> list[Artifact]:
    """The artifacts. TaskFailed (`job.step_broken`) with the step's name (`The step ...`) for anything else."""
    if returned is None or isinstance(returned, Artifact):
        what = "None" if returned is None else "one Artifact"
        raise _broken(f"{step} returned {what}; it must return Artifacts")
    artifacts = list(returned)
    for artifact in artifacts:
        if not isinstance(artifact, Artifact):
            raise _broken(f"{step} returned {artifact!r:.200} among its artifacts; it must be an Artifact")
        for name, kind in _FIELDS.items():
            if not _fits(value := getattr(artifact, name), kind):
                raise _broken(
                    f"{step} says of {str(artifact.path)!r:.200} that its {name} is {value!r:.200};"
                    f" it must be {_told(kind)}"
                )
    return artifacts


def _fits(value: Any, kind: Any) -> bool:
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if isinstance(kind, UnionType):
        return any(_fits(value, each) for each in get_args(kind))
    if kind is bool:
        return isinstance(value, bool)
    # a number may be told as an int; True is none
    return isinstance(value, (int, float) if kind is float else kind) and not isinstance(value, bool)


def _told(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return f"one of {', '.join(get_args(kind))}"
    return " or ".join("None" if each is type(None) else each.__name__ for each in get_args(kind) or (kind,))


def _broken(detail: str) -> TaskFailed:
    return TaskFailed(f"{detail}.", code="job.step_broken")
