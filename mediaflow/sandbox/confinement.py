"""What an operator can set about sandboxes, and how bubblewrap is called for any of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, Self

from mediaflow.sandbox.users import FIRST_USER, SandboxUser

SandboxMode = Literal["bwrap", "off"]

PROCESSES: Final = 256 + 32 * (os.cpu_count() or 1)
"""The most processes and threads of a sandbox: an encoder takes several threads a core, for each rendition."""
_SCRATCH_BYTES: Final = 64 * 1024 * 1024
"""Of /tmp and /dev/shm, which are memory."""
_KERNEL_FILES: Final = ("sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi", "tty", "mtrr")
"""What of /proc speaks to the machine's kernel and not of processes."""


@dataclass(frozen=True, slots=True)
class Confinement:
    """`mode` off confines nothing. `first_user` is the first of the users of sandboxes that root starts. `devices` are
    let in (a hardware encoder's), and `reads` are shown to steps.
    """

    mode: SandboxMode = "bwrap"
    first_user: int = FIRST_USER
    devices: tuple[Path, ...] = ()
    reads: tuple[Path, ...] = ()

    @classmethod
    def of(cls, mode: str, first_user: int, devices: str, reads: str) -> Self:
        """From settings: paths are separated by colons, as in PATH."""
        paths = (tuple(Path(path) for path in text.split(":") if path) for text in (devices, reads))
        return cls("off" if mode == "off" else "bwrap", first_user, *paths)

    def with_devices(self, devices: Sequence[Path]) -> Self:
        """The same with more devices."""
        return replace(self, devices=(*self.devices, *(each for each in devices if each not in self.devices)))

    def device_groups(self) -> list[int]:
        """The groups that may use the devices, for who is none of their users."""
        return sorted({device.stat().st_gid for device in self.devices if device.exists()} - {0})


DEFAULT: Final = Confinement()
"""As without any setting."""


def isolation(user: bool, network: bool = False) -> list[str]:
    """Options for namespaces of everything; `user` says whether the user is the same in a namespace of its own, where
    no other can be made, or another one who is set inside. With `network` the machine's stays.
    """
    return [
        *("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
        *(() if network else ("--unshare-net",)),
        # killed with us, and everything inside with it; not so in the millisecond before it has set this up for itself,
        # then the program ends at its next write to a pipe that nobody reads, or at its limit of processor time
        "--die-with-parent",
        *("--cap-drop", "ALL"),
        *(("--unshare-user", "--disable-userns") if user else ()),
    ]


def privileges_to_change_user(user: SandboxUser) -> list[str]:
    """Options for a program that root starts and that makes itself that user. Who keeps its lock is bubblewrap's own
    process inside, the last one of a sandbox to end.
    """
    # the last one is for bubblewrap itself, to go into a directory that is the user's alone
    names = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", "CAP_DAC_READ_SEARCH")
    return [*(text for name in names for text in ("--cap-add", name)), "--sync-fd", str(user.lock)]


def machine(confinement: Confinement) -> list[str]:
    """Options for /proc, /dev and /tmp; `sealed` follows when everything else is in place."""
    argv = ["--proc", "/proc"]
    for name in _KERNEL_FILES:
        # a file that only root may write is no cover where root looks at it
        argv += ["--ro-bind-try", f"/proc/{name}", f"/proc/{name}"]
    argv += ["--dev", "/dev", *_scratch("/dev/shm"), *_scratch("/tmp")]  # noqa: S108 - fresh ones, inside
    for device in confinement.devices:
        argv += ["--dev-bind-try", str(device), str(device)]
    if confinement.devices:
        argv += ["--ro-bind", "/sys", "/sys"]  # where drivers look up what they drive
    return argv


def sealed(*places: str) -> list[str]:
    """Options that make what bubblewrap itself put there read-only: it is memory, and would be room without a limit."""
    return [text for place in ("/dev", "/", *places) for text in ("--remount-ro", place)]


def _scratch(place: str) -> list[str]:
    return ["--perms", "1777", "--size", str(_SCRATCH_BYTES), "--tmpfs", place]


def binds(reads: Sequence[Path], writes: Path | None) -> list[str]:
    """Options that show `reads` read only and `writes` writable, each at its own path."""
    wanted = [("--ro-bind", path.absolute()) for path in reads]
    if writes is not None:
        wanted.insert(0, ("--bind", writes.absolute()))
    # parents first, so that a mount never hides one inside it
    wanted.sort(key=lambda item: len(item[1].parts))
    parents = {parent for _, path in wanted for parent in path.parents[:-1]}
    argv = directories(sorted(str(parent) for parent in parents))
    return [*argv, *(text for kind, path in wanted for text in (kind, str(path.resolve()), str(path)))]


def directories(paths: Sequence[str]) -> list[str]:
    """Options that make directories, where there are none; those that bubblewrap makes by itself only root enters."""
    return [text for path in paths for text in ("--perms", "0755", "--dir", path)]
