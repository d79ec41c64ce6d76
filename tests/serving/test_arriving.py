"""How far a request has arrived, however its bytes come."""

from __future__ import annotations

import pytest

from mediaflow.serving.arriving import HEAD_BYTES, SMALL_BODY_BYTES, Arrival, Arriving
from tests.growth import MOST, growth

HOST = b"POST /a/b?c HTTP/1.1\r\nHost: x\r\n"
CHUNKED = HOST + b"Transfer-Encoding: chunked\r\n\r\n"

REQUESTS = [
    (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", Arrival.WHOLE),
    (b"\r\nGET / HTTP/1.0\r\n\r\n", Arrival.WHOLE),
    (HOST + b"Content-Length: 5\r\n\r\n12345", Arrival.WHOLE),
    (HOST + b"content-length:  0\r\n\r\n", Arrival.WHOLE),
    (CHUNKED + b"5\r\n12345\r\n0\r\n\r\n", Arrival.WHOLE),
    (CHUNKED + b"A;x=y\r\n1234567890\r\n1\r\nx\r\n000\r\nTrailer: a\r\n\r\n", Arrival.WHOLE),
    # long: read while it comes
    (HOST + b"Content-Length: %d\r\n\r\n" % (SMALL_BODY_BYTES + 1), Arrival.HEAD),
    # what the parser refuses is not awaited
    (HOST + b"Content-Length: 5, 5\r\n\r\n", Arrival.HEAD),
    (HOST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n", Arrival.HEAD),
    (HOST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", Arrival.HEAD),
    (HOST + b"Transfer-Encoding: gzip\r\n\r\n", Arrival.HEAD),
    (CHUNKED + b"zz\r\n", Arrival.HEAD),
    (CHUNKED + b"-5\r\n", Arrival.HEAD),
    (CHUNKED + b"1_0\r\n", Arrival.HEAD),
    (HOST + b"X: bare line feed\n", Arrival.HEAD),
    (b"GET /" + b"x" * 9000, Arrival.HEAD),
]


@pytest.mark.parametrize(("request_bytes", "arrival"), REQUESTS)
def test_byte_by_byte_it_is_there_at_its_end_and_not_before(request_bytes: bytes, arrival: Arrival) -> None:
    arriving, found = Arriving(), Arrival.PART
    for number, byte in enumerate(request_bytes):
        assert found is Arrival.PART, f"after {number} bytes"
        arriving.data.append(byte)
        found = arriving.arrived()
        if len(request_bytes) > 9000 and found is Arrival.HEAD:
            return
    assert found is arrival


@pytest.mark.parametrize(("request_bytes", "arrival"), REQUESTS)
def test_at_once_it_is_the_same(request_bytes: bytes, arrival: Arrival) -> None:
    assert Arriving(request_bytes).arrived() is arrival


def test_what_the_server_needs_of_the_head_is_known() -> None:
    arriving = Arriving(
        HOST + b"X-Forwarded-For: 1.1.1.1, 2.2.2.2\r\nX-Forwarded-For: 3.3.3.3\r\nExpect: 100-Continue\r\n\r\n"
    )

    assert arriving.arrived() is Arrival.WHOLE
    assert arriving.path == b"/a/b"
    assert arriving.expects_continue
    assert arriving.forwarded_for == ("1.1.1.1", "2.2.2.2", "3.3.3.3")


def test_nobody_who_speaks_http_1_0_is_told_to_go_on() -> None:
    arriving = Arriving(b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert arriving.arrived() is Arrival.PART
    assert not arriving.expects_continue


@pytest.mark.parametrize(
    ("start", "more", "arrival"),
    [
        (HOST + b"X: ", b"x" * HEAD_BYTES, Arrival.TOO_LARGE),
        (CHUNKED, b"1\r\nx\r\n" * (SMALL_BODY_BYTES // 5), Arrival.HEAD),
        (CHUNKED, b"f" * SMALL_BODY_BYTES + b"x", Arrival.HEAD),
    ],
)
def test_what_is_awaited_has_an_end(start: bytes, more: bytes, arrival: Arrival) -> None:
    assert Arriving(start + more).arrived() is arrival


def test_looking_costs_in_proportion_to_what_came() -> None:
    def trickle(count: int) -> None:
        arriving = Arriving(HOST)
        for _ in range(count):
            arriving.data += b"X: x\r\n"
            arriving.arrived()

    assert growth(trickle, 2500) < MOST
