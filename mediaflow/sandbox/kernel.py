"""Calls of the kernel that Python 3.11 has no function for."""

from __future__ import annotations

import ctypes
import os
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_LIBC.getenv.restype = ctypes.c_void_p

# linux/prctl.h
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_SECCOMP: Final = 22
_SECCOMP_MODE_FILTER: Final = 2
_PR_SET_NO_NEW_PRIVS: Final = 38

_INSTRUCTION_BYTES: Final = 8
_AUTOGROUP_SECONDS: Final = 0.1
_AUTOGROUP_TRIES: Final = 5


def call(function: str, *arguments: Any) -> None:
    """Call a function of the C library. Raises OSError, with the function's name, when it answers with -1."""
    if getattr(_LIBC, function)(*arguments) == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")


def prctl(option: int, *arguments: int) -> None:
    """Set something of this process (prctl(2)); arguments that are not given are 0, as many options want it."""
    call("prctl", option, *(ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0, 0)[:4]))


def enter_namespace(file: int) -> None:
    """Enter a namespace that was opened; into one of users only a process with a single thread may go."""
    call("setns", file, 0)


def gain_no_privileges() -> None:
    """No program that is started from now on has more rights than we, whatever its file says."""
    prctl(_PR_SET_NO_NEW_PRIVS, 1)


class _Program(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def filter_system_calls(rules: bytes) -> None:
    """Let a compiled filter decide about system calls, from now on and in what we start (`seccomp.py`)."""
    program = _Program(len(rules) // _INSTRUCTION_BYTES, rules)
    call("prctl", _PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), ctypes.byref(program), 0, 0)


def give_way(nice: int) -> None:
    """Let others have the cores first, by so much (nice(2)): this process, what it starts, and its session.

    Where sessions are weighed against one another (sched(7), autogroup: seen to be on by default), a process's own
    figure counts within its session only. A kernel without them has no such file; an ordinary user may change one only
    every 100 ms, whoever did so last.
    """
    os.nice(nice)
    if nice and (session := _session(os.getpid())) is not None:
        _give_way(session, nice)


def let_session_give_way(process: int, nice: int) -> None:
    """The same for the session of a process. Returns at once; the figure may come some 100 ms later."""
    if (session := _session(process)) is not None:
        threading.Thread(target=_give_way, args=(session, nice), name="nice").start()


def let_give_way(processes: Iterable[int], nice: int) -> None:
    """Let processes that run, and their sessions, give way so far from now on, or as far as they did where that is
    more. Those that are gone, or somebody else's, are left alone.
    """
    sessions = set[int]()
    for process in processes:
        with suppress(OSError):
            threads = [int(name) for name in os.listdir(f"/proc/{process}/task")]  # noqa: PTH208 - numbers
            eager = [thread for thread in threads if os.getpriority(os.PRIO_PROCESS, thread) < nice]
            for thread in eager:
                os.setpriority(os.PRIO_PROCESS, thread, nice)
            if eager and (leader := os.getsid(process)) not in sessions:
                sessions.add(leader)
                let_session_give_way(process, nice)


def _session(process: int) -> int | None:
    """The file with the figure of that process's session, open; it never is another process's."""
    try:
        return os.open(f"/proc/{process}/autogroup", os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return None


def _give_way(session: int, nice: int) -> None:
    try:
        for _ in range(_AUTOGROUP_TRIES):
            try:
                os.write(session, str(nice).encode())
            except BlockingIOError:
                time.sleep(_AUTOGROUP_SECONDS)
            except OSError:
                return
            else:
                return
    finally:
        os.close(session)


def die_with(parent: int, number: int) -> None:
    """Get that signal when our parent ends, also if it has ended already. A change of user would undo this."""
    prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os.kill(os.getpid(), number)


def overwrite_environment(name: str, value: str) -> None:
    """Change a variable of the environment that this process was started with, where others read it in /proc.

    `os.environ` changes a copy that only this process and those that it starts know; one that it forks shows the old.
    The value must be as long as the old one.
    """
    address, data = _LIBC.getenv(name.encode()), value.encode()
    if address is None or len(ctypes.string_at(address)) != len(data):
        raise ValueError(f"{name} is not in the environment with a value of {len(data)} bytes")
    ctypes.memmove(address, data, len(data))
    os.environ[name] = value
