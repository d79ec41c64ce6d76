"""Runs the children of `mediaflow up` under supervisord: restarts what dies, stops in order, leaves nobody behind."""

from __future__ import annotations

import os
import secrets
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, cast
from xmlrpc.client import Fault, ServerProxy

from mediaflow.embedded.datadir import write_private
from mediaflow.embedded.tether import tethered

CONFIG_NAME: Final = "supervisord.conf"
LOG_NAME: Final = "supervisord.log"
STOP_SECONDS: Final = 8
"""How long a program may take to end in order; then it is killed with its whole process group."""
ASK_SECONDS: Final = 0.05
"""How often a supervisord that stops is asked how far it is."""
SETTLE_SECONDS: Final = 1
"""A program that lives this long counts as started."""
SOCKET_PATH_BYTES: Final = 100
"""unix(7) allows 108 bytes; supervisord adds its pid while it makes the socket."""


@dataclass(frozen=True, slots=True)
class Program:
    """A child. Higher `rank`s stop first, all of one rank at once."""

    name: str
    argv: tuple[str, ...]
    rank: int
    directory: Path


@dataclass(frozen=True, slots=True)
class ProgramState:
    """What supervisord says of a program: STARTING, RUNNING, BACKOFF, EXITED, FATAL, ..., and its pid (0: none)."""

    name: str
    state: str
    pid: int


class Supervisor:
    """A supervisord of our own, in a with-block: leaving the block stops every program, in order, and then itself."""

    def __init__(self, directory: Path, programs: Iterable[Program], environment: Mapping[str, str]) -> None:
        self._directory = directory
        self._programs = tuple(programs)
        self._environment = dict(environment)
        self._socket_directory: tempfile.TemporaryDirectory[str] | None = None
        self._user, self._password = "mediaflow", secrets.token_hex(16)

    @property
    def output(self) -> IO[bytes]:
        """Everything that supervisord and the programs print."""
        return cast("IO[bytes]", self._process.stdout)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def __enter__(self) -> Supervisor:
        socket = self._socket_path()
        environment = self._environment | {
            # by name, because supervisord's file format can't quote: a path may hold `;`, `#` or `%`
            "SUPERVISED_SOCKET": str(socket),
            **{_variable(program, "COMMAND"): shlex.join(tethered(program.argv)) for program in self._programs},
            **{_variable(program, "DIRECTORY"): os.fspath(program.directory) for program in self._programs},
        }
        write_private(self._directory / CONFIG_NAME, self._configuration())
        self._process = subprocess.Popen(
            tethered(
                [sys.executable, "-P", "-m", "supervisor.supervisord", "-n", "-s", "-c", CONFIG_NAME],
                parent=os.getpid(),
            ),
            cwd=self._directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # Ctrl-C in the terminal is for us: we stop the programs in order
            start_new_session=True,
        )
        self._rpc = _connect(socket, self._user, self._password)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._stop()
        finally:
            self._rpc("close")()
            if self._socket_directory:
                self._socket_directory.cleanup()

    def _stop(self) -> None:
        """End everything in order, or at once when that takes too long."""
        deadline = time.monotonic() + 3 * STOP_SECONDS
        if self.alive:
            self._process.terminate()
        self._rpc("close")()  # the signal that ends us may have interrupted a question
        while self.alive and time.monotonic() < deadline:
            # supervisord looks at signals and ended children once a second; a question wakes it
            self.states()
            time.sleep(ASK_SECONDS)
        if self.alive:
            self.kill()

    def kill(self) -> None:
        """End everything at once: the programs are tied to supervisord's life."""
        self._process.kill()
        self._process.wait()

    def states(self) -> list[ProgramState]:
        """The state of each program; empty without an answer (yet)."""
        try:
            answer: Any = self._rpc.supervisor.getAllProcessInfo()
        except (OSError, Fault):
            self._rpc("close")()  # the connection is of no use any more, the next call makes another
            return []
        return [ProgramState(entry["name"], entry["statename"], entry["pid"]) for entry in answer]

    def start(self, name: str) -> None:
        """Start a program that was given up."""
        rank = next(program.rank for program in self._programs if program.name == name)
        try:
            self._rpc.supervisor.startProcess(f"rank{rank}:{name}", False)
        except (OSError, Fault):
            self._rpc("close")()  # it died again at once, or supervisord is busy: the caller looks again soon

    def _socket_path(self) -> Path:
        path = self._directory / "supervisor.sock"
        if len(os.fsencode(path)) <= SOCKET_PATH_BYTES:
            return path
        self._socket_directory = tempfile.TemporaryDirectory(prefix="mediaflow-")
        return Path(self._socket_directory.name, "supervisor.sock")

    def _configuration(self) -> str:
        ranks = sorted({program.rank for program in self._programs})
        members = {rank: [p.name for p in self._programs if p.rank == rank] for rank in ranks}
        sections = [
            _section(
                "supervisord",
                nodaemon="true",
                # its own messages; stdout is for the programs'
                logfile=LOG_NAME,
                logfile_backups=1,
                pidfile="supervisord.pid",
                umask="077",
                # its own defaults (1024 files, 200 processes) refuse to start under tighter limits
                minfds=64,
                minprocs=1,
                # without a name it complains about running as root; this is who runs it anyway
                **({"user": "root"} if os.geteuid() == 0 else {}),
            ),
            _section(
                "unix_http_server",
                file="%(ENV_SUPERVISED_SOCKET)s",
                chmod="0600",
                username=self._user,
                password=self._password,
            ),
            _section(
                "rpcinterface:supervisor",
                **{"supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"},
            ),
            *(_section(f"group:rank{rank}", programs=",".join(members[rank]), priority=rank) for rank in ranks),
            *(_program(program) for program in self._programs),
        ]
        return "\n".join(sections)


def _program(program: Program) -> str:
    return _section(
        f"program:{program.name}",
        command=f"%(ENV_{_variable(program, 'COMMAND')})s",
        directory=f"%(ENV_{_variable(program, 'DIRECTORY')})s",
        autorestart="true",
        startsecs=SETTLE_SECONDS,
        startretries=3,
        stopsignal="TERM",
        stopwaitsecs=STOP_SECONDS,
        # Dramatiq takes a second TERM as "at once", so only the program itself gets it; KILL is for its whole group
        stopasgroup="false",
        killasgroup="true",
        redirect_stderr="true",
        stdout_logfile="/dev/stdout",
        # a stream can't be rotated
        stdout_logfile_maxbytes=0,
    )


def _variable(program: Program, what: str) -> str:
    return f"SUPERVISED_{program.name}_{what}".upper().replace("-", "_")


def _section(name: str, **values: object) -> str:
    return "\n".join([f"[{name}]", *(f"{key}={value}" for key, value in values.items()), ""])


def _connect(socket: Path, user: str, password: str) -> ServerProxy:
    from supervisor.xmlrpc import SupervisorTransport

    return ServerProxy("http://127.0.0.1", SupervisorTransport(user, password, f"unix://{socket}"))
