"""Starts the stack of `mediaflow up`, waits until it answers, watches it, and stops it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Final

import requests

from mediaflow import registry, runtime
from mediaflow.client.output import PREFIX, complain
from mediaflow.embedded.checks import check_backends, check_worker
from mediaflow.embedded.datadir import DataDirectory
from mediaflow.embedded.first_ingest import FirstIngest, check_file
from mediaflow.embedded.known_users import is_known
from mediaflow.embedded.local_access import ADMIN_SECONDS, mint
from mediaflow.embedded.relay import Relay, write_stderr
from mediaflow.embedded.shared_metrics import served_metrics
from mediaflow.embedded.stack import Stack, compose
from mediaflow.embedded.supervision import LOG_NAME, ProgramState, Supervisor
from mediaflow.persistence import open_database
from mediaflow.plugin import ConfigurationError
from mediaflow.services.access.keyfile import load_or_create_key
from mediaflow.services.access.names import ADMIN
from mediaflow.services.access.outside import outside_settings
from mediaflow.services.access.sessions import LoginCodes
from mediaflow.settings import Settings

READY_SECONDS: Final = 90.0
"""A loaded machine takes 10; a database far away may take more."""
POLL_SECONDS: Final = 0.1
MAX_STARTS: Final = 3
"""A program that was started so often and still ends will not get better."""
WATCH_SECONDS: Final = 1.0
SECOND_CHANCE_SECONDS: Final = 5.0
"""How long a program that supervisord gave up rests before it is tried again."""


class Stopped(BaseException):
    """Somebody asked us to end, by signal. No Exception: nothing may take it for a failure."""


@dataclass(frozen=True, slots=True)
class Running:
    """A service that answers. `login_url` signs in once."""

    url: str
    token: str
    login_url: str
    metrics_url: str | None
    data_dir: Path


def run(environ: Mapping[str, str], announce: Callable[[Running], None], ingest: str | None, *, quiet: bool) -> None:
    """Run until SIGTERM or Ctrl-C. Raises ConfigurationError when it can't start or can't go on.

    `ingest` names a file to send at the start ("" makes a clip); with `quiet`, stdout is left to `announce`.
    """
    check_file(ingest)
    settings, plugins = registry.load(environ)
    outside_settings(settings, partial(is_known, settings))
    check_worker(settings, plugins)
    check_backends(settings, plugins)
    directory = DataDirectory(settings.data_path)
    with directory.held(), served_metrics(settings, directory) as metrics_url, ExitStack() as ports:
        load_or_create_key(settings)
        stack = compose(settings, directory, environ, ports)
        supervisor = Supervisor(directory.run, stack.programs, stack.environment)
        with _stoppable(supervisor, directory), supervisor, _telling():
            relay = Relay(supervisor.output)
            _wait_until_ready(supervisor, relay, stack, directory)
            running = _access(settings, stack, directory, metrics_url)
            directory.announce({"pid": os.getpid(), "url": stack.local_url, "metrics_url": metrics_url})
            announce(running)
            relay.release()
            with _ingesting(settings, stack, directory, relay, ingest, quiet=quiet):
                _watch(supervisor, directory)


@contextmanager
def _stoppable(supervisor: Supervisor, directory: DataDirectory) -> Iterator[None]:
    """Turn the first SIGTERM, SIGINT or SIGHUP into the end of the block; a second one while we stop kills at once.

    Who asked for it is told when it has come, on stderr: stdout is for `announce`.
    """
    asked = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            supervisor.kill()
            return
        asked = True
        raise Stopped

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        yield
    except Stopped:
        write_stderr(f"{PREFIX}stopped; your data is in {directory.path}\n")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _telling() -> Iterator[None]:
    """Say that we were asked to stop, which takes a while."""
    try:
        yield
    except Stopped:
        write_stderr(f"{PREFIX}stopping; a second signal ends everything at once\n")
        raise


def _wait_until_ready(supervisor: Supervisor, relay: Relay, stack: Stack, directory: DataDirectory) -> None:
    deadline, births = time.monotonic() + READY_SECONDS, Births()
    while True:
        _check_alive(supervisor, directory)
        states = supervisor.states()
        births.note(states)
        if births.died and relay.last_sentence:
            raise ConfigurationError(relay.last_sentence)
        if hopeless := births.hopeless(MAX_STARTS):
            raise ConfigurationError(f"{hopeless} does not start; what it says is above, or in {directory.run}")
        if states and all(program.state == "RUNNING" for program in states) and _answers(stack.local_url):
            return
        if time.monotonic() > deadline:
            raise ConfigurationError(
                f"the service did not get ready within {READY_SECONDS:.0f} s; `mediaflow doctor` checks what it needs"
            )
        time.sleep(POLL_SECONDS)


class Births:
    """Counts how often each program was started, by its pids."""

    def __init__(self) -> None:
        self._pids: dict[str, set[int]] = {}
        self._down: set[str] = set()

    def note(self, states: list[ProgramState]) -> list[str]:
        """Look at the states; the names of those that were started again since the last look."""
        again = []
        for program in states:
            pids = self._pids.setdefault(program.name, set())
            if program.pid and program.pid not in pids:
                again += [program.name] if pids else []
                pids.add(program.pid)
            if program.state in ("BACKOFF", "EXITED", "FATAL"):
                self._down.add(program.name)
        return again

    @property
    def died(self) -> bool:
        """True when any program ended at least once."""
        return bool(self._down) or any(len(pids) > 1 for pids in self._pids.values())

    def hopeless(self, starts: int) -> str | None:
        """A program that was started so often, if there is one."""
        return next((name for name, pids in self._pids.items() if len(pids) >= starts), None)


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/readyz", timeout=2).ok
    except requests.RequestException:
        return False


def _access(settings: Settings, stack: Stack, directory: DataDirectory, metrics_url: str | None) -> Running:
    return Running(
        url=stack.url,
        token=mint(settings, ADMIN, "admin", ADMIN_SECONDS),
        login_url=login_link(settings, stack),
        metrics_url=metrics_url,
        data_dir=directory.path,
    )


def login_link(settings: Settings, stack: Stack) -> str:
    """A fresh link that signs in as the admin, once."""
    database = open_database(runtime.database_url(settings))
    try:
        return f"{stack.url}/login/{LoginCodes(database).create(ADMIN, 'admin', ADMIN_SECONDS)}"
    finally:
        database.close()


def _ingesting(
    settings: Settings, stack: Stack, directory: DataDirectory, relay: Relay, file: str | None, *, quiet: bool
) -> AbstractContextManager[None]:
    if file is None:
        return nullcontext()
    first = FirstIngest(
        url=stack.local_url,
        token=mint(settings, ADMIN, "admin", ADMIN_SECONDS),
        directory=directory,
        watch_link=lambda asset_id: f"{login_link(settings, stack)}?asset={asset_id}",
        quiet=quiet,
    )
    return first.sending(file, relay)


def _watch(supervisor: Supervisor, directory: DataDirectory) -> None:
    """Say what was started again, and give what was given up another chance, until a signal ends it."""
    births, rest_until = Births(), dict[str, float]()
    while True:
        _check_alive(supervisor, directory)
        states = supervisor.states()
        for name in births.note(states):
            complain(f"{name} had ended and was started again")
        for program in states:
            if program.state == "FATAL" and time.monotonic() >= rest_until.get(program.name, 0.0):
                complain(f"{program.name} keeps ending; it is tried again every {SECOND_CHANCE_SECONDS:.0f} s")
                rest_until[program.name] = time.monotonic() + SECOND_CHANCE_SECONDS
                supervisor.start(program.name)
        time.sleep(WATCH_SECONDS)


def _check_alive(supervisor: Supervisor, directory: DataDirectory) -> None:
    if not supervisor.alive:
        raise ConfigurationError(f"supervisord ended unexpectedly; its log is {directory.run / LOG_NAME}")
