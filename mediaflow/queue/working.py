"""A worker process from its start to its end, as `mediaflow worker` has it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Final

import dramatiq
import structlog
from dramatiq.brokers.redis import RedisBroker

from mediaflow.queue.middleware import WorkerLife

_log = structlog.get_logger(__name__)
STOP_MILLISECONDS: Final = 6000
"""Running tasks are given back within a second (`queue/middleware.py`); what hangs longer is left to its lease."""
LOOK_SECONDS: Final = 0.2
STOP: Final = signal.SIGTERM
KILLED: Final = 4


def work_until_told(make_broker: Callable[[], RedisBroker], drain_seconds: float) -> int:
    """Work until SIGTERM, which gives back what runs (a second one ends at once), or SIGUSR1, which lets it be done.

    The answer is an exit code.
    """
    asked, numbers = threading.Event(), list[int]()

    def told(number: int, _frame: FrameType | None) -> None:
        if STOP in numbers:
            os._exit(KILLED)
        numbers.append(number if number == signal.SIGUSR1 else STOP)
        asked.set()

    # Ctrl-C in a terminal reaches us and the parent, which tells us in order
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    broker = make_broker()
    worker = dramatiq.Worker(broker)
    worker.start()
    # only now: what comes earlier ends a process that has no work
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, told)
    asked.wait()
    if STOP not in numbers:
        _drain(broker, worker, drain_seconds, lambda: STOP in numbers)
    worker.stop(timeout=STOP_MILLISECONDS)
    broker.close()
    return 0


def _drain(broker: RedisBroker, worker: dramatiq.Worker, seconds: float, stopped: Callable[[], bool]) -> None:
    """Wait until nothing runs here any more, and nothing new is begun meanwhile; no longer than that."""
    life = next(each for each in broker.middleware if isinstance(each, WorkerLife))
    _log.info("draining", seconds=seconds)
    life.runtime.draining.set()
    for thread in worker.workers:
        thread.pause()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not stopped():
        if all(thread.paused_event.is_set() for thread in worker.workers):
            _log.info("drained")
            return
        time.sleep(LOOK_SECONDS)
    _log.warning("not drained in time; what runs is given back")
