"""The stage between planning and packaging: a step of a profile in a child process, its files put into the storage."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import structlog

from mediaflow.domain import keys
from mediaflow.domain.errors import InsufficientStorage, MediaRejected, NeedsWholeSource, TaskFailed
from mediaflow.domain.presentation import Artifact
from mediaflow.domain.publication import ARTIFACTS
from mediaflow.domain.records import Asset, Task
from mediaflow.domain.states import MAX_ATTEMPTS, Lane
from mediaflow.plugin import Reads, StepTask, Storage
from mediaflow.plugin.wire import dump, load
from mediaflow.sandbox.ownership import remove_tree
from mediaflow.services.pipeline import findings
from mediaflow.services.pipeline.budgets import step_budget
from mediaflow.services.pipeline.gate import is_light
from mediaflow.services.pipeline.inputs import Inputs
from mediaflow.services.pipeline.keeping import Keeping
from mediaflow.services.pipeline.lease import Lease
from mediaflow.services.pipeline.segments import Segments
from mediaflow.services.pipeline.sources import OpenSource, Sources, Wanted
from mediaflow.services.pipeline.stepports import StepHooks, StepRequest, StepRunner
from mediaflow.services.pipeline.taskdocs import TaskDocuments
from mediaflow.services.pipeline.workdir import WorkDirectory
from mediaflow.services.ports import Metrics

STEP_SECONDS_PER_MEDIA_SECOND = 120.0
STEP_SECONDS_AT_LEAST = 600.0
LEAST_FREE_BYTES: Final = 1024**2
"""With less room for work, a step that failed has failed for that."""
NICE: Final[Mapping[Lane, int]] = MappingProxyType({"bookkeeping": 0, "first": 0, "short": 10, "long": 15})
"""What somebody waits for in front of a player has the cores first. A long task lets short ones have them: they are
over soon, and it takes what is left.
"""
AHEAD_NICE: Final = 5
"""Of a piece that has made what somebody waits for, and goes on: whoever stands still elsewhere comes first. (A segment
of 1080p takes 3.3 s alone on two cores, 4.0 s beside one such piece, 5.7 s beside one that gives no way.)
"""

_NEEDS_WHOLE: Final = NeedsWholeSource.default_code
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Stepping:
    """Runs steps. `run` is the stage's handler; `memory_bytes` is the most that one may take."""

    documents: TaskDocuments
    storage: Storage
    sources: Sources
    inputs: Inputs
    steps: StepRunner
    metrics: Metrics
    work: WorkDirectory
    segments: Segments
    memory_bytes: int

    def run(self, task: Task, lease: Lease) -> dict[str, Any]:
        """Run the step in its child process and put what it made into the storage, under this attempt's own path."""
        asset = self.documents.asset(task)
        # the last attempt, whatever the others came to grief on, has all of the source
        wanted = _wanted(task) if task.failures < MAX_ATTEMPTS - 1 else None
        with self.sources.opened(asset, wanted) as source:
            try:
                return self._run(task, lease, asset, source)
            except (MediaRejected, TaskFailed) as error:
                if not source.partial or not (isinstance(error, MediaRejected) or error.code == _NEEDS_WHOLE):
                    raise
                _log.info("a step needs all of its source", task=task.name, reason=str(error))
            source.complete()
            return self._run(task, lease, asset, source)

    def _run(self, task: Task, lease: Lease, asset: Asset, source: OpenSource) -> dict[str, Any]:
        media, part = self.documents.media(task), self.segments.to_make(task)
        path = keys.attempt_path(task.generation, task.name, task.attempt)
        with (
            self._directory(task) as directory,
            self._inputs(task, asset, directory) as inputs,
        ):
            seconds = max(STEP_SECONDS_AT_LEAST, STEP_SECONDS_PER_MEDIA_SECOND * media.duration_seconds)
            step_task = StepTask(
                task.whole or task.name,
                task.params,
                media,
                part,
                awaited=task.wanted_until > 0,
                findings=self.documents.findings(task),
            )
            request = StepRequest(
                step=task.step or "",
                task=dump(step_task),
                source=str(source.path),
                directory=str(directory),
                time_limit_seconds=seconds,
                inputs=inputs,
                nice=AHEAD_NICE if is_light(task) else NICE[task.lane],
                budget=step_budget(media, seconds, directory, self.memory_bytes),
                partial=source.partial,
            )
            kept = Keeping(self.storage, self.segments, task, path, directory, lease)
            with kept.while_made() as made:
                told = self._told(request, hooks := _Hooks(lease, kept, made))
            found = findings.taken_from(told, directory)
            artifacts = [kept.keep(artifact) for artifact in told if artifact["role"] != findings.ROLE]
        artifacts += self.segments.of_others(task, artifacts)
        index = json.dumps(artifacts, separators=(",", ":")).encode()
        key = f"{keys.asset_prefix(asset.id)}{path}/{ARTIFACTS}"
        self.storage.put(key, [index], size_bytes=len(index), content_type="application/json")
        self.metrics.count("mediaflow_step_artifacts_total", len(artifacts), step=task.step or "")
        done = {"path": path, "artifacts": len(artifacts), "bytes": sum(a["size_bytes"] for a in artifacts)}
        more = {findings.ROLE: found, "warnings": hooks.warnings}
        return done | {name: value for name, value in more.items() if value}

    def _inputs(self, task: Task, asset: Asset, directory: Path) -> AbstractContextManager[dict[str, dict[str, Any]]]:
        needed, picture = self.documents.needed(task), self.documents.picture(task)
        return self.inputs.laid_out(asset, needed, directory.with_suffix(".inputs"), picture)

    def _told(self, request: StepRequest, hooks: _Hooks) -> list[dict[str, Any]]:
        """What the step made; what it told of until nobody needed any more what it had still to make."""
        try:
            return self._measured(request, hooks)
        except TaskFailed:
            if not hooks.kept.rest_is_needless:
                raise
            return hooks.kept.told

    def _measured(self, request: StepRequest, hooks: StepHooks) -> list[dict[str, Any]]:
        started, outcome = time.monotonic(), "failed"
        try:
            artifacts = self.steps.run(request, hooks)
            outcome = "done"
            return artifacts
        except TaskFailed as error:
            # programs end well on a full disk, and what they wrote is said to be bad: it is not the media's fault
            if (free := shutil.disk_usage(request.directory).free) < LEAST_FREE_BYTES:
                raise InsufficientStorage(f"The worker's disk is full ({free} bytes are free).") from error
            raise
        finally:
            self.metrics.count("mediaflow_encodes_total", step=request.step, outcome=outcome)
            self.metrics.observe("mediaflow_encode_seconds", time.monotonic() - started, step=request.step)

    @contextmanager
    def _directory(self, task: Task) -> Iterator[Path]:
        directory = self.work.path / f"{task.id}.{task.attempt}"
        directory.mkdir(parents=True, mode=0o700)
        try:
            yield directory
        finally:
            remove_tree(directory)


def _wanted(task: Task) -> Wanted | None:
    """Which bytes of the source the task reads; None for all."""
    if task.reads is None:
        return None
    reads = load(Reads, task.reads)
    return lambda extents: extents.span(reads.begin_seconds - reads.lead_seconds, reads.end_seconds)


@dataclass(frozen=True, slots=True)
class _Hooks:
    """What a step's child tells and asks while it works."""

    lease: Lease
    kept: Keeping
    made: Callable[[Artifact], None]
    warnings: list[str] = field(default_factory=list)

    def warned(self, sentence: str) -> None:
        self.warnings.append(sentence)

    def progress(self, fraction: float) -> None:
        self.lease.progress(fraction)

    def cancelled(self) -> str | None:
        return "nobody needs the rest" if self.kept.rest_is_needless else self.lease.reason()

    def nice(self) -> int:
        return AHEAD_NICE if self.kept.is_ahead else 0
