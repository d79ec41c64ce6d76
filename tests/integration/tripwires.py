"""Where hostile files of the corpus point: two ports that nobody may connect to, and a file that nobody may read."""

from __future__ import annotations

import fcntl
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.corpus import corpus_directory

PORTS = (18998, 18999)
VICTIM = Path("/tmp/mediaflow_victim/victim.ts")


@dataclass(frozen=True)
class Tripwires:
    """Listeners on the ports."""

    listeners: tuple[socket.socket, ...]

    def connections(self) -> int:
        """How many connections came since the last call."""
        count = 0
        for listener in self.listeners:
            try:
                while True:
                    listener.accept()[0].close()
                    count += 1
            except BlockingIOError:
                continue
        return count


@contextmanager
def tripwires_set() -> Iterator[Tripwires]:
    """Tripwires until the block ends. Several processes may have theirs at once: a connection trips one of them."""
    directory = corpus_directory()
    assert directory is not None
    VICTIM.parent.mkdir(exist_ok=True)
    with ExitStack() as stack:
        lock = stack.enter_context(VICTIM.with_suffix(".lock").open("w"))
        fcntl.flock(lock, fcntl.LOCK_EX)
        VICTIM.write_bytes((directory / "hostile" / "victim.ts").read_bytes())
        fcntl.flock(lock, fcntl.LOCK_UN)
        listeners = []
        for port in PORTS:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", port), reuse_port=True))
            listener.setblocking(False)
            listeners.append(listener)
        yield Tripwires(tuple(listeners))
