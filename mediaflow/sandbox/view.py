"""Sandboxes that bubblewrap makes and that a program enters which is forked and not started (`forking.py`).

bubblewrap makes namespaces for a program that it starts: here a *holder*, a `cat` that does nothing but live. The
program enters those of the holder. With the holder's process namespace ends every process that is in it.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mediaflow.domain.errors import TaskFailed
from mediaflow.sandbox.confinement import (
    DEFAULT,
    Confinement,
    binds,
    directories,
    isolation,
    machine,
    privileges_to_change_user,
    sealed,
)
from mediaflow.sandbox.program import has_ended, program_path
from mediaflow.sandbox.runner import CLEAN_ENVIRONMENT
from mediaflow.sandbox.users import SandboxUser

_ECHO: Final = b"."
"""What the holder says when it runs: then all is set up."""
_SHOWN: Final = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc",
    "/opt",
    "/var/cache/fontconfig",
)
_NAMES: Final = ("/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager")
"""Where /etc/resolv.conf may be a link to."""
_ENDS_SECONDS: Final = 5.0
# linux/nsfs.h
_NS_GET_USERNS: Final = 0xB701


@dataclass(frozen=True, slots=True)
class View:
    """Programs, libraries and /etc of the machine, and `reads`, read-only; `writes` is the one place to write to. Of
    the directories in `hidden` a program sees only what `reads` and `writes` name below them. With `network` it has the
    machine's network.
    """

    hidden: Sequence[Path]
    reads: Sequence[Path]
    writes: Path
    confinement: Confinement = DEFAULT
    user: SandboxUser | None = None
    network: bool = False


@dataclass(frozen=True, slots=True)
class Namespaces:
    """A sandbox that stands: open namespaces to enter, in this order, and who to be inside (None: ourselves). `end`
    kills all that is in it, and returns when it is dead. `first` is the process that gets what others leave behind.
    """

    first: int
    files: Sequence[int]
    user: int | None
    groups: Sequence[int]
    end: Callable[[], None]


@contextmanager
def opened_view(view: View) -> Iterator[Namespaces]:
    """Make the sandbox; what is in it ends with the block.

    Raises TaskFailed (`job.sandbox_failed`, `job.program_missing`).
    """
    with _holder(view) as number, ExitStack() as stack:
        init = os.pidfd_open(number)
        stack.callback(os.close, init)

        def end() -> None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(init, signal.SIGKILL)
            has_ended(init, _ENDS_SECONDS)

        stack.callback(end)
        files = _opened(Path("/proc", str(number)))
        for file in files:
            stack.callback(os.close, file)
        user, groups = (view.user.number, view.confinement.device_groups()) if view.user else (None, [])
        yield Namespaces(number, files, user, groups, end)


def bubblewrap_view(command: Sequence[str], view: View, options: Sequence[str] = ()) -> list[str]:
    """The command in the view, as an argument list."""
    argv = [program_path("bwrap"), *options, *isolation(view.user is None, view.network)]
    if view.user is not None:
        argv += privileges_to_change_user(view.user)
    argv += directories(["/var", "/var/cache", "/run"])
    argv += [text for place in (*_SHOWN, *(_NAMES if view.network else ())) for text in ("--ro-bind-try", place, place)]
    argv += machine(view.confinement)
    hidden, shown = {path.absolute() for path in view.hidden}, set(map(Path, _SHOWN))
    reads = {path.absolute() for path in (*view.reads, *view.confinement.reads)}
    below = {path for path in reads if _is_within(path, hidden)}
    outside = {path for path in reads - below if not _is_within(path, shown)}
    argv += binds([path for path in outside if not _is_within(path.parent, outside)], None)
    covers = sorted(path for path in hidden if path.is_dir() and _is_within(path, outside | shown))
    for path in covers:
        argv += ["--perms", "0755", "--tmpfs", str(path)]
    argv += binds(sorted(below), view.writes)
    return [*argv, *sealed(*map(str, covers)), "--chdir", str(view.writes.absolute()), "--", *command]


def _is_within(path: Path, places: Set[Path]) -> bool:
    return not places.isdisjoint((path, *path.parents))


@contextmanager
def _holder(view: View) -> Iterator[int]:
    """The number of the first process of the view's process namespace."""
    ours, theirs = (os.fdopen(file, mode) for file, mode in zip(os.pipe(), ("rb", "wb"), strict=True))
    with (
        ours,
        theirs,
        subprocess.Popen(
            bubblewrap_view(["cat"], view, options=["--info-fd", str(theirs.fileno())]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=CLEAN_ENVIRONMENT,  # what is in the sandbox may read it
            pass_fds=[theirs.fileno(), *([view.user.lock] if view.user else [])],
            start_new_session=True,
        ) as holder,
    ):
        theirs.close()  # what bubblewrap tells ends when its own end is closed
        stdin, stdout, stderr = holder.stdin, holder.stdout, holder.stderr
        assert stdin and stdout and stderr  # noqa: S101, PT018 - they are pipes
        with suppress(BrokenPipeError):  # it has ended; its stderr says why
            stdin.write(_ECHO)
            stdin.flush()
        if stdout.read(len(_ECHO)) != _ECHO:
            reason = stderr.read().decode(errors="replace").strip()
            raise TaskFailed(f"The sandbox could not be made: {reason}", code="job.sandbox_failed")
        try:
            yield json.load(ours)["child-pid"]
        finally:
            holder.kill()


def _opened(process: Path) -> list[int]:
    """The namespaces of that process that are others than ours. The user's that the others belong to comes first, since
    it gives the right to enter them; the one that the process is in, where there are two, comes last.
    """
    found = [name for name in ("mnt", "net", "ipc", "uts", "cgroup", "pid", "user") if _differs(process / "ns" / name)]
    files = [os.open(process / "ns" / name, os.O_RDONLY | os.O_CLOEXEC) for name in found]
    if "user" not in found:
        return files
    owner: int = fcntl.ioctl(files[0], _NS_GET_USERNS)
    return [owner, *files]


def _differs(namespace: Path) -> bool:
    return namespace.readlink() != Path("/proc/self/ns", namespace.name).readlink()
