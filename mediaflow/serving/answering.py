"""From a request that is there to the end of its answer: what threads do, and what the main loop awaits without one."""

from __future__ import annotations

import contextlib
import errno
import selectors
import socket
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, ClassVar, Final

from gunicorn.http.errors import NoMoreData  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from mediaflow.serving.connection import Connection, Phase
from mediaflow.serving.crowd import Crowd
from mediaflow.serving.exchange import exchange
from mediaflow.serving.limits import Limits
from mediaflow.serving.pauses import Pause
from mediaflow.serving.refusals import ProblemWriter, refusal

LINGER_SECONDS: Final = 10.0
LINGER_SECONDS_OF_GUESTS: Final = 2.0
"""How long what a client still sends is thrown away, after an answer that came before the end of its request. A
connection that is closed on unread bytes is reset, and the answer lost with it."""
_GONE: Final = (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.EBADF)


class AnsweringWorker(ThreadWorker):  # type: ignore[misc]
    """gthread whose threads write to nobody who does not read, and wait for no event."""

    limits: ClassVar[Limits]
    _crowd: Crowd

    def _await_request(self, conn: Connection) -> None:
        """The next request, of which a part may be there already."""
        raise NotImplementedError

    def _submit(self, conn: Connection, pool: ThreadPoolExecutor | None = None, whole: bool = False) -> None:
        conn.phase = Phase.WORKING
        future = (pool or self.tpool).submit(self._work, conn, whole)
        future.add_done_callback(partial(self.method_queue.defer, self._worked, conn))

    # --- in a thread

    def _work(self, conn: Connection, whole: bool) -> Phase | None:
        """Go on with a request until it has to wait: what it waits for; None when the connection is of no more use."""
        request = None
        try:
            if conn.serving is None:
                request = next(conn.parser)
                conn.serving = exchange(self, request, conn, whole=whole)
            for pause in conn.serving:
                conn.pause = pause
                return Phase.SENDING if pause is None else Phase.PAUSED
            conn.serving = None
            return Phase.LINGERING if conn.parser.mesg.should_close() else Phase.IDLE
        except (NoMoreData, StopIteration):
            return None
        except OSError as error:
            conn.serving = None
            if not isinstance(error, TimeoutError) and error.errno not in _GONE:
                self.log.exception("Socket error processing request.")
            return None
        except Exception as error:  # noqa: BLE001 - whatever the application raises, the client is told
            conn.serving = None
            self.handle_error(request, ProblemWriter(conn.wire, self.log), conn.client, error)
            return Phase.LINGERING

    def _abandon(self, conn: Connection) -> None:
        """The client is gone: the application gives back what it holds for the answer."""
        serving, conn.serving = conn.serving, None
        try:
            if serving is not None:
                serving.close()  # type: ignore[attr-defined]
        except Exception:
            self.log.exception("Error handling an answer that nobody reads")

    # --- in the main loop again

    def _watch(self, conn: Connection, events: int, step: Callable[[Connection], None]) -> None:
        conn.watch(self.poller, events, partial(self._noticed, step, conn))
        conn.step = step

    def _noticed(self, step: Callable[[Connection], None], conn: Connection, _: Any) -> None:
        """Something can be read or written. Of the events of one turn an earlier one may have had this connection go
        on: a thread has it then, and this one is nothing.
        """
        if conn.watched and conn.step == step:
            self._guarded(step, conn)

    def _guarded(self, step: Callable[[Connection], None], conn: Connection) -> None:
        """Take a step for a connection: what goes wrong ends that one only, for the main loop is everybody's."""
        try:
            step(conn)
        except Exception as error:
            if not isinstance(error, OSError) or error.errno not in _GONE:
                self.log.exception("A connection is given up")
            if conn.phase is not Phase.CLOSED:
                self._give_up(conn)

    def _worked(self, conn: Connection, future: Future[Phase | None]) -> None:
        self._guarded(partial(self._go_on, future), conn)

    def _go_on(self, future: Future[Phase | None], conn: Connection) -> None:
        if error := future.exception():  # SystemExit too: raised again here it would end us
            self.log.error("A request ended its thread's work", exc_info=error)
            self._give_up(conn)
            return
        phase = future.result()
        if phase is Phase.IDLE:
            self._crowd.answered(conn)
            conn.take_back()
            self._await_request(conn)
        elif phase is Phase.SENDING:
            conn.enter(Phase.SENDING, self.limits.stall_seconds)
            conn.taken = conn.wire.taken()
            self._watch(conn, selectors.EVENT_WRITE, self._on_room)
        elif conn.pause is not None and phase is Phase.PAUSED:
            self._park(conn, conn.pause)
        elif phase is Phase.LINGERING:
            self._linger(conn)
        else:
            self._give_up(conn)

    def _on_room(self, conn: Connection) -> None:
        try:
            conn.wire.flush()
        except OSError:
            self._give_up(conn)
            return
        if not conn.wire.is_full:
            conn.unwatch(self.poller)
            if conn.serving is None:
                self._linger(conn)
            else:
                self._submit(conn)

    def _park(self, conn: Connection, pause: Pause) -> None:
        conn.enter(Phase.PAUSED, pause.seconds)
        self._watch(conn, selectors.EVENT_READ, self._on_end)
        pause.park(partial(self.method_queue.defer, self._resume, conn, pause))

    def _resume(self, conn: Connection, pause: Pause) -> None:
        if conn.phase is Phase.PAUSED and conn.pause is pause:
            conn.unwatch(self.poller)
            self._guarded(self._submit, conn)

    def _on_end(self, conn: Connection) -> None:
        """Something can be read while an answer waits: the client is gone, or sends its next request."""
        try:
            gone = not conn.sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            gone = True
        conn.unwatch(self.poller)
        if gone:
            self._give_up(conn)

    def _give_up(self, conn: Connection) -> None:
        if conn.serving is not None:
            self.tpool.submit(self._abandon, conn)
        self._close(conn)

    def _refuse(self, conn: Connection, status: int) -> None:
        answer, request_id = refusal(status)
        self.log.debug("request %s was refused with %d before it was read", request_id, status)
        try:
            conn.wire.sendall(answer)
        except OSError:
            self._close(conn)
        else:
            self._linger(conn)

    def _linger(self, conn: Connection) -> None:
        """Close as soon as the client has read the answer; what it still sends is thrown away, within limits."""
        if conn.wire.is_full:
            conn.enter(Phase.SENDING, self.limits.stall_seconds)
            self._watch(conn, selectors.EVENT_WRITE, self._on_room)
            return
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(conn)
            return
        conn.left_to_discard = self.limits.discarded_bytes
        conn.enter(Phase.LINGERING, LINGER_SECONDS if conn.holder else LINGER_SECONDS_OF_GUESTS)
        self._watch(conn, selectors.EVENT_READ, self._on_rest)

    def _on_rest(self, conn: Connection) -> None:
        block = conn.read()
        if block is None:
            return
        conn.left_to_discard -= len(block)
        if not block or conn.left_to_discard < 0:
            self._close(conn)

    def _close(self, conn: Connection) -> None:
        conn.unwatch(self.poller)
        conn.phase = Phase.CLOSED
        self._crowd.leaves(conn)
        self.nr_conns -= 1
        with contextlib.suppress(OSError):
            conn.sock.close()
