"""What an attempt of a step makes, put into the storage: each file once, some while others are still being made."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from mediaflow.domain import keys
from mediaflow.domain.errors import LeaseLost, TaskFailed
from mediaflow.domain.presentation import Artifact
from mediaflow.domain.records import Task
from mediaflow.plugin import BLOCK_BYTES, Storage
from mediaflow.plugin.wire import dump, load
from mediaflow.sandbox.ownership import open_made
from mediaflow.services.pipeline.givingway import gives_way, is_ahead
from mediaflow.services.pipeline.lease import Lease
from mediaflow.services.pipeline.parts import REST
from mediaflow.services.pipeline.segments import Segments, as_kept

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Keeping:
    """Keeps the files of one attempt, which works in `directory` and whose own place below the asset's prefix is
    `path`.
    """

    storage: Storage
    segments: Segments
    task: Task
    path: str
    directory: Path
    lease: Lease
    _kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What the list tells of each that was kept, beside what its step says in the end."""
    told: list[dict[str, Any]] = field(default_factory=list)
    """The artifacts that were kept while others were being made."""
    rest_is_needless: bool = False
    """True when others have made all that was to come, or wait for something else."""
    is_ahead: bool = False
    """True for a piece that somebody wanted when what is waited for is made."""
    _given_up: bool = False

    def keep(self, document: dict[str, Any]) -> dict[str, Any]:
        """Keep the file of an artifact, unless that was done; the artifact as the attempt's list tells of it."""
        artifact = load(Artifact, document)
        if artifact.path not in self._kept:
            self._keep(artifact)
        return {**document, **self._kept[artifact.path]}

    @contextmanager
    def while_made(self) -> Iterator[Callable[[Artifact], None]]:
        """Takes artifacts from a thread that must not wait, and keeps them from another. Leaving the block waits for
        that; what failed is tried again by `keep`. When the block raises, no other is begun.
        """
        waiting: queue.SimpleQueue[Artifact | None] = queue.SimpleQueue()
        thread = threading.Thread(target=self._kept_from, args=(waiting,), name=f"keep-{self.task.name}", daemon=True)
        thread.start()
        try:
            yield waiting.put
        except BaseException:
            self._given_up = True  # a step may have told of 50,000 before it failed
            raise
        finally:
            waiting.put(None)
            thread.join()

    def _kept_from(self, waiting: queue.SimpleQueue[Artifact | None]) -> None:
        while (artifact := waiting.get()) is not None and not self._given_up:
            try:
                self._keep(artifact)
                self.told.append(dump(artifact))
            except Exception as error:  # noqa: BLE001 - `keep` meets it again, or the task is not ours any more
                _log.info("a file is not kept yet", path=artifact.path, reason=repr(error))

    def _keep(self, artifact: Artifact) -> None:
        if (reason := self.lease.reason()) is not None:
            raise LeaseLost(reason)
        place = f"{self.path}/{artifact.path}"

        def put(path: str) -> None:
            with open_made(self.directory, artifact.path) as file:
                blocks = iter(lambda: file.read(BLOCK_BYTES), b"")
                key = keys.asset_prefix(self.task.asset_id) + path
                self.storage.put(key, blocks, size_bytes=artifact.size_bytes, content_type=artifact.content_type)

        if self.task.watched or self.task.rank != REST:
            made = self.segments.keep(self.task, place, artifact, put)
        else:
            put(place)
            made = None
        others = made.path if made is not None and made.path != place else None
        if others is not None and artifact.role == "init":
            self._check_same(artifact, others)
        self._kept[artifact.path] = as_kept(artifact, place, made)
        if artifact.number is not None and not self.rest_is_needless:
            self._look_ahead(artifact.number, by_others=others is not None)

    def _look_ahead(self, number: int, *, by_others: bool) -> None:
        """Whether what comes behind that segment is needed, and how much. What is needless stays so: the child may be
        ended already.
        """
        if by_others and self.task.part is not None:
            # somebody has been here: what is ahead is needed no more when it was the last gap
            self.rest_is_needless = self.segments.are_made(self.task, number)
        elif self.task.wanted_until:
            self.is_ahead = is_ahead(self.segments.database, self.task, number)
            self.rest_is_needless = gives_way(self.segments.database, self.task, number)

    def _check_same(self, artifact: Artifact, path: str) -> None:
        """A track has one init segment, whoever makes segments of it: nothing else decodes them."""
        with open_made(self.directory, artifact.path) as file:
            mine = file.read()
        if b"".join(self.storage.read(keys.asset_prefix(self.task.asset_id) + path)) != mine:
            raise TaskFailed(
                f"{self.task.name} made another init segment than {keys.attempt_task(path)}: the programs that encode"
                " are not the same on all workers, or the step does not do as it promised.",
                code="job.bad_output",
            )
