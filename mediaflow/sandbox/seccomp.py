"""Filters of system calls (seccomp(2)), compiled by libseccomp.

libseccomp is what systemd, Docker and Flatpak compile theirs with, and apt needs it on every Debian. Its own Python
binding is no wheel, and the packages that wrap it by ctypes were last released in 2021, so four of its functions are
called here.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterable
from functools import cache
from typing import Any, Final

from mediaflow.domain.errors import TaskFailed
from mediaflow.sandbox.systemcalls import ALLOWED, DENIED, UNKNOWN

_LIBRARY: Final = "libseccomp.so.2"
# linux/seccomp.h, seccomp.h of libseccomp
_ALLOW: Final = 0x7FFF0000
_REFUSE: Final = 0x00050000
_EPERM: Final = 1
_ENOSYS: Final = 38
_EQUAL: Final = 4
_MASKED_EQUAL: Final = 7
_OPTIMIZE: Final = 8
_BINARY_TREE: Final = 2
# linux/sched.h: mount, cgroup, host name, ipc, user, process, network
_NAMESPACES: Final = tuple(1 << bit for bit in (17, 25, 26, 27, 28, 29, 30))
_AF_UNIX: Final = 1
_FAMILIES: Final = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}
_FAMILY_BITS: Final = 64
"""There are fewer families than this (linux/socket.h: 46)."""


class _Comparison(ctypes.Structure):
    """`struct scmp_arg_cmp`."""

    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


@cache
def program_filter() -> bytes:
    """For ffmpeg and its like: what is not needed for decoding, encoding and files does not exist (ENOSYS)."""
    rules = _Rules(_REFUSE | _ENOSYS)
    rules.add(_ALLOW, ALLOWED.split())
    # threads and processes, but no namespaces; clone3 hides its flags from a filter, so it does not exist
    rules.add(_ALLOW, ["clone"], _Comparison(_clone_flags(), _MASKED_EQUAL, sum(_NAMESPACES), 0))
    rules.add(_ALLOW, ["socket"], _Comparison(0, _EQUAL, _AF_UNIX, 0))  # the C library's name service asks for one
    return rules.compiled()


@cache
def step_filter() -> bytes:
    """For a step's Python, whose libraries may want anything: what leads out of a sandbox is refused (EPERM)."""
    rules = _Rules(_ALLOW)
    rules.add(_REFUSE | _EPERM, DENIED.split())
    rules.add(_REFUSE | _ENOSYS, UNKNOWN.split())
    for flag in _NAMESPACES:
        rules.add(_REFUSE | _EPERM, ["clone"], _Comparison(_clone_flags(), _MASKED_EQUAL, flag, flag))
    # vsock, packet, crypto and the like: not bound to a network namespace, or a kernel's largest holes
    for family in set(range(_FAMILY_BITS)) - set(_FAMILIES.values()):
        rules.add(_REFUSE | _EPERM, ["socket"], _Comparison(0, _MASKED_EQUAL, 0xFFFFFFFF, family))
    return rules.compiled()


def library_is_missing() -> str | None:
    """What to do when libseccomp can't be loaded, or None."""
    try:
        _library()
    except TaskFailed as error:
        return error.detail
    return None


class _Rules:
    """A filter while it is written; `default` is what happens to a call that no rule names."""

    def __init__(self, default: int) -> None:
        self._library = _library()
        self._filter = ctypes.c_void_p(self._library.seccomp_init(ctypes.c_uint32(default)))
        # a balanced tree of comparisons instead of a list: these are read before every call of ffmpeg
        self._call("seccomp_attr_set", ctypes.c_int(_OPTIMIZE), ctypes.c_uint32(_BINARY_TREE))

    def add(self, action: int, names: Iterable[str], *comparisons: _Comparison) -> None:
        """Names that this architecture does not have are passed over."""
        array = (_Comparison * len(comparisons))(*comparisons)
        for name in names:
            number = self._library.seccomp_syscall_resolve_name(name.encode())
            if number >= 0:
                self._call(
                    "seccomp_rule_add_array", ctypes.c_uint32(action), number, ctypes.c_uint(len(comparisons)), array
                )

    def compiled(self) -> bytes:
        """The filter as the kernel reads it (`struct sock_filter[]`); it can't be changed afterwards."""
        file = os.memfd_create("filter")
        try:
            self._call("seccomp_export_bpf", file)
            self._library.seccomp_release(self._filter)
            return os.pread(file, os.fstat(file).st_size, 0)
        finally:
            os.close(file)

    def _call(self, function: str, *arguments: Any) -> None:
        answer: int = getattr(self._library, function)(self._filter, *arguments)
        if answer < 0:
            raise TaskFailed(f"{function}: {os.strerror(-answer)}.", code="job.sandbox_failed")


@cache
def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError as error:
        raise TaskFailed(
            f"{_LIBRARY} can't be loaded ({error}); install it (Debian: apt-get install libseccomp2).",
            code="job.sandbox_failed",
        ) from error
    library.seccomp_init.restype = ctypes.c_void_p
    return library


def _clone_flags() -> int:
    """Which argument of clone(2) has the flags."""
    return 1 if platform.machine() == "s390x" else 0
