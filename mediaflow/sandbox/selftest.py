"""Whether sandboxes hold on this machine: `escapes.py` is run in both kinds of them, before any upload is."""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import mediaflow
from mediaflow.domain.errors import TaskFailed
from mediaflow.domain.ids import new_id
from mediaflow.sandbox import escapes
from mediaflow.sandbox.confinement import PROCESSES, Confinement
from mediaflow.sandbox.marks import NO_MARK
from mediaflow.sandbox.ownership import give
from mediaflow.sandbox.prepared import Fork, PreparedProcess
from mediaflow.sandbox.process import Limits
from mediaflow.sandbox.runner import CLEAN_ENVIRONMENT, SandboxedRunner
from mediaflow.sandbox.users import borrowed_user, named_users
from mediaflow.sandbox.view import View, opened_view
from mediaflow.sandbox.watchdog import Watch, watch_to_end

_LIMITS: Final = Limits(wall_seconds=20)
_FAILED: Final = "job.sandbox_failed"
_PREPARED: Final = (
    "import socket, sys; from mediaflow.sandbox import escapes; from mediaflow.sandbox.forking import serve;"
    "serve(socket.socket(fileno=int(sys.argv[1])), lambda: escapes.tell(sys.stdin.read()))"
)
WAY_OUT: Final = (
    "Install bubblewrap and allow user namespaces (Docker: --security-opt seccomp=unconfined; Ubuntu: an AppArmor "
    "profile for bwrap), or set MEDIAFLOW_SANDBOX=off if every upload is trusted."
)
_REPAIR: Final = (
    "Update bubblewrap and the kernel, start mediaflow as an ordinary user instead of root (or the other way round), or"
    " set MEDIAFLOW_SANDBOX=off if every upload and every plugin is trusted."
)


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of sandbox, as sentences call what is in it."""

    name: str
    worked: list[str]


def sandbox_fails(confinement: Confinement, code: Sequence[Path] = ()) -> str | None:
    """None when sandboxes can be made on this machine and nothing gets out of them; else what is wrong and what to do.

    `code` is where the modules of steps are.
    """
    if (wrong := _wrong_for_root(confinement, code)) is not None:
        return wrong
    try:
        # each waits for what it started, in the thread that did
        with outside() as facts, ThreadPoolExecutor(2) as pool:
            begun = [pool.submit(kind, confinement, facts) for kind in (_program, _step)]
            kinds = [done.result() for done in begun]
    except TaskFailed as error:
        return f"{error.detail} {WAY_OUT}"
    for kind in kinds:
        if kind.worked:
            return f"The sandbox does not hold here: {kind.name} in it could {'; '.join(kind.worked)}. {_REPAIR}"
    return None


def _wrong_for_root(confinement: Confinement, code: Sequence[Path]) -> str | None:
    """What can be wrong only where sandboxes run as users that are not ours."""
    if os.geteuid() != 0:
        return None
    if names := named_users(confinement.first_user):
        return (
            f"The users of the sandbox must be nobody else's, and {', '.join(names)} have some of their numbers; set"
            " MEDIAFLOW_SANDBOX_FIRST_UID to the first of 256 numbers that are free."
        )
    closed = [str(place) for place in code if place.stat().st_mode & (0o005 if place.is_dir() else 0o004) == 0]
    if closed:
        return (
            f"Steps run as a user without rights, who can't read the modules in {', '.join(closed)}; let others read"
            f" them (chmod -R o+rX {' '.join(closed)})."
        )
    return None


@contextmanager
def outside() -> Iterator[dict[str, Any]]:
    """Something of each kind to get at, and where it is: `escapes.Facts`."""
    name = f"mediaflow-{new_id()}"
    with ExitStack() as stack:
        file = stack.enter_context(tempfile.NamedTemporaryFile())
        service = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        local = stack.enter_context(socket.socket(socket.AF_UNIX))
        local.bind(f"\0{name}")
        local.listen()
        yield {
            "file": file.name,
            "port": service.getsockname()[1],
            "name": name,
            "process": os.getpid(),
            "born": int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19]),
            "processes": PROCESSES,
            "network": False,
        }


def _program(confinement: Confinement, facts: dict[str, Any]) -> _Kind:
    """As ffmpeg runs. -I and -S: Python reads nothing but its own modules."""
    python, script = os.path.realpath(sys.executable), Path(escapes.__file__)
    own = Path(sys.base_prefix)
    reads = [script, *([] if own == Path("/usr") else [own])]
    runner = SandboxedRunner("bwrap", confinement=confinement)
    done = runner.run([python, "-I", "-S", str(script), json.dumps(facts)], reads=reads, limits=_LIMITS)
    if done.returncode != 0:
        raise TaskFailed(f"Python in the sandbox ended with {done.returncode}: {done.stderr[-500:]}", code=_FAILED)
    return _Kind("a program", json.loads(done.stdout))


def _step(confinement: Confinement, facts: dict[str, Any]) -> _Kind:
    """As a plugin's step runs, forked from a process that imported no plugin."""
    environment = {**CLEAN_ENVIRONMENT, "PYTHONPATH": str(Path(mediaflow.__file__).parents[1])}
    prepared = PreparedProcess(lambda: [sys.executable, "-P", "-S", "-c", _PREPARED], lambda: environment)
    said: list[str] = []
    with ExitStack() as stack:
        stack.enter_context(closing(prepared))
        prepared.start()
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        user = None
        if os.geteuid() == 0:
            user = stack.enter_context(borrowed_user(confinement.first_user))
            give(directory, user.number)
        view = View([directory.parent], [], directory, confinement, user)
        namespaces = stack.enter_context(opened_view(view))
        control, given = socket.socketpair()
        stack.enter_context(control)
        stack.enter_context(given)
        fork = Fork(directory, NO_MARK, 0, json.dumps(facts).encode(), given.fileno(), namespaces)
        ended = watch_to_end(prepared.fork(fork), Watch("a step", _LIMITS, said.append))
    if ended.returncode != 0:
        reason = ended.stderr.decode(errors="replace")[-500:]
        raise TaskFailed(f"A step in the sandbox ended with {ended.returncode}: {reason}", code=_FAILED)
    return _Kind("a step", json.loads("".join(said)))
