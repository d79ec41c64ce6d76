"""A prepared process: it has imported what is needed, and forks a child whenever the process that started it asks.

Requests and answers are JSON datagrams with file descriptors on one socket (`prepared.py` is its other end):

* `{"fork": {directory, mark, nice, enter, user, groups}}` with stdin, stdout, stderr, a socket that the child gets as
  its file `CONTROL`, and the namespaces to enter, in this order: answered by `{"pid": 12}` with a handle of the child
  (pidfd). The child stays a zombie until it is collected, so that its number stays its own.
* `{"collect": 12}`, once it has ended: answered by `{"status": 0}`, as wait(2) tells it.

It ends when the socket does, that is with the process that started it, and its children end with it.
"""

from __future__ import annotations

import atexit
import fcntl
import gc
import json
import os
import resource
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NoReturn

from mediaflow.sandbox.capabilities import give_up_rights
from mediaflow.sandbox.confinement import PROCESSES
from mediaflow.sandbox.kernel import (
    die_with,
    enter_namespace,
    filter_system_calls,
    gain_no_privileges,
    give_way,
    overwrite_environment,
)
from mediaflow.sandbox.marks import MARK_VARIABLE
from mediaflow.sandbox.seccomp import step_filter

MESSAGE_BYTES: Final = 64 * 1024
FILES: Final = 16
"""The most file descriptors of one message."""
CONTROL: Final = 3
"""The child's file descriptor of a socket to whoever asked for it."""


def serve(channel: socket.socket, run: Callable[[], None]) -> None:
    """Answer requests until the other end is gone. Each child calls `run`, with the stdin, stdout and stderr it got."""
    step_filter()  # compiled once, here
    gc.freeze()  # what is there is never garbage: a collection in a child would only copy its pages
    while True:
        data, files, _, _ = socket.recv_fds(channel, MESSAGE_BYTES, FILES)
        if not data:
            return
        answer, handles = _answered(json.loads(data), files, run)
        socket.send_fds(channel, [json.dumps(answer).encode()], handles)
        for file in (*files, *handles):
            os.close(file)


def _answered(
    request: Mapping[str, Any], files: Sequence[int], run: Callable[[], None]
) -> tuple[dict[str, Any], list[int]]:
    try:
        if "collect" in request:
            return {"status": _collected(request["collect"])}, []
        pid = _forked(request["fork"], files, run)
        return {"pid": pid}, [os.pidfd_open(pid)]
    except OSError as error:
        return {"error": str(error)}, []


def _collected(pid: int) -> int:
    found, status = os.waitpid(pid, os.WNOHANG)
    if not found:
        raise ChildProcessError(f"the process {pid} has not ended")
    return status


def _forked(request: Mapping[str, Any], files: Sequence[int], run: Callable[[], None]) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _run_and_exit(request, files, parent, run)
    return pid


def _become(request: Mapping[str, Any], files: Sequence[int], parent: int) -> None:
    """Make this child what was asked for; after that it reaches nothing of the prepared process.

    Into a process namespace one goes by having a child there: then this returns in that, and we end as it does.
    """
    os.setsid()
    if request["enter"] is not None:
        Path(request["enter"]).write_text("0")
    stdin, stdout, stderr, control, *namespaces = files
    for namespace in namespaces:
        enter_namespace(namespace)
    die_with(parent, signal.SIGKILL)
    if namespaces:
        if pid := os.fork():
            _end_as(os.waitpid(pid, 0)[1])
        os.setsid()
    for number, file in enumerate(_out_of_the_way((stdin, stdout, stderr, control))):
        os.dup2(file, number)
    overwrite_environment(MARK_VARIABLE, request["mark"])
    give_way(request["nice"])
    # the socket among them, and whatever a module opened when it was imported: a directory would be a way out
    for file in {int(name) for name in os.listdir("/proc/self/fd")} - {0, 1, 2, CONTROL}:  # noqa: PTH208 - numbers
        with suppress(OSError):  # that of the listing itself is gone
            os.close(file)
    os.chdir(request["directory"])
    if namespaces:
        resource.setrlimit(resource.RLIMIT_NPROC, (PROCESSES, PROCESSES))
        give_up_rights(request["user"], request["groups"])
        gain_no_privileges()
        filter_system_calls(step_filter())


def _out_of_the_way(files: Sequence[int]) -> list[int]:
    """The same files under numbers that none of them is to have."""
    return [fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, CONTROL + 1) for file in files]


def _end_as(status: int) -> NoReturn:
    """End as another process did, by its status of wait(2)."""
    if os.WIFSIGNALED(status):
        signal.signal(os.WTERMSIG(status), signal.SIG_DFL) if os.WTERMSIG(status) != signal.SIGKILL else None
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.WEXITSTATUS(status))


def _run_and_exit(request: Mapping[str, Any], files: Sequence[int], parent: int, run: Callable[[], None]) -> NoReturn:
    """Run the child and end it as Python ends a program, but without taking the modules down one by one, which would
    copy most of the memory that is shared with the prepared process (measured: 48 ms of processor time out of 50).
    """
    code = 1
    try:
        _become(request, files, parent)
        run()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - the interpreter's own way with what nobody caught
        traceback.print_exc()
    finally:
        try:
            threading._shutdown()  # type: ignore[attr-defined]
            atexit._run_exitfuncs()
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code & 0xFF)
