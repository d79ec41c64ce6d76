"""Which hosts and public addresses links can be made of."""

from __future__ import annotations

import pytest

from mediaflow.domain.errors import ConfigurationError
from mediaflow.services.requests.web_addresses import checked_public_url, is_plain_host


@pytest.mark.parametrize(
    "host", ["localhost", "media.example", "media.example:8443", "192.0.2.1:80", "[2001:db8::1]", "[::1]:8080", "a_b.c"]
)
def test_what_is_a_host(host: str) -> None:
    assert is_plain_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "a b",
        "a,b",
        "evil.example/path",
        "evil.example?x",
        "user@evil.example",
        "evil.example:80:80",
        "evil.example:port",
        "evil.example\r\nX: y",
        "evil.example\n",
        "-evil",
        "[::1",
        "::1",
        'a"><script>',
        "exämple.com",
        "a:123456",
        "x" * 300,
    ],
)
def test_what_is_no_host(host: str) -> None:
    assert not is_plain_host(host)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", ""),
        ("https://media.example", "https://media.example"),
        ("https://media.example/", "https://media.example"),
        ("http://192.0.2.1:8080/tv/", "http://192.0.2.1:8080/tv"),
        ("https://[2001:db8::1]:8443/a/b", "https://[2001:db8::1]:8443/a/b"),
    ],
)
def test_a_public_url_is_a_base_for_links(url: str, expected: str) -> None:
    assert checked_public_url(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "media.example",
        "ftp://media.example",
        "https://",
        "https://user:password@media.example",
        "https://media.example?x=1",
        "https://media.example/#x",
        "https://media.example/a b",
        "https://media.example/%2e%2e",
        "https://media.example//x",
        "https://media.example:0",
        "https://media.example:99999",
        "https://media.example:port",
        " https://media.example",
        "javascript:alert(1)",
    ],
)
def test_what_is_none_is_said_in_a_sentence(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"MEDIAFLOW_PUBLIC_URL.*no base for links"):
        checked_public_url(url)
