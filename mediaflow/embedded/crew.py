"""Worker processes under one parent: what dies is started again at once, all end with it, however it ends.

The parent has imported what workers need, so that a new one is ready in a fraction of the time that Python's start
takes; and it sees how one ended (`sandbox/lastwords.py`).
"""

from __future__ import annotations

import faulthandler
import os
import select
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Final, NoReturn

import structlog

from mediaflow.sandbox.identity import Identity
from mediaflow.sandbox.kernel import die_with
from mediaflow.sandbox.lastwords import KEPT_BYTES, note

_log = structlog.get_logger(__name__)
STOPPING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
DRAINING: Final = signal.SIGUSR1
SETTLED_SECONDS: Final = 10.0
"""What lives so long has started; what ends sooner waits longer each time before it is started again."""
LONGEST_PAUSE_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Member:
    pid: int
    handle: int
    who: Identity | None
    faults: IO[bytes]
    began: float


@dataclass(slots=True)
class Crew:
    """`count` children that each do `work`, which answers with an exit code. `notes` is where their ends are told.

    SIGTERM, SIGINT and SIGHUP end them in order (a second one at once); SIGUSR1 is passed on, and none is started
    again after it. To be run in the main thread of a process with no other one.
    """

    count: int
    work: Callable[[], int]
    notes: Path
    _members: dict[int, _Member] = field(default_factory=dict)
    _told: list[Path] = field(default_factory=list)
    _ending: bool = False
    _early: int = 0
    _again_at: float = 0.0

    def run(self) -> int:
        """Work until a signal ends it: 0; 1 when a worker can't start at all."""
        for number in (*STOPPING, DRAINING):
            signal.signal(number, self._pass_on)
        hopeless = False
        while True:
            while not self._ending and len(self._members) < self.count and time.monotonic() >= self._again_at:
                self._start()
            if self._ending and not self._members:
                break
            for pid in self._ended():
                hopeless = self._bury(self._members[pid]) or hopeless
            if hopeless and not self._ending:
                self._pass_on(signal.SIGTERM, None)
        for file in self._told:
            file.unlink(missing_ok=True)
        return int(hopeless)

    def _pass_on(self, number: int, _frame: FrameType | None) -> None:
        self._ending = True
        for member in self._members.values():
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(member.handle, DRAINING if number == DRAINING else signal.SIGTERM)

    def _start(self) -> None:
        faults = tempfile.TemporaryFile()  # noqa: SIM115 - until it is buried
        # a signal that comes now is for both, once each has its own way with it
        before = signal.pthread_sigmask(signal.SIG_BLOCK, (*STOPPING, DRAINING))
        parent, pid = os.getpid(), os.fork()
        if pid == 0:
            for number in (*STOPPING, DRAINING):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            _work_and_exit(self.work, parent, faults)
        self._members[pid] = _Member(pid, os.pidfd_open(pid), Identity.of(pid), faults, time.monotonic())
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _ended(self) -> list[int]:
        """Those that ended, as soon as there is one; nobody after a while, since others wait for their start."""
        poll, handles = select.poll(), {member.handle: member.pid for member in self._members.values()}
        for handle in handles:
            poll.register(handle, select.POLLIN)
        wait = LOOK_SECONDS if self._ending or len(self._members) < self.count else None
        return [handles[handle] for handle, _ in poll.poll(None if wait is None else wait * 1000)]

    def _bury(self, member: _Member) -> bool:
        """Collect one, and say when another one may follow; True when none would fare better."""
        code = os.waitstatus_to_exitcode(os.waitpid(member.pid, 0)[1])
        del self._members[member.pid]
        os.close(member.handle)
        with member.faults as faults:
            faults.seek(0)
            said = faults.read(KEPT_BYTES).decode(errors="replace")
        if self._ending:
            return False
        _log.warning("a worker ended and is started again", pid=member.pid, code=code)
        if member.who is not None:
            self._told.append(note(self.notes, member.who, code, said))
        settled = time.monotonic() - member.began >= SETTLED_SECONDS
        self._early = 0 if settled else self._early + 1
        # one that was killed early may have worked already; those after it show
        pause = 0.0 if self._early <= 2 else min(LONGEST_PAUSE_SECONDS, 2.0 ** (self._early - 3))
        self._again_at = time.monotonic() + pause
        return not settled and code > 0


def _work_and_exit(work: Callable[[], int], parent: int, faults: IO[bytes]) -> NoReturn:
    code = 1
    try:
        die_with(parent, signal.SIGKILL)
        faulthandler.enable(faults)
        code = work()
    except SystemExit as end:
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - the interpreter's own way with what nobody caught
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)
