"""Linux capabilities of a process (capabilities(7)): read, and taken on by the process that calls."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from mediaflow.sandbox.kernel import call, prctl

# linux/prctl.h, linux/capability.h
_PR_CAPBSET_DROP: Final = 24
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_RAISE: Final = 2
_PR_CAP_AMBIENT_CLEAR_ALL: Final = 4
_CAPABILITY_VERSION_3: Final = 0x20080522


@dataclass(frozen=True, slots=True)
class CapabilitySets:
    """Sets of capabilities, a bit for each."""

    inheritable: int
    permitted: int
    effective: int
    ambient: int

    @classmethod
    def of(cls, process: Path) -> Self:
        """Those of a process, a directory of /proc."""
        lines = (process / "status").read_text().splitlines()
        told = dict(line.split(":\t", 1) for line in lines if line.startswith("Cap"))
        return cls(*(int(told[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")))

    def take_on(self) -> None:
        """Have these capabilities and no other, for ever: what is not permitted leaves the bounding set too.

        Raises OSError, for instance when one is not ours to have.
        """
        last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
        for number in range(last + 1):
            if not self.permitted >> number & 1:
                prctl(_PR_CAPBSET_DROP, number)
        prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
        header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
        words = (word for shift in (0, 32) for word in self._words(shift))
        call("capset", header, (ctypes.c_uint32 * 6)(*words))
        for number in range(last + 1):
            if self.ambient >> number & 1:
                prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, number)

    def _words(self, shift: int) -> tuple[int, int, int]:
        """32 bits of each set, in the order of `struct __user_cap_data_struct`."""
        low = 0xFFFFFFFF
        return self.effective >> shift & low, self.permitted >> shift & low, self.inheritable >> shift & low
