"""Which hosts may be spoken with on behalf of somebody else: the open internet, however an address is written."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any

import pytest

from mediaflow.domain.errors import ConfigurationError, InvalidInput, Unavailable
from mediaflow.domain.reach import Reach, checked_url, networks_of, reach, refused

INNER = """
127.0.0.1 127.8.8.8 0.0.0.0 0.1.2.3 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254 100.64.0.1
100.100.100.200 192.0.0.192 192.0.2.1 192.88.99.1 198.18.0.1 198.51.100.1 203.0.113.9 224.0.0.1 239.255.255.250
240.0.0.1 255.255.255.255 168.63.129.16
:: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe
64:ff9b:1::1 2002:7f00:1:: 2002:a9fe:a9fe::1 2001::1 2001:0:7f00:1::1 2001:db8::1 2001:20::1 100::1 3fff::1 5f00::1
fc00::1 fd00:ec2::254 fe80::1 fe80::1%eth0 fec0::1 ff02::1 2606:4700::1%eth0
"""
OUTER = (
    "1.1.1.1 8.8.8.8 100.128.0.1 172.32.0.1 192.0.1.1 223.255.255.255 2606:4700::1111 ::ffff:8.8.8.8 64:ff9b::808:808"
)


def resolving(*addresses: str) -> Any:
    """A resolver that knows every name, at these addresses."""

    def resolve(host: str, port: int, **_: Any) -> Iterable[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    return resolve


def test_addresses_that_are_not_of_the_open_internet_are_refused_in_every_form() -> None:
    assert [text for text in INNER.split() if not refused(ip_address(text))] == []
    assert [text for text in OUTER.split() if refused(ip_address(text))] == []


@pytest.mark.parametrize(
    "written", ["127.0.0.1", "2130706433", "0x7f.1", "017700000001", "127.1", "[::ffff:127.0.0.1]"]
)
def test_another_way_to_write_an_address_is_the_same_address(written: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        reach(f"http://{written}:8080/")
    assert raised.value.code == "url.refused"


def test_one_refused_address_among_others_refuses_the_name() -> None:
    with pytest.raises(InvalidInput):
        reach("https://example.org/", resolve=resolving("1.1.1.1", "10.0.0.1"))
    found = reach("https://Example.org:8443/x?y", resolve=resolving("1.1.1.1", "8.8.8.8", "1.1.1.1"))
    assert found == Reach("https", "example.org", 8443, ("1.1.1.1", "8.8.8.8"))
    assert reach("http://example.org", resolve=resolving("2606:4700::1")).port == 80


def test_a_name_that_nobody_knows_may_be_known_later() -> None:
    def resolve(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(Unavailable, match="Name or service not known"):
        reach("https://nowhere.example/", resolve=resolve)
    with pytest.raises(Unavailable):
        reach(f"https://{'a' * 70}.example/")  # longer than a label may be


def test_an_operator_lets_networks_in() -> None:
    allowed = networks_of("127.0.0.0/8, fd00::/8,", "MEDIAFLOW_X")
    table = {"127.0.0.1": False, "::ffff:127.0.0.1": False, "fd00::1": False, "10.0.0.1": True, "::1": True}
    assert {text: refused(ip_address(text), allowed) for text in table} == table
    assert reach("http://127.0.0.1:8080/", allowed).addresses == ("127.0.0.1",)
    with pytest.raises(ConfigurationError, match=r"MEDIAFLOW_X: .*10\.0\.0\.1/8 has host bits set; write networks as"):
        networks_of("10.0.0.1/8", "MEDIAFLOW_X")


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("ftp://example.org/", "https:// or http://"),
        ("file:///etc/passwd", "https:// or http://"),
        ("gopher://example.org/", "https:// or http://"),
        ("https:///path", "and a host"),
        ("//example.org/", "https:// or http://"),
        ("example.org", "https:// or http://"),
        ("https://user:secret@example.org/", "user name"),
        ("https://user@example.org/", "user name"),
        ("https://@example.org/", "user name"),
        ("https://example.org\\@10.0.0.1/", "without blanks"),
        ("https://example.org/#part", "fragment"),
        ("https://example.org/a b", "without blanks"),
        ("https://example.org/\r\nX-Injected: 1", "without blanks"),
        ("https://exämple.org/", "ASCII"),
        ("https://example.org:25/", "not 25"),
        ("https://example.org:0/", "not 0"),
        ("https://example.org:99999/", "must be a URL"),
        ("https://example.org:x/", "must be a URL"),
        ("https://[::1/", "must be a URL"),
        ("https://example.org/" + "a" * 2000, "at most 2000 characters"),
    ],
)
def test_a_url_that_is_none_to_ask_is_refused_by_its_looks(url: str, wrong: str) -> None:
    with pytest.raises(InvalidInput, match=wrong):
        checked_url(url)


def test_urls_to_ask() -> None:
    assert checked_url("https://example.org") == ("https", "example.org", 443)
    assert checked_url("HTTP://EXAMPLE.org:1024/a%20b?c=d") == ("http", "example.org", 1024)
    assert checked_url("https://[2606:4700::1]:80/") == ("https", "2606:4700::1", 80)
