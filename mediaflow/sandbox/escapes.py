"""Ways out of a sandbox, each tried from inside: by the start of a worker, by `mediaflow doctor` and by the tests.

This file is also run as a program (by itself, with Python's own modules only): it prints what worked, as JSON. Nothing
is harmed by what works: files are opened and not written, the host keeps its name, what is mounted is empty.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

KERNEL_FILES = (
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/hostname",
    "/proc/sys/vm/drop_caches",
    "/proc/sysrq-trigger",
    "/proc/irq/default_smp_affinity",
    "/sys/power/state",
    "/sys/kernel/uevent_helper",
    "/sys/fs/cgroup/release_agent",
)
SYSTEM_PLACES = ("/", "/usr", "/etc", "/bin", "/lib", "/opt", "/proc", "/sys", "/dev", "/var", "/run", "/root")
DEVICES = ("/dev/mem", "/dev/kmsg", "/dev/sda", "/dev/vda", "/dev/nvme0n1", "/dev/kvm", "/dev/fuse", "/dev/net/tun")
SECRETS = ("/etc/shadow", "/etc/gshadow", "/root/.ssh/id_rsa", "/root/.bash_history")
PROCESSES_TRIED = 8
# linux/sched.h, asm-generic/unistd.h (the number is the same on every architecture)
CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWNET = 0x10000000, 0x00020000, 0x40000000
MNT_DETACH = 2
IO_URING_SETUP = 425

Facts = Mapping[str, Any]
"""What is outside: `file` (a path), `port` (of 127.0.0.1), `name` (of an abstract socket), `process` (its number) and
`born` (when it was, as /proc tells), `processes` (the most that may be inside), `network` (whether there may be one).
"""


def _kernel_files(_: Facts) -> str | None:
    return _first(KERNEL_FILES, _can_open, os.O_WRONLY)


def _system_places(_: Facts) -> str | None:
    return _first([f"{place}/.mediaflow-escape" for place in SYSTEM_PLACES], _can_make)


def _devices(_: Facts) -> str | None:
    return _first(DEVICES, _can_open, os.O_RDONLY)


def _secrets(_: Facts) -> str | None:
    return _first(SECRETS, _can_open, os.O_RDONLY)


def _file_outside(facts: Facts) -> str | None:
    return _first([facts["file"]], _can_open, os.O_RDONLY) or _first([facts["file"]], _can_open, os.O_WRONLY)


def _loopback(facts: Facts) -> str | None:
    if facts["network"]:
        return None
    with suppress(OSError), socket.socket() as client:
        client.settimeout(0.5)
        client.connect(("127.0.0.1", facts["port"]))
        return f"127.0.0.1:{facts['port']}"
    with suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.connect(f"\0{facts['name']}")
        return f"the abstract socket {facts['name']}"
    return None


def _process_outside(facts: Facts) -> str | None:
    """Another process may have that number inside; it was born at another time."""
    number = facts["process"]
    try:
        born = int(Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[19])
    except OSError:
        return None
    return f"the process {number}" if born == facts["born"] else None


def _namespaces(_: Facts) -> str | None:
    for name, flag in (("user", CLONE_NEWUSER), ("mount", CLONE_NEWNS), ("network", CLONE_NEWNET)):
        if _in_child(lambda flag=flag: _call("unshare", flag)):  # type: ignore[misc]
            return f"a {name} namespace"
    return None


def _mounts(_: Facts) -> str | None:
    place = b"/tmp"
    if _call("mount", b"none", place, b"tmpfs", 0, None):
        _call("umount2", place, MNT_DETACH)
        return "a tmpfs"
    return None


def _host_name(_: Facts) -> str | None:
    name = os.uname().nodename.encode()
    return "its own" if _call("sethostname", name, len(name)) else None


def _rights(_: Facts) -> str | None:
    if 0 in os.getresuid() or 0 in os.getresgid():
        return "the user or group 0"
    told = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        if int(told[name], 16):
            return f"capabilities ({name} {told[name]})"
    if told["NoNewPrivs"] != "1" or told["Seccomp"] != "2":
        return "no filter of system calls, or no bar on gaining rights"
    return "the user 0" if _in_child(lambda: _succeeds(os.setuid, 0)) else None


def _io_uring(_: Facts) -> str | None:
    return "a ring" if _call("syscall", IO_URING_SETUP, 1, ctypes.create_string_buffer(256)) else None


def _processes(facts: Facts) -> str | None:
    """The limit is lowered before it is tried, since hundreds of processes would take their time."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    if hard == resource.RLIM_INFINITY or hard > facts["processes"]:
        return f"a limit of {hard} processes"
    resource.setrlimit(resource.RLIMIT_NPROC, (PROCESSES_TRIED, hard))
    children = []
    try:
        for _ in range(PROCESSES_TRIED):  # we are one more
            if (pid := os.fork()) == 0:
                time.sleep(60)
                os._exit(0)
            children.append(pid)
    except BlockingIOError:
        return None
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        resource.setrlimit(resource.RLIMIT_NPROC, (soft, hard))
    return f"{PROCESSES_TRIED + 1} processes of {PROCESSES_TRIED}"


ESCAPES: Mapping[str, Callable[[Facts], str | None]] = {
    "open a file of the kernel for writing": _kernel_files,
    "write to a place of the system": _system_places,
    "open a device": _devices,
    "read a file that only root may": _secrets,
    "open a file outside": _file_outside,
    "reach a service of this machine": _loopback,
    "see a process outside:": _process_outside,
    "make": _namespaces,
    "mount": _mounts,
    "change the name of the host": _host_name,
    "have": _rights,
    "set up": _io_uring,
    "start more than its share, with": _processes,
}
"""What is tried, by what one would say of a program that did it; each answers with what it got at, or None."""


def tried(facts: Facts) -> list[str]:
    """What worked, each as the end of a sentence that begins with "it could"."""
    return [f"{name} {found}" for name, escape in ESCAPES.items() if (found := escape(facts)) is not None]


def _first(paths: Any, works: Callable[..., bool], *arguments: Any) -> str | None:
    return next((path for path in paths if works(path, *arguments)), None)


def _can_open(path: str, flags: int) -> bool:
    try:
        os.close(os.open(path, flags | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def _can_make(path: str) -> bool:
    try:
        Path(path).touch(exist_ok=False)
        Path(path).unlink()
    except OSError:
        return False
    return True


def _succeeds(function: Callable[..., Any], *arguments: Any) -> bool:
    try:
        function(*arguments)
    except OSError:
        return False
    return True


def _call(function: str, *arguments: Any) -> bool:
    return bool(getattr(ctypes.CDLL(None), function)(*arguments) != -1)


def _in_child(works: Callable[[], bool]) -> bool:
    """Whether it works in a process of its own, which takes with it what came of it."""
    pid = os.fork()
    if pid == 0:
        os._exit(0 if works() else 1)
    return os.waitpid(pid, 0)[1] == 0


def tell(facts: str) -> None:
    """Try what there is by the facts, and print what worked; both are JSON."""
    json.dump(tried(json.loads(facts)), sys.stdout)


if __name__ == "__main__":
    tell(sys.argv[1])
