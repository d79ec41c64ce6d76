"""How much of the house one address may take, and what the system lets us open."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest
from gunicorn.config import Config  # type: ignore[import-untyped]

from mediaflow.serving.connection import Connection, Phase
from mediaflow.serving.crowd import Crowd, network
from mediaflow.serving.limits import PROBES, fitting, limits_of
from mediaflow.settings import Settings

LIMITS = limits_of(Settings(web_connections=4, web_connections_per_address=2, web_threads=8))
BEHIND_A_PROXY = replace(LIMITS, proxies=1)


_SOCKETS: list[socket.socket] = []


@pytest.fixture(autouse=True)
def _no_socket_is_left() -> Iterator[None]:
    yield
    while _SOCKETS:
        _SOCKETS.pop().close()


def connection(address: str, forwarded_for: str = "", path: bytes = b"/") -> Connection:
    _SOCKETS.append(socket.socket())
    conn = Connection(Config(), _SOCKETS[-1], (address, 1), ("127.0.0.1", 80))
    conn.arriving.path = path
    conn.arriving.forwarded_for = tuple(forwarded_for.split(", ")) if forwarded_for else ()
    return conn


def test_an_address_has_a_share_and_gets_it_back() -> None:
    crowd = Crowd(LIMITS)
    first, second, third, other = (connection(address) for address in ("a", "a", "a", "b"))

    assert [crowd.joins(conn) for conn in (first, second, third, other)] == [True, True, False, True]
    crowd.leaves(third)  # which took nothing
    assert not crowd.joins(connection("a"))
    crowd.leaves(first)
    assert crowd.joins(connection("a"))
    assert not crowd.joins(connection("a"))


def test_none_has_a_share_where_none_is_set() -> None:
    crowd = Crowd(replace(LIMITS, connections_per_address=0))

    assert all(crowd.joins(connection("a")) for _ in range(50))


@pytest.mark.parametrize(
    ("forwarded", "counts_for"), [("1.1.1.1", "1.1.1.1"), ("9.9.9.9, 1.1.1.1", "1.1.1.1"), ("", "127.0.0.1")]
)
def test_behind_a_proxy_requests_count_for_the_address_that_it_saw(forwarded: str, counts_for: str) -> None:
    crowd = Crowd(BEHIND_A_PROXY)
    asking = [connection("127.0.0.1", forwarded) for _ in range(3)]

    assert all(crowd.joins(conn) for conn in asking)
    assert [crowd.may_ask(conn) for conn in asking] == [True, True, False]
    assert asking[0].holder == counts_for
    assert crowd.may_ask(connection("127.0.0.1", "2.2.2.2"))
    assert crowd.may_ask(connection("127.0.0.1", forwarded, PROBES[0]))
    crowd.answered(asking[0])
    assert crowd.may_ask(asking[2])


def test_without_a_proxy_nobody_says_who_he_is() -> None:
    crowd = Crowd(LIMITS)
    conn = connection("a", "1.1.1.1")

    assert crowd.joins(conn)
    assert crowd.may_ask(conn)
    assert conn.holder == "a"


def test_when_there_are_too_many_who_waits_is_given_up_and_who_is_worked_for_is_not() -> None:
    crowd = Crowd(LIMITS)
    phases = (Phase.WORKING, Phase.SENDING, Phase.PAUSED, Phase.ARRIVING, Phase.IDLE, Phase.LINGERING)
    members = [connection(str(number)) for number in range(len(phases))]
    for conn, phase in zip(members, phases, strict=True):
        assert crowd.joins(conn)
        conn.enter(phase, 10)
    assert crowd.is_too_large

    given_up = []
    while (least := crowd.least_missed()) is not None:
        given_up.append(least.phase)
        crowd.leaves(least)
    assert given_up == list(reversed(phases[1:]))


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::/64"),
        ("unknown", "unknown"),
        ("x" * 1000, "x" * 64),
        ("", ""),
    ],
)
def test_an_ipv6_client_has_64_bits(address: str, name: str) -> None:
    assert network(address) == name


def test_fewer_descriptors_mean_fewer_connections_and_a_sentence() -> None:
    assert fitting(LIMITS, 1024) == (LIMITS, "")
    assert fitting(LIMITS, resource.RLIM_INFINITY) == (LIMITS, "")
    fitted, sentence = fitting(replace(LIMITS, connections=4096), 1024)
    assert fitted.connections == (1024 - 128 - 4 * 8) // 2
    assert "MEDIAFLOW_WEB_CONNECTIONS" in sentence
    needed = int(sentence.partition("LimitNOFILE=) to ")[2].partition(",")[0])
    assert fitting(replace(LIMITS, connections=4096), needed)[1] == ""
