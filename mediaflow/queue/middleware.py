"""A worker process's life: a pulse (reconciling) from boot on; at shutdown running tasks are stopped and given back."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dramatiq
import structlog
from dramatiq.common import dq_name

from mediaflow.domain.errors import MediaflowError
from mediaflow.queue.broker import QUEUE
from mediaflow.runtime import Runtime, worker_threads
from mediaflow.sandbox.kernel import die_with
from mediaflow.sandbox.stuck import end_stuck_sandboxes

_log = structlog.get_logger(__name__)
NUDGE_SECONDS = 1.0
SWEEP_SECONDS = 10.0
LOOK_SECONDS = 0.5
PERIODIC_SECONDS = 2.0
"""So long plugins' periodic work may go on when the worker stops; another worker repeats what it leaves."""
THREAD_SECONDS = 1.0
"""So long a thread may take to see that the worker stops."""


class WorkerLife(dramatiq.Middleware):
    """Ties a Runtime to a Dramatiq worker. The runtime is set before the worker boots."""

    runtime: Runtime

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []

    def after_process_boot(self, _broker: dramatiq.Broker) -> None:
        """Called in a process that Dramatiq's first process forked: it dies with that one, however that dies."""
        if (parent := multiprocessing.parent_process()) is not None and parent.pid is not None:
            die_with(parent.pid, signal.SIGKILL)

    def before_worker_boot(self, _broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Called before the worker's threads exist; what it was told on a command line gives way to the settings.

        Idle workers poll: at 100 ms a message waits 46-48 ms for 1.6 % of a core, at the default 1 s about 300 ms
        (measured). Dramatiq's Redis consumer holds no more unacknowledged messages than it prefetches, those of running
        actors among them: so it prefetches one for each thread, for threads to be of use, and no more, because a
        message held back by a busy process is lost to idle ones.
        """
        worker.worker_timeout = 100
        worker.worker_threads = worker.queue_prefetch = worker_threads(self.runtime.settings)

    def after_worker_boot(self, _broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Called when the worker is running.

        What polls for nothing is quietened, which halves what an idle process costs (measured): threads are woken by
        their queue and need no time-out of their own, and no message of ours is ever delayed.
        """
        for thread in worker.workers:
            thread.timeout = THREAD_SECONDS
        delayed = worker.consumers.pop(dq_name(QUEUE))
        delayed.stop()
        delayed.join()
        delayed.close()
        beats = [
            ("pulse", self._beat),
            ("imports", self._import),
            *([("rota", self._look)] if self.runtime.plugins.periodics else []),
        ]
        self._threads = [threading.Thread(target=beat, name=name, daemon=True) for name, beat in beats]
        for beating in self._threads:
            beating.start()

    def before_worker_shutdown(self, _broker: dramatiq.Broker, _worker: dramatiq.Worker) -> None:
        """Called first at shutdown: what runs is stopped within a second and given back, not counted as failed."""
        self.runtime.stop()

    def after_worker_shutdown(self, _broker: dramatiq.Broker, _worker: dramatiq.Worker) -> None:
        """Called when all threads ended."""
        for thread in self._threads:
            thread.join()
        self.runtime.rota.close(PERIODIC_SECONDS)
        self.runtime.alive.forget(self.runtime.execution.claims.worker)
        self.runtime.close()

    def _beat(self) -> None:
        runtime, beats = self.runtime, 0
        while not runtime.stopped.wait(NUDGE_SECONDS if beats else 0):
            with _tried_again("reconciling"):
                runtime.alive.note(runtime.execution.claims.worker)
                if not beats:
                    runtime.steps.prepare()
                runtime.orphans.give_back()
                if beats % int(SWEEP_SECONDS / NUDGE_SECONDS) == 0:
                    _end_stuck()
                    runtime.reconciler.sweep()
                elif runtime.gate.has_room and not runtime.draining.is_set():
                    runtime.reconciler.nudge()
            beats += 1

    def _import(self) -> None:
        """Begin what is to be fetched, and leave what is not done to others when the worker stops."""
        runtime = self.runtime
        importer = runtime.importer(self._is_ending)
        while not runtime.stopped.wait(NUDGE_SECONDS) and not runtime.draining.is_set():
            with _tried_again("importing"):
                importer.look()
        importer.wait(PERIODIC_SECONDS)

    def _is_ending(self) -> bool:
        return self.runtime.stopped.is_set() or self.runtime.draining.is_set()

    def _look(self) -> None:
        """Begin plugins' periodic work. Not the pulse's part: sweeps may take seconds."""
        runtime = self.runtime
        while not runtime.stopped.wait(LOOK_SECONDS) and not runtime.draining.is_set():
            with _tried_again("periodic work"):
                runtime.rota.look()


def _end_stuck() -> None:
    for process in end_stuck_sandboxes():
        _log.warning("a sandbox that a dead worker had begun is ended", process=process)


@contextmanager
def _tried_again(what: str) -> Iterator[None]:
    """What goes wrong is logged; the next beat tries it again."""
    try:
        yield
    except MediaflowError as error:
        _log.warning(f"{what} failed", code=error.code, detail=error.detail)
    except Exception:  # noqa: BLE001 - whatever it is, the beats go on
        _log.exception(f"{what} failed")
