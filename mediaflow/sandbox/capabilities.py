"""Linux capabilities (capabilities(7)) and users: what a process gives up before a stranger's code runs in it."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mediaflow.sandbox.kernel import call, prctl

# linux/prctl.h, linux/capability.h
_PR_SET_DUMPABLE: Final = 4
_PR_CAPBSET_DROP: Final = 24
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_CLEAR_ALL: Final = 4
_CAPABILITY_VERSION_3: Final = 0x20080522


def give_up_rights(user: int | None, groups: Sequence[int]) -> None:
    """Have no capability for ever, and be that user (None: stay who we are). Raises OSError when it can't be done."""
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    for number in range(last + 1):
        prctl(_PR_CAPBSET_DROP, number)
    prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    if user is not None:
        os.setgroups(groups)
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    call("capset", header, (ctypes.c_uint32 * 6)())
    # the change closed /proc/self to ourselves; what starts programs looks there
    prctl(_PR_SET_DUMPABLE, 1)
