"""What must happen to database connections around a fork. Programs that are started (fork and exec) are not concerned.

An SQLite connection that is open during a fork is dangerous in parent and child: the child inherits what the library
noted about locks, but not the locks (https://www.sqlite.org/howtocorrupt.html, 2.6), so it could write to a log that
the parent deletes. MongoDB's driver may not use one client on both sides either.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Final, Protocol


class ForkAware(Protocol):
    """Something that holds connections. `before_fork` runs in the parent, then one of the other two in each process."""

    def before_fork(self) -> None: ...

    def after_fork_in_parent(self) -> None: ...

    def after_fork_in_child(self) -> None: ...


class _Hooks:
    """Tells everybody who asked. Its lock is held across the fork, so that the child inherits it in a known state."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders: weakref.WeakSet[ForkAware] = weakref.WeakSet()
        self._told: list[ForkAware] = []
        self._installed = False

    def add(self, holder: ForkAware) -> None:
        with self._lock:
            self._holders.add(holder)
            if not self._installed:
                os.register_at_fork(
                    before=self._before, after_in_parent=self._after_in_parent, after_in_child=self._after_in_child
                )
                self._installed = True

    def _before(self) -> None:
        self._lock.acquire()
        self._told = list(self._holders)
        for holder in self._told:
            holder.before_fork()

    def _after_in_parent(self) -> None:
        for holder in self._told:
            holder.after_fork_in_parent()
        self._done()

    def _after_in_child(self) -> None:
        for holder in self._told:
            holder.after_fork_in_child()
        self._done()

    def _done(self) -> None:
        self._told = []
        self._lock.release()


_hooks: Final = _Hooks()


def watch_forks(holder: ForkAware) -> None:
    """Call the holder's methods around every fork of this process, for as long as the holder lives."""
    _hooks.add(holder)
