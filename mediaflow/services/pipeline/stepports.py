"""A step in a process of its own: what is asked of it, and who hears what it does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from mediaflow.domain.presentation import Artifact
from mediaflow.sandbox.budget import Budget


class StepRunner(Protocol):
    """Runs one step in a child process of its own (`services/pipeline/stepprocess.py`)."""

    def run(self, request: StepRequest, hooks: StepHooks) -> list[dict[str, Any]]: ...


@dataclass(frozen=True, slots=True)
class StepRequest:
    """What the child gets: the step, its task as JSON, the source and the directory that it may write to.

    `inputs` are what needed tasks made, by name, to be read only: `{"directory": ..., "artifacts": [...]}` each.
    `nice` is how far it, and all that it starts, give way to other programs: 0 (not at all) to 19, see nice(2);
    `budget` is what they may use. Of a `partial` source only what the task said that it reads may be read.
    """

    step: str
    task: dict[str, Any]
    source: str
    directory: str
    time_limit_seconds: float
    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    nice: int = 0
    budget: Budget | None = None
    partial: bool = False


class StepHooks(Protocol):
    """What the parent does while a child works."""

    def progress(self, fraction: float) -> None: ...
    def warned(self, sentence: str) -> None: ...
    def made(self, artifact: Artifact) -> None:
        """A file is whole, and may be kept while the child goes on."""

    def cancelled(self) -> str | None:
        """A reason to stop the child at once, or None."""

    def nice(self) -> int:
        """How far the child gives way from now on, with all that it started, where that is more than before."""
