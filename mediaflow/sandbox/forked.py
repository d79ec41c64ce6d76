"""A program that a prepared process forked: the `Program` that is no child of ours."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from mediaflow.sandbox.program import has_ended

_FOLLOWS_SECONDS: Final = 2.0


@dataclass(slots=True)
class ForkedProgram:
    """See `Program`. `handle` is its pidfd; `collect` takes its number and answers with its status, as wait(2) does.
    `end_inside` ends all that is in its process namespace, where it has one; the process that we know of follows.
    `others` answers with the numbers of processes that count as its own beside it.
    """

    pid: int
    handle: int
    stdout: int
    stderr: int
    collect: Callable[[int], int]
    end_inside: Callable[[], None] | None = None
    others: Callable[[], Sequence[int]] = tuple
    returncode: int | None = None

    def pids(self) -> Sequence[int]:
        """See `Program`."""
        return [self.pid, *self.others()]

    def has_ended(self, within_seconds: float = 0.0) -> bool:
        """See `Program`."""
        return has_ended(self.handle, within_seconds)

    def end(self) -> int:
        """See `Program`. Raises TaskFailed when the prepared process is gone, and the exit code with it."""
        if self.returncode is None:
            if self.end_inside is not None:
                self.end_inside()
                has_ended(self.handle, _FOLLOWS_SECONDS)
            try:
                # while it answers nobody collected it, so that the number is still its own
                signal.pidfd_send_signal(self.handle, signal.SIGKILL)
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # it died with the prepared process; what else bears its mark is ended by that
            has_ended(self.handle, None)
            self.returncode = os.waitstatus_to_exitcode(self.collect(self.pid))
        return self.returncode

    def close(self) -> None:
        """See `Program`."""
        for file in (self.handle, self.stdout, self.stderr):
            os.close(file)
