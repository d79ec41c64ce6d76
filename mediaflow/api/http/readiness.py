"""Can this process work? Each dependency is asked in a thread of its own, so that one that hangs holds up no answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Final, Protocol, runtime_checkable

import structlog

from mediaflow.domain.errors import MediaflowError
from mediaflow.runtime import Runtime

_log = structlog.get_logger(__name__)

PATIENCE_SECONDS: Final = 2.0
FRESH_SECONDS: Final = 1.0
"""An answer is kept for so long: asking is open to everyone and must not become load on the dependencies."""
PROBE_PREFIX: Final = "readyz"
NO_ANSWER: Final = f"It did not answer within {PATIENCE_SECONDS:g} s."


@runtime_checkable
class Pings(Protocol):
    """Wake-ups that have a server behind them."""

    def ping(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What a dependency answered, and how long that took; `reason` is empty when it works."""

    name: str
    works: bool
    seconds: float
    reason: str = ""


@dataclass(slots=True)
class Readiness:
    """Asks the dependencies, each by a function that returns or raises."""

    checks: Mapping[str, Callable[[], None]]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _asking: dict[str, threading.Thread] = field(default_factory=dict)
    _known: dict[str, Answer] = field(default_factory=dict)
    _known_until: float = 0.0

    def ready(self) -> bool:
        """True when every dependency answers within two seconds."""
        return all(answer.works for answer in self.answers())

    def answers(self) -> list[Answer]:
        """What each dependency answered, at most a moment ago."""
        with self._lock:
            if monotonic() >= self._known_until:
                self._ask()
                self._known_until = monotonic() + FRESH_SECONDS
            return [self._known[name] for name in self.checks]

    def _ask(self) -> None:
        for name, check in self.checks.items():
            if name in self._asking and self._asking[name].is_alive():
                continue  # it still hangs since the last time
            self._known[name] = Answer(name, works=False, seconds=PATIENCE_SECONDS, reason=NO_ANSWER)
            self._asking[name] = threading.Thread(target=self._run, args=(name, check), daemon=True)
            self._asking[name].start()
        until = monotonic() + PATIENCE_SECONDS
        for thread in self._asking.values():
            thread.join(max(0.0, until - monotonic()))

    def _run(self, name: str, check: Callable[[], None]) -> None:
        began = monotonic()
        try:
            check()
        except Exception as error:  # noqa: BLE001 - whatever a dependency raises, it is not ready
            _log.warning("dependency not ready", dependency=name, reason=f"{type(error).__name__}: {error}")
            # a library's own words may hold an address with its password
            reason = error.detail if isinstance(error, MediaflowError) else f"It failed ({type(error).__name__})."
            self._known[name] = Answer(name, works=False, seconds=monotonic() - began, reason=reason)
        else:
            self._known[name] = Answer(name, works=True, seconds=monotonic() - began)


def readiness_of(runtime: Runtime) -> Readiness:
    """The dependencies of a web process: documents, objects, and the queue where there is one."""

    def storage() -> None:
        next(iter(runtime.storage.list(PROBE_PREFIX)), None)

    checks: dict[str, Callable[[], None]] = {"database": runtime.database.ping, "storage": storage}
    if isinstance(runtime.wakeups, Pings):
        checks["queue"] = runtime.wakeups.ping
    return Readiness(checks)
