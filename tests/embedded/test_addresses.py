"""Ports that are free, ports that are not, and URLs."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from mediaflow.embedded.addresses import base_url, chosen_port, free_port, is_taken
from mediaflow.plugin import ConfigurationError


@pytest.fixture
def held() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_port_0_is_a_free_one_that_is_kept_for_us(held: ExitStack) -> None:
    ports = {chosen_port("127.0.0.1", 0, held) for _ in range(200)}

    # then whoever asks for any port gets another one
    assert len(ports) == 200
    for _ in range(1000):
        with socket.create_server(("127.0.0.1", 0)) as other:
            assert other.getsockname()[1] not in ports

    # and our servers get theirs, as often as they start
    for port in list(ports)[:3]:
        for _ in range(2):
            assert not is_taken("127.0.0.1", port)
            with socket.create_server(("127.0.0.1", port)):
                assert is_taken("127.0.0.1", port)


def test_a_free_port_is_taken_as_it_is(held: ExitStack) -> None:
    port = free_port()

    assert chosen_port("127.0.0.1", port, held) == port


def test_a_port_in_use_is_refused_with_the_way_out(held: ExitStack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(
            ConfigurationError, match=rf"port {port} of 127.0.0.1 is taken .* --port .*0 takes a free one"
        ):
            chosen_port("127.0.0.1", port, held)


def test_an_address_of_another_machine_is_refused_with_the_way_out(held: ExitStack) -> None:
    # TEST-NET-1 (RFC 5737): nobody has it
    with pytest.raises(ConfigurationError, match=r"192\.0\.2\.1:8080 .*--host"):
        chosen_port("192.0.2.1", 8080, held)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://127.0.0.1:80"),
        ("::1", "http://[::1]:80"),
        ("media.example", "http://media.example:80"),
    ],
)
def test_the_url_is_one_that_a_browser_here_can_open(host: str, url: str) -> None:
    assert base_url(host, 80) == url
