"""Runs a step in a child process of its own: a plugin that hangs, exits or writes elsewhere harms its own task only.

The child sees the whole machine read-only, except its own directory; the data directory, other tasks' directories and
/tmp are hidden. It keeps the network (a step may call a service); the programs that it runs on the source have none
(`mediaflow/sandbox/runner.py`). What it started and left behind, in whatever session, is known by a mark in its
environment and ended after it.
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final, Protocol

import structlog

from mediaflow.domain.errors import MediaRejected, TaskFailed
from mediaflow.domain.ids import new_id
from mediaflow.plugin import ENTRY_POINT_GROUP, Artifact, Limits, MediaContext
from mediaflow.plugin.wire import load
from mediaflow.sandbox.marks import MARK_VARIABLE, end_marked
from mediaflow.sandbox.runner import CLEAN_ENVIRONMENT, outer_bubblewrap, readable_stderr, with_parent
from mediaflow.sandbox.watchdog import Ended, Watch, watched
from mediaflow.services.ports import StepHooks, StepRequest
from mediaflow.settings import Settings

_log = structlog.get_logger("mediaflow.steps")
_STDERR_SHOWN: Final = 2000


class StepOwners(Protocol):
    """Which plugin offers a step, and what that plugin may know (`registry/`)."""

    def entry_point_of_step(self, step: str) -> str: ...

    def context(self, plugin: str | None = None) -> MediaContext: ...


@dataclass(frozen=True, slots=True)
class ChildSteps:
    """Implements `ports.StepRunner` with one child process a task."""

    settings: Settings
    plugins: StepOwners

    def run(self, request: StepRequest, hooks: StepHooks) -> list[dict[str, Any]]:
        """The artifacts of the step, each a file in the request's directory with the size that it says.

        Raises MediaRejected when the step does; TaskFailed for everything else, naming the step and its plugin
        (`job.step_broken` when the child ended or spoke otherwise than it should).
        """
        plugin = self.plugins.entry_point_of_step(request.step)
        told = _Told(f"The step {request.step!r} of the plugin {plugin!r}", hooks)
        limits = Limits(request.time_limit_seconds)
        watch = Watch(told.name, limits, told.line, hooks.cancelled, self._document(plugin, request))
        mark = new_id()
        try:
            ended = watched(self._argv(request), watch, env=_environment(mark), cwd=Path(request.directory))
        finally:
            end_marked(mark)
        artifacts = told.outcome(ended, readable_stderr(ended.stderr, [Path(request.source), Path(request.directory)]))
        _check_files(told.name, artifacts, Path(request.directory))
        return artifacts

    def _document(self, plugin: str, request: StepRequest) -> bytes:
        """What the child reads on stdin; settings are here, so that no secret is in an environment or an argument."""
        document = {
            "plugin": plugin,
            "entry_point": _entry_point(plugin),
            "step": request.step,
            "task": request.task,
            "source": request.source,
            "directory": request.directory,
            "inputs": request.inputs,
            "sandbox": self.settings.sandbox,
            "settings": dict(self.plugins.context(plugin).settings),
        }
        return json.dumps(document).encode()

    def _argv(self, request: StepRequest) -> list[str]:
        # -P: the current directory is the step's own, modules are not looked for there
        command = [sys.executable, "-P", "-m", "mediaflow.services.pipeline.stepchild"]
        if self.settings.sandbox == "off":
            return with_parent(command)
        directory = Path(request.directory)
        return outer_bubblewrap(
            command,
            hidden=[Path("/tmp"), self.settings.data_path, directory.parent],  # noqa: S108 - an empty one instead
            reads=[*_code(), Path(request.source), *(Path(made["directory"]) for made in request.inputs.values())],
            writes=directory,
        )


@dataclass(slots=True)
class _Told:
    """What the child says, line by line."""

    name: str
    hooks: StepHooks
    artifacts: list[dict[str, Any]] = field(default_factory=list)
    done: bool = False
    error: Mapping[str, str] | None = None

    def line(self, text: str) -> None:
        """One line of the protocol of `mediaflow/services/pipeline/stepchild.py`."""
        try:
            match json.loads(text):
                case {"progress": float() | int() as fraction} if math.isfinite(fraction):
                    self.hooks.progress(min(1.0, max(0.0, float(fraction))))
                case {"artifact": dict() as artifact}:
                    self.artifacts.append(artifact)
                case {"done": int() as count} if count == len(self.artifacts):
                    self.done = True
                case {"error": {"kind": str(), "code": str(), "detail": str()} as error}:
                    self.error = error
                case _:
                    raise self._broken(f"sent something that is no answer: {text[:100]!r}")
        except ValueError as error:
            raise self._broken(f"sent something that is no answer: {text[:100]!r}") from error

    def outcome(self, ended: Ended, stderr: str) -> list[dict[str, Any]]:
        """The artifacts, or what went wrong as an exception."""
        if self.error is not None:
            raise self._told_error(self.error, stderr)
        if ended.returncode != 0 or not self.done:
            what = _exit_sentence(ended.returncode)
            _log.warning("step broken", step=self.name, returncode=ended.returncode, stderr=stderr[-_STDERR_SHOWN:])
            raise self._broken(f"{what} without a result")
        return self.artifacts

    def _told_error(self, error: Mapping[str, str], stderr: str) -> MediaRejected | TaskFailed:
        detail, code = error["detail"][:1000], error["code"][:100]
        if error["kind"] == "rejected":
            return MediaRejected(detail, code=code)
        _log.warning("step failed", step=self.name, code=code, detail=detail, stderr=stderr[-_STDERR_SHOWN:])
        if code == "plugin.failed":
            detail = f"{self.name} failed: {detail}"
        return TaskFailed(detail, code=code)

    def _broken(self, what: str) -> TaskFailed:
        return TaskFailed(f"{self.name} {what}.", code="job.step_broken")


def _exit_sentence(returncode: int) -> str:
    # bubblewrap tells a signal as shells do: 128 + its number
    number = -returncode if returncode < 0 else returncode - 128
    return f"was killed by signal {number}" if number > 0 else f"ended with exit code {returncode}"


def _check_files(name: str, artifacts: Iterable[Mapping[str, Any]], directory: Path) -> None:
    """Every artifact is a file of its own below the directory, with its size: the child's word is not taken for it."""
    root, seen = directory.resolve(), set()
    for document in artifacts:
        try:
            artifact = load(Artifact, document)
        except Exception as error:  # cattrs raises groups of many kinds
            raise TaskFailed(f"{name} sent an artifact of a wrong shape.", code="job.step_broken") from error
        path = PurePosixPath(artifact.path)
        file = (directory / path).resolve()
        inside = not path.is_absolute() and ".." not in path.parts and file == root / path
        if not inside or not file.is_file() or file in seen:
            raise TaskFailed(
                f"{name} names {artifact.path!r} as its file; it must be a file in its directory, named once.",
                code="job.step_broken",
            )
        if file.stat().st_size != artifact.size_bytes:
            raise TaskFailed(
                f"{name} says that {artifact.path} has {artifact.size_bytes} bytes; it has {file.stat().st_size}.",
                code="job.step_broken",
            )
        seen.add(file)


def _entry_point(plugin: str) -> str:
    found = tuple(importlib.metadata.entry_points(group=ENTRY_POINT_GROUP, name=plugin))
    if not found:
        raise TaskFailed(f"The plugin {plugin!r} is not installed (any more).", code="job.step_broken")
    return found[0].value


def _environment(mark: str) -> dict[str, str]:
    """No variable of ours but where programs and modules are; Python adds what is installed by itself."""
    modules = os.pathsep.join(path for path in sys.path if path and not path.startswith((sys.prefix, sys.base_prefix)))
    return {
        **CLEAN_ENVIRONMENT,
        "PATH": os.environ.get("PATH", CLEAN_ENVIRONMENT["PATH"]),
        "PYTHONPATH": modules,
        MARK_VARIABLE: mark,
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _code() -> list[Path]:
    """Where Python and its modules are, to be seen even when they lie in a directory that is hidden."""
    places = [Path(path) for path in (*sys.path, sys.prefix, sys.base_prefix) if path]
    # editable installs are found by hooks and not by sys.path; the plugins are loaded here, so their places are known
    packages = [module for name, module in sys.modules.items() if "." not in name and hasattr(module, "__path__")]
    places += [Path(path) for package in packages for path in package.__path__]
    return [place for place in dict.fromkeys(places) if place.exists()]
