"""A prepared process: it has imported what is needed, and forks a child whenever the process that started it asks.

Requests and answers are JSON datagrams with file descriptors on one socket (`prepared.py` is its other end):

* `{"fork": {directory, mark, nice, capabilities}}` with stdin, stdout, stderr and the namespaces to enter: answered by
  `{"pid": 12}` with a handle of the child (pidfd). The child stays a zombie until it is collected, so that its number
  stays its own.
* `{"collect": 12}`, once it has ended: answered by `{"status": 0}`, as wait(2) tells it.

It ends when the socket does, that is with the process that started it, and its children end with it.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NoReturn

from mediaflow.sandbox.capabilities import CapabilitySets
from mediaflow.sandbox.kernel import die_with, enter_namespace, gain_no_privileges, give_way, overwrite_environment
from mediaflow.sandbox.marks import MARK_VARIABLE

MESSAGE_BYTES: Final = 64 * 1024
FILES: Final = 8
"""The most file descriptors of one message."""


def serve(channel: socket.socket, run: Callable[[], None]) -> None:
    """Answer requests until the other end is gone. Each child calls `run`, with the stdin, stdout and stderr it got."""
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
    """Make this child what was asked for; after that it reaches nothing of the prepared process."""
    os.setsid()
    stdin, stdout, stderr, *namespaces = files
    for standard, file in enumerate((stdin, stdout, stderr)):
        os.dup2(file, standard)
    overwrite_environment(MARK_VARIABLE, request["mark"])
    give_way(request["nice"])
    for namespace in namespaces:
        enter_namespace(namespace)
    # the socket among them, and whatever a module opened when it was imported: a directory would be a way out
    for file in {int(name) for name in os.listdir("/proc/self/fd")} - {0, 1, 2}:  # noqa: PTH208 - numbers, no paths
        with suppress(OSError):  # that of the listing itself is gone
            os.close(file)
    os.chdir(request["directory"])
    if request["capabilities"] is not None:
        CapabilitySets(**request["capabilities"]).take_on()
        gain_no_privileges()
    die_with(parent, signal.SIGKILL)


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
