"""How far a request has arrived: its head, and a body that is small enough to be awaited.

Nothing is refused here that HTTP allows, and little is parsed: what looks odd is said to be there, and gunicorn's
parser, which reads it afterwards, says what is wrong with it.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Final

HEAD_BYTES: Final = 64 * 1024
FIRST_LINE_BYTES: Final = 8190
"""The longest line that gunicorn's parser reads before it refuses it."""
SMALL_BODY_BYTES: Final = 64_000
"""Bodies up to this are awaited whole, as they arrive (with the framing of chunked ones); longer ones are read by the
application while they come."""
_END: Final = b"\r\n\r\n"
_SIZE: Final = re.compile(rb"[0-9a-fA-F]{1,16}")


class Arrival(Enum):
    """What there is of a request."""

    PART = auto()
    HEAD = auto()
    """The head, before a body that is long, or one that can't be told the end of."""
    WHOLE = auto()
    TOO_LARGE = auto()
    """A head that is longer than any that is read."""


class Arriving:
    """One request in the order of its bytes. `data` may hold more than it: the next one.

    After its head is there: `path` (as it was sent, without the query), `expects_continue`, `forwarded_for` (the
    members of all X-Forwarded-For, in order).
    """

    __slots__ = ("_body_at", "_chunk_at", "_length", "_looked", "data", "expects_continue", "forwarded_for", "path")

    def __init__(self, data: bytes = b"") -> None:
        self.data = bytearray(data)
        self.path = b""
        self.expects_continue = False
        self.forwarded_for: tuple[str, ...] = ()
        self._looked = 0
        self._body_at = 0
        self._length: int | None = 0
        """Of the body; None: chunked."""
        self._chunk_at = 0

    @property
    def begun(self) -> bool:
        """True when a byte of it is there."""
        return bool(self.data)

    @property
    def head_is_there(self) -> bool:
        return self._body_at > 0

    def arrived(self) -> Arrival:
        """Look at what came since the last time; the work is in proportion to that."""
        if not self.head_is_there:
            end = self.data.find(_END, max(0, self._looked - 3))
            if end < 0:
                return self._part_of_head()
            self._body_at = end + len(_END)
            if not self._read_head(bytes(self.data[:end])):
                return Arrival.HEAD
        if self._length is None:
            return self._chunks()
        if self._length > SMALL_BODY_BYTES:
            return Arrival.HEAD
        return Arrival.WHOLE if len(self.data) - self._body_at >= self._length else Arrival.PART

    def _part_of_head(self) -> Arrival:
        """A part, unless it is known by now that the whole will be refused: that is the parser's then."""
        looked, self._looked = self._looked, len(self.data)
        if len(self.data) > HEAD_BYTES:
            return Arrival.TOO_LARGE
        line_break = self.data.find(b"\n", looked)
        while line_break >= 0:
            if line_break == 0 or self.data[line_break - 1] != 0x0D:
                return Arrival.HEAD  # RFC 9112 section 2.2: a line ends with CR LF
            line_break = self.data.find(b"\n", line_break + 1)
        if len(self.data) > FIRST_LINE_BYTES + 2 and self.data.find(b"\r\n", 2, FIRST_LINE_BYTES + 2) < 0:
            return Arrival.HEAD
        return Arrival.PART

    def _read_head(self, head: bytes) -> bool:
        """Take what is needed from the head; False when it does not say where the body ends."""
        first, *lines = head.removeprefix(b"\r\n").split(b"\r\n")
        words = first.split(b" ")
        self.path = words[1].partition(b"?")[0] if len(words) == 3 else b""
        fields: dict[bytes, list[bytes]] = {}
        for line in lines:
            name, _, value = line.partition(b":")
            fields.setdefault(name.lower(), []).append(value.strip(b" \t"))
        expected = [value.lower() for value in fields.get(b"expect", ())]
        # RFC 9110 section 10.1.1: of HTTP/1.0 that is ignored
        self.expects_continue = expected == [b"100-continue"] and words[-1] != b"HTTP/1.0"
        forwarded = b",".join(fields.get(b"x-forwarded-for", ())).decode("latin-1")
        self.forwarded_for = tuple(member.strip() for member in forwarded.split(",")) if forwarded else ()
        lengths, codings = fields.get(b"content-length", []), fields.get(b"transfer-encoding", [])
        if codings:
            self._length, self._chunk_at = None, self._body_at
            return not lengths and [coding.lower() for coding in codings] == [b"chunked"]
        if lengths:
            plain = len(lengths) == 1 and lengths[0].isdigit() and len(lengths[0]) < 20
            self._length = int(lengths[0]) if plain else 0
            return plain
        return True

    def _chunks(self) -> Arrival:
        """RFC 9112 section 7.1, as far as the ends of chunks are concerned."""
        if len(self.data) - self._body_at > SMALL_BODY_BYTES:
            return Arrival.HEAD
        while self._chunk_at < len(self.data):
            end = self.data.find(b"\r\n", self._chunk_at)
            if end < 0:
                return Arrival.PART
            size = bytes(self.data[self._chunk_at : end]).partition(b";")[0].strip(b" \t")
            if not _SIZE.fullmatch(size):
                return Arrival.HEAD
            if int(size, 16) == 0:
                return Arrival.WHOLE if self.data.find(_END, end) >= 0 else Arrival.PART
            self._chunk_at = end + 2 + int(size, 16) + 2
        return Arrival.PART
