"""Leaving a server alone that does not answer: while one thread tries, the others go on without it at once."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from time import monotonic


@dataclass(slots=True)
class Rest:
    """After a failure nothing is asked for `seconds`; then one thread may try, and the others rest on. Thread-safe."""

    seconds: float
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _until: float = 0.0
    _failed: bool = False

    def may_try(self) -> bool:
        """True when the server is to be asked by this thread now."""
        if not self._failed:
            return True
        with self._lock:
            if monotonic() < self._until:
                return False
            self._until = monotonic() + self.seconds
            return True

    def failed(self) -> bool:
        """It did not answer; True when that is news."""
        with self._lock:
            self._until = monotonic() + self.seconds
            first, self._failed = not self._failed, True
        return first

    def worked(self) -> bool:
        """It answered; True when that is news."""
        if not self._failed:
            return False
        self._failed = False
        return True
