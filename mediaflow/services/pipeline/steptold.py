"""What a step's child says, line by line, and whether it is so: nothing of it is trusted, neither shape nor amount."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

import structlog

from mediaflow.domain.errors import MediaRejected, TaskFailed
from mediaflow.domain.telling import last_said
from mediaflow.plugin import Artifact
from mediaflow.plugin.wire import dump, load
from mediaflow.sandbox.lastwords import exit_phrase
from mediaflow.sandbox.watchdog import Ended
from mediaflow.services.pipeline.madefiles import unfit_artifact
from mediaflow.services.pipeline.stepports import StepHooks

_log = structlog.get_logger("mediaflow.steps")
_STDERR_SHOWN: Final = 2000
_NO_FRACTION: Final = 1e9
"""Progress a little off is forgiven; this is none (nor is NaN, or an integer that no float can hold)."""
REPORTS_AT_ONCE: Final = 1000
REPORTS_PER_SECOND: Final = 50
"""Ten times what `Workspace.progress` lets through: whoever reports more keeps the worker busy."""
MOST_ARTIFACTS: Final = 50_000
"""Of one task: segments of two seconds for more than a day."""
MOST_ARTIFACT_BYTES: Final = 16 * 1024 * 1024
"""So long are all lines together that name artifacts."""
MOST_WARNINGS: Final = 20
LONGEST_WARNING: Final = 300


_CODE: Final = re.compile(r"[a-z][a-z0-9_.-]{0,99}")


@dataclass(slots=True)
class Told:
    """What the child says. `name` is how messages call the step; each raises TaskFailed `job.step_broken` with it."""

    name: str
    hooks: StepHooks
    directory: Path
    artifacts: list[Artifact] = field(default_factory=list)
    done: bool = False
    error: Mapping[str, str] | None = None
    _made: set[str] = field(default_factory=set)
    _told_early: list[int] = field(default_factory=lambda: [0, 0])
    _told_last: list[int] = field(default_factory=lambda: [0, 0])
    _reports: int = 0
    _warnings: int = 0
    _began: float = field(default_factory=time.monotonic)

    def line(self, text: str) -> None:
        """One line of the protocol of `mediaflow/services/pipeline/stepchild.py`."""
        match self._parsed(text):
            case {"progress": float() | int() as fraction} if abs(fraction) < _NO_FRACTION:
                self._count_report()
                self.hooks.progress(min(1.0, max(0.0, float(fraction))))
            case {"warning": str() as sentence}:
                self._warn(sentence)
            case {"made": dict() as artifact}:
                self._keep(self._artifact(artifact, text, self._told_early))
            case {"artifact": dict() as artifact}:
                self.artifacts.append(self._artifact(artifact, text, self._told_last))
            case {"done": int() as count} if count == len(self.artifacts):
                self.done = True
            case {"error": {"kind": str(), "code": str(), "detail": str()} as error}:
                self.error = error
            case _:
                raise self._no_answer(text)

    def outcome(self, ended: Ended, stderr: str) -> list[dict[str, Any]]:
        """The artifacts, files in the directory, or what went wrong as an exception."""
        if self.error is not None:
            raise self._told_error(self.error, stderr)
        if ended.returncode != 0 or not self.done:
            what = exit_phrase(ended.returncode)
            _log.warning("step broken", step=self.name, returncode=ended.returncode, stderr=stderr[-_STDERR_SHOWN:])
            raise self._broken(f"{what} without a result{last_said(stderr)}")
        self._check_files(self.artifacts)
        return [dump(artifact) for artifact in self.artifacts]

    def _count_report(self) -> None:
        self._reports += 1
        if self._reports > REPORTS_AT_ONCE + REPORTS_PER_SECOND * (time.monotonic() - self._began):
            raise self._broken(f"reports its progress more than {REPORTS_PER_SECOND} times a second")

    def _warn(self, sentence: str) -> None:
        """What is said beyond the limits is not heard, rather than a reason to fail."""
        self._count_report()
        self._warnings += 1
        if self._warnings <= MOST_WARNINGS and (said := " ".join(_text(sentence).split())):
            self.hooks.warned(said[:LONGEST_WARNING])

    def _parsed(self, text: str) -> Any:
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise self._no_answer(text) from error

    def _keep(self, artifact: Artifact) -> None:
        """Have a file kept that is whole, each once. What is wrong with it is told as at the end."""
        if artifact.path in self._made:
            return
        self._made.add(artifact.path)
        self._check_files([artifact])
        self.hooks.made(artifact)

    def _check_files(self, artifacts: Iterable[Artifact]) -> None:
        try:
            check_files(self.name, artifacts, self.directory)
        except (OSError, RuntimeError) as error:  # a path that is too long, links that lead to themselves
            raise self._broken(f"names a file that can't be looked at: {error!s:.300}") from error

    def _artifact(self, document: dict[str, Any], text: str, told: list[int]) -> Artifact:
        """The artifact of a line; `told` are the bytes and the number of those of its kind until now."""
        size, count = told[0] + len(text), told[1] + 1
        told[:] = size, count
        if count > MOST_ARTIFACTS or size > MOST_ARTIFACT_BYTES:
            raise self._broken(
                f"sent more artifacts than a task may have: {MOST_ARTIFACTS} in {MOST_ARTIFACT_BYTES} bytes"
            )
        try:
            artifact = load(Artifact, document)
            json.dumps(dump(artifact), ensure_ascii=False).encode()  # half of a surrogate pair is no text
        except Exception as error:  # cattrs raises groups of many kinds
            raise self._broken(f"sent an artifact of a wrong shape: {text[:300]!r}") from error
        return artifact

    def _told_error(self, error: Mapping[str, str], stderr: str) -> MediaRejected | TaskFailed:
        detail = _text(error["detail"][:1000])
        code = error["code"] if _CODE.fullmatch(error["code"]) else "plugin.failed"
        if error["kind"] == "rejected":
            return MediaRejected(detail, code=code)
        _log.warning("step failed", step=self.name, code=code, detail=detail, stderr=stderr[-_STDERR_SHOWN:])
        if code == "plugin.failed":
            detail = f"{self.name} failed: {detail}"
        return TaskFailed(detail, code=code)

    def _no_answer(self, text: str) -> TaskFailed:
        return self._broken(f"sent something that is no answer: {text[:100]!r}")

    def _broken(self, what: str) -> TaskFailed:
        return TaskFailed(f"{self.name} {what}.", code="job.step_broken")


def _text(told: str) -> str:
    """Without halves of surrogate pairs, which can't be stored or sent."""
    return told.encode(errors="replace").decode()


def check_files(name: str, artifacts: Iterable[Artifact], directory: Path) -> None:
    """Every artifact is a file of its own below the directory, with its size: the child's word is not taken for it."""
    root, seen = directory.resolve(), set()
    for artifact in artifacts:
        path = PurePosixPath(artifact.path)
        inside = "\0" not in artifact.path and not path.is_absolute() and ".." not in path.parts
        file = (directory / path).resolve() if inside else root
        if file != root / path or not file.is_file() or file in seen:
            raise TaskFailed(
                f"{name} names {artifact.path!r:.200} as its file; it must be a file in its directory, named once.",
                code="job.step_broken",
            )
        if problem := unfit_artifact(artifact):
            raise TaskFailed(f"{name} says of {artifact.path!r:.200} {problem}.", code="job.step_broken")
        if not os.access(file, os.R_OK):
            raise TaskFailed(
                f"{name} made {artifact.path}, which can't be read; its mode must be 0600 or more.",
                code="job.step_broken",
            )
        if file.stat().st_size != artifact.size_bytes:
            raise TaskFailed(
                f"{name} says that {artifact.path} has {artifact.size_bytes} bytes; it has {file.stat().st_size}.",
                code="job.step_broken",
            )
        seen.add(file)
