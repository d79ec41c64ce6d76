"""Children that die with their parent, whatever kills it. Run as a program, this becomes another one, so tied.

Imports nothing of mediaflow or of another library: it runs without them, in 15 ms.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from typing import Final

PR_SET_PDEATHSIG: Final = 1
"""prctl(2): the signal that the kernel sends to this process when its parent dies. Kept over exec, not over fork."""
PID_VARIABLE: Final = "TETHERED_PID"
"""In the environment of what a tethered program starts: that program's pid."""
INHERITED: Final = "-"


def die_with(parent: int) -> None:
    """Have the kernel kill this process when `parent` dies; end at once when it is dead already."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def tethered(program: Sequence[str], *, parent: int | None = None) -> list[str]:
    """The command line of a program that dies with `parent`, or else with the tethered program that starts it."""
    # -I -S: nothing of the environment or of site-packages is needed, and looking for it takes time
    return [sys.executable, "-I", "-S", __file__, str(parent or INHERITED), *program]


def _become(parent: str, program: list[str]) -> None:
    # the pid comes from before the fork: a parent that died since then could not be asked any more
    die_with(int(os.environ[PID_VARIABLE] if parent == INHERITED else parent))
    os.environ[PID_VARIABLE] = str(os.getpid())
    os.execvp(program[0], program)  # noqa: S606 - the program replaces this one: that is the purpose


if __name__ == "__main__":
    _become(sys.argv[1], sys.argv[2:])
