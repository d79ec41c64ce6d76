"""Ports that are free, ports that are not, and URLs."""

from __future__ import annotations

import socket

import pytest

from mediaflow.embedded.addresses import base_url, chosen_port, free_port, is_taken
from mediaflow.plugin import ConfigurationError


def test_port_0_is_a_free_one() -> None:
    port = chosen_port("127.0.0.1", 0)

    assert port > 0
    assert not is_taken("127.0.0.1", port)


def test_a_free_port_is_taken_as_it_is() -> None:
    port = free_port()

    assert chosen_port("127.0.0.1", port) == port


def test_a_port_in_use_is_refused_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(
            ConfigurationError, match=rf"port {port} of 127.0.0.1 is taken .* --port .*0 takes a free one"
        ):
            chosen_port("127.0.0.1", port)


def test_an_address_of_another_machine_is_refused_with_the_way_out() -> None:
    # TEST-NET-1 (RFC 5737): nobody has it
    with pytest.raises(ConfigurationError, match=r"192\.0\.2\.1:8080 .*--host"):
        chosen_port("192.0.2.1", 8080)


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
