"""Passes on what the children of `mediaflow up` print, to stderr, and remembers why one of them gave up."""

from __future__ import annotations

import re
import select
import sys
import threading
from collections.abc import Callable
from typing import IO, Final

SENTENCE: Final = re.compile(r"mediaflow(?: \w+)?: (.+)")
"""How a child says why it can't start (see `output.complain`)."""
PATIENCE_MILLISECONDS: Final = 1000
PIECE_BYTES: Final = 4096
"""poll(2) promises room for this much (PIPE_BUF), so that writing it does not block."""


class Relay:
    """Reads `source` to its end in a thread of its own. Lines go to `sink`; why-sentences are kept until `release`."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._held: list[str] | None = []
        self._last: str | None = None
        self.sink: Callable[[str], None] = write_stderr
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
        self._thread.start()

    @property
    def last_sentence(self) -> str | None:
        """Why a child gave up, if one said so."""
        return self._last

    def release(self) -> None:
        """The start succeeded: pass on what was kept, and keep no more."""
        held, self._held = self._held or [], None
        for line in held:
            self.sink(line)

    def join(self) -> None:
        """Wait for the end of the source."""
        self._thread.join(timeout=5)

    def _run(self) -> None:
        with self._source:
            for raw in self._source:
                line = raw.decode(errors="replace")
                if match := SENTENCE.fullmatch(line.rstrip()):
                    self._last = match[1]
                    if self._held is not None:
                        self._held.append(line)
                        continue
                self.sink(line)


def write_stderr(line: str) -> None:
    """Write a line to stderr; a part of it is lost when nobody reads: a stalled reader must not stall the service."""
    data = line.encode(errors="replace")
    poll = select.poll()
    poll.register(sys.stderr.fileno(), select.POLLOUT)
    for start in range(0, len(data), PIECE_BYTES):
        if not poll.poll(PATIENCE_MILLISECONDS):
            return
        try:
            sys.stderr.buffer.write(data[start : start + PIECE_BYTES])
            sys.stderr.buffer.flush()
        except (BrokenPipeError, ValueError):
            return  # the reader is gone for good; the service goes on
