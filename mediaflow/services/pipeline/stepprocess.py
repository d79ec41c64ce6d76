"""Runs a step in a child process of its own: a plugin that hangs, exits or writes elsewhere harms its own task only.

The child is forked from a prepared process of this worker that has imported the plugins, since Python's start and the
imports would take longer than many a step. It is in namespaces of its own: programs, libraries and /etc read-only, its
own directory, no network unless the step says that it needs it, no other processes; and in them an unprivileged user
behind a filter of system calls. What it started and left behind ends with its process namespace; without a sandbox
that is known by a mark in its environment. Programs that it wants run on the source run beside it
(`sandbox/errands.py`).
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final, Protocol

import structlog

from mediaflow.domain.containment import contained
from mediaflow.domain.errors import TaskFailed
from mediaflow.domain.ids import new_id
from mediaflow.domain.telling import cause
from mediaflow.plugin import ENTRY_POINT_GROUP, Limits, MediaContext, UsesDevices, UsesNetwork
from mediaflow.sandbox.budget import Meter, grouped
from mediaflow.sandbox.cgroups import MemoryGroup
from mediaflow.sandbox.devices import device_files
from mediaflow.sandbox.errands import Errands, Room
from mediaflow.sandbox.marks import end_marked
from mediaflow.sandbox.ownership import give
from mediaflow.sandbox.prepared import Fork, PreparedProcess
from mediaflow.sandbox.runner import SandboxedRunner, readable_stderr
from mediaflow.sandbox.users import SandboxUser, borrowed_user
from mediaflow.sandbox.view import Namespaces, View, opened_view
from mediaflow.sandbox.watchdog import Ended, Watch, watch_to_end
from mediaflow.services.pipeline.confinement import confinement_of
from mediaflow.services.pipeline.stepcode import child_environment, code_places
from mediaflow.services.pipeline.stepports import StepHooks, StepRequest
from mediaflow.services.pipeline.steptold import Told
from mediaflow.settings import MASK, Settings

_log = structlog.get_logger("mediaflow.steps")
_LEAST_SECRET: Final = 6
"""Shorter values are ordinary words."""


class StepOwners(Protocol):
    """Which plugin offers a step, and what that plugin may know (`registry/`)."""

    @property
    def steps(self) -> Mapping[str, object]: ...

    def entry_point_of_step(self, step: str) -> str: ...

    def context(self, plugin: str | None = None) -> MediaContext: ...


class ChildSteps:
    """Implements `ports.StepRunner` with one child process a task. `close` at the end."""

    def __init__(self, settings: Settings, plugins: StepOwners) -> None:
        self._settings, self._plugins = settings, plugins
        self._confinement = confinement_of(settings)
        self._prepared = PreparedProcess(self._command, child_environment)

    @cached_property
    def _code(self) -> list[Path]:
        return code_places()

    def run(self, request: StepRequest, hooks: StepHooks) -> list[dict[str, Any]]:
        """The artifacts of the step, each a file in the request's directory with the size that it says.

        Raises MediaRejected when the step does; TaskFailed for everything else, naming the step and its plugin
        (`job.step_broken` when the child ended or spoke otherwise than it should).
        """
        plugin, directory = self._plugins.entry_point_of_step(request.step), Path(request.directory)
        told = Told(f"The step {request.step!r} of the plugin {plugin!r}", hooks, directory)
        watch = Watch(
            told.name,
            Limits(request.time_limit_seconds),
            told.line,
            hooks.cancelled,
            budget=request.budget,
            nice=request.nice,
            nice_now=lambda: max(request.nice, hooks.nice()),
        )
        with self._user(directory) as user:
            ended = self._watched(plugin, request, watch, user)
        stderr = self._without_settings(plugin, readable_stderr(ended.stderr, [Path(request.source), directory]))
        artifacts = told.outcome(ended, stderr)
        if request.budget is not None:
            Meter(told.name, request.budget).check_made(sum(artifact["size_bytes"] for artifact in artifacts))
        return artifacts

    def _without_settings(self, plugin: str, text: str) -> str:
        """What the step was told in confidence, keys among it, is not told to users."""
        for value in self._plugins.context(plugin).settings.values():
            if isinstance(value, str) and len(value) >= _LEAST_SECRET:
                text = text.replace(value, MASK)
        return text

    def prepare(self) -> None:
        """Start the prepared process now, so that the first step need not wait for its imports."""
        self._prepared.start()

    def close(self) -> None:
        """End the prepared process."""
        self._prepared.close()

    @contextmanager
    def _user(self, directory: Path) -> Iterator[SandboxUser | None]:
        """Who the child is, for whom the directory is: None is we ourselves."""
        if self._confinement.mode == "off" or os.geteuid() != 0:
            yield None
            return
        with borrowed_user(self._confinement.first_user) as user:
            give(directory, user.number)
            yield user

    def _watched(self, plugin: str, request: StepRequest, watch: Watch, user: SandboxUser | None) -> Ended:
        with grouped(watch.name, request.budget) as group:
            return self._watched_among(plugin, request, watch, user, group)

    def _watched_among(
        self, plugin: str, request: StepRequest, watch: Watch, user: SandboxUser | None, group: MemoryGroup | None
    ) -> Ended:
        room = Room(Path(request.directory), _readable(request), self._code)
        confinement = self._confinement.with_devices(self._devices(request))
        runner = SandboxedRunner(confinement.mode, confinement=confinement, user=user, group=group)
        mark = new_id()
        try:
            with Errands.of(runner, room, watch.nice_now) as errands, self._confined(request, user) as namespaces:
                document, given = self._document(plugin, request), errands.given.fileno()
                first = [] if namespaces is None else [namespaces.first]
                fork = Fork(
                    *(room.directory, mark, request.nice, document, given, namespaces),
                    others=lambda: [*first, *errands.running.pids()],
                    group=group,
                )
                return watch_to_end(self._prepared.fork(fork), replace(watch, group=group))
        finally:
            if self._confinement.mode == "off":
                end_marked(mark)

    def _devices(self, request: StepRequest) -> Sequence[Path]:
        """What the step's programs may use: the step says so of the task's parameters, here and not where it runs."""
        step = self._plugins.steps.get(request.step)
        if not isinstance(step, UsesDevices):
            return ()
        try:
            with contained():
                return device_files(step.devices(request.task["params"]))
        except Exception as error:
            said = f"The step {request.step!r} failed when it was asked for its devices: {cause(error)}"
            raise TaskFailed(said, code="job.step_broken") from error

    @contextmanager
    def _confined(self, request: StepRequest, user: SandboxUser | None) -> Iterator[Namespaces | None]:
        if self._confinement.mode == "off":
            yield None
            return
        directory, step = Path(request.directory), self._plugins.steps.get(request.step)
        view = View(
            hidden=[self._settings.data_path, directory.parent],
            reads=[*self._code, *_readable(request)],
            writes=directory,
            confinement=self._confinement,
            user=user,
            network=isinstance(step, UsesNetwork) and step.uses_network,
        )
        with opened_view(view) as namespaces:
            yield namespaces

    def _document(self, plugin: str, request: StepRequest) -> bytes:
        """What the child reads on stdin; settings are here, so that no secret is in an environment or an argument."""
        document = {
            "plugin": plugin,
            "entry_point": _entry_point(plugin),
            "step": request.step,
            "task": request.task,
            "source": request.source,
            "partial": request.partial,
            "directory": request.directory,
            "inputs": request.inputs,
            "settings": dict(self._plugins.context(plugin).settings),
        }
        return json.dumps(document).encode()

    def _command(self) -> list[str]:
        """The prepared process, which imports every plugin that offers a step."""
        plugins = {self._plugins.entry_point_of_step(step) for step in self._plugins.steps}
        entry_points = {plugin: _entry_point(plugin) for plugin in sorted(plugins)}
        # -P: modules are not looked for in the current directory, which is a step's own
        return [sys.executable, "-P", "-m", "mediaflow.services.pipeline.stepchild", json.dumps(entry_points)]


def _readable(request: StepRequest) -> list[Path]:
    return [Path(request.source), *(Path(made["directory"]) for made in request.inputs.values())]


@cache
def _entry_point(plugin: str) -> str:
    """Kept: looking through what is installed takes longer than the rest of a step's start."""
    found = tuple(importlib.metadata.entry_points(group=ENTRY_POINT_GROUP, name=plugin))
    if not found:
        raise TaskFailed(f"The plugin {plugin!r} is not installed (any more).", code="job.step_broken")
    return found[0].value
