"""The worker: a main loop that holds every connection that waits, and threads for what is being worked on.

gunicorn's gthread gives a thread to each request from its first byte to the last one of its answer, so that 32 clients
which send or read slowly stop it. Here a thread is held only while the application runs, or reads a long body.
"""

from __future__ import annotations

import contextlib
import errno
import math
import selectors
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from mediaflow.serving.answering import AnsweringWorker
from mediaflow.serving.arriving import Arrival
from mediaflow.serving.connection import Connection, Phase
from mediaflow.serving.crowd import Crowd
from mediaflow.serving.limits import PROBES, Limits, descriptors, fitting
from mediaflow.serving.wire import Pace

ACCEPTED_AT_ONCE: Final = 64
SWEEP_SECONDS: Final = 0.5
STOPPING_SECONDS: Final = 2.0


class Worker(AnsweringWorker):
    """gthread with its own way of reading requests and writing answers; `limited_worker` gives it its limits."""

    def init_process(self) -> None:
        fitted, sentence = fitting(self.limits, descriptors())
        if sentence:
            self.log.warning("%s", sentence)
        self._crowd = Crowd(fitted)
        self._probes = {path: ThreadPoolExecutor(1) for path in PROBES}
        self._swept = 0.0
        self._stopping = math.inf
        super().init_process()

    # --- connections begin and end

    def accept(self, listener: socket.socket) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                client_socket, address = listener.accept()
            except OSError as error:
                self._not_accepted(error)
                return
            conn = Connection(self.cfg, client_socket, address, listener.getsockname())
            self.nr_conns += 1
            self._guarded(self._welcome, conn)

    def _welcome(self, conn: Connection) -> None:
        if self._crowd.joins(conn):
            self._make_room()
            self._await_request(conn)
        elif self._crowd.welcomes_guests:
            self._refuse(conn, 429)
        else:
            self._close(conn)

    def _make_room(self) -> None:
        if self._crowd.is_too_large and (other := self._crowd.least_missed()):
            self._give_up(other)

    def _not_accepted(self, error: OSError) -> None:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            self.log.warning("no file descriptors are left for more connections")
            if other := self._crowd.least_missed():
                self._give_up(other)
        elif error.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
            raise error

    # --- requests arrive

    def _await_request(self, conn: Connection) -> None:
        """The next request, of which a part may be there already."""
        if conn.arriving.begun:
            conn.enter(Phase.ARRIVING, self.limits.request_seconds)
            self._consider(conn)
            return
        conn.enter(Phase.IDLE, self.cfg.keepalive)
        self._watch(conn, selectors.EVENT_READ, self._on_bytes)

    def _on_bytes(self, conn: Connection) -> None:
        block = conn.read()
        if block is None:
            return
        if not block:
            self._close(conn)
            return
        if conn.phase is Phase.IDLE:
            conn.enter(Phase.ARRIVING, self.limits.request_seconds)
        conn.arriving.data += block
        self._consider(conn)

    def _consider(self, conn: Connection) -> None:
        had_head = conn.arriving.head_is_there
        arrival = conn.arriving.arrived()
        if arrival is Arrival.TOO_LARGE:
            self._refuse(conn, 431)
        elif not had_head and conn.arriving.head_is_there and not self._crowd.may_ask(conn):
            self._refuse(conn, 429)
        elif arrival is Arrival.PART:
            if conn.arriving.expects_continue and not had_head and conn.arriving.head_is_there:
                conn.wire.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            if not conn.watched:
                self._watch(conn, selectors.EVENT_READ, self._on_bytes)
        else:
            self._start(conn, whole=arrival is Arrival.WHOLE)

    def _start(self, conn: Connection, *, whole: bool) -> None:
        conn.unwatch(self.poller)
        pool = self._probes.get(conn.arriving.path)
        conn.wire.pace = Pace(self.limits.request_seconds)
        conn.hand_over()
        self._submit(conn, pool, whole)

    # --- time passes

    def murder_pending(self) -> None:
        """Gunicorn calls it in each turn of its loop, at least once a second."""
        if time.monotonic() < self._swept + SWEEP_SECONDS:
            return
        self._swept = now = time.monotonic()
        for conn in self._crowd.members():
            if not self.alive:
                self._guarded(self._hurry, conn)
            if conn.until <= now:
                self._guarded(self._expire, conn)

    def _hurry(self, conn: Connection) -> None:
        """We are told to stop: who has not asked yet, may for a moment; nobody waits for an event any more."""
        if conn.phase in (Phase.IDLE, Phase.ARRIVING, Phase.LINGERING):
            self._stopping = min(self._stopping, time.monotonic() + STOPPING_SECONDS)
            conn.until = min(conn.until, self._stopping)
        elif conn.phase is Phase.PAUSED and conn.pause is not None:
            conn.pause.wake()

    def _expire(self, conn: Connection) -> None:
        if conn.phase is Phase.ARRIVING:
            self._refuse(conn, 408)
        elif conn.phase is Phase.PAUSED and conn.pause is not None:
            conn.pause.wake()
        elif conn.phase is Phase.SENDING:
            taken = conn.wire.taken()
            if taken - conn.taken < self.limits.least_bytes_per_second * self.limits.stall_seconds:
                self._give_up(conn)
            else:
                conn.taken = taken
                conn.enter(Phase.SENDING, self.limits.stall_seconds)
        elif conn.phase is not Phase.WORKING:
            self._close(conn)

    def run(self) -> None:
        super().run()
        for conn in self._crowd.members():  # no thread shall wait for a client now
            with contextlib.suppress(OSError):
                conn.sock.shutdown(socket.SHUT_RDWR)
        for pool in self._probes.values():
            pool.shutdown(wait=False)


def limited_worker(limits: Limits) -> type[Worker]:
    """The worker class with these limits: gunicorn makes workers itself, and hands them its own settings only."""
    return type("LimitedWorker", (Worker,), {"limits": limits})
