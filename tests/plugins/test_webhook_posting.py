"""One attempt: to the address that was vetted and to no other, in bounded time, whatever the other side does."""

from __future__ import annotations

import datetime
import socket
import ssl
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mediaflow.plugin import networks_of, reach
from mediaflow_webhook.posting import Poster
from tests.plugins.webhook_receiver import receiving

LOOPBACK = networks_of("127.0.0.0/8", "X")


def test_a_name_that_means_another_address_a_moment_later_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: 127.0.0.2 is allowed and 127.0.0.1 is not, and the name means each of them in turn."""
    real, asked = socket.getaddrinfo, []

    def resolve(host: Any, port: Any, *options: Any, **named: Any) -> Any:
        if host != "rebind.test":
            return real(host, port, *options, **named)
        asked.append(host)
        return real("127.0.0.2" if len(asked) == 1 else "127.0.0.1", port, *options, **named)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    poster = Poster(networks_of("127.0.0.2/32", "X"), find=partial(reach, resolve=resolve))
    with receiving("127.0.0.2") as outer, receiving("127.0.0.1", outer.port) as inner:
        url = f"http://rebind.test:{outer.port}/in"
        assert poster.post(url, {}, b"{}").status == 200
        assert len(outer.got["/in"]) == 1
        assert outer.got["/in"][0][0]["host"] == f"rebind.test:{outer.port}"
        assert poster.post(url, {}, b"{}").error == "'rebind.test' is not on the open internet, and not allowed here"
        assert (inner.got, len(outer.got["/in"]), asked) == ({}, 1, ["rebind.test"] * 2)


def test_inner_addresses_are_not_connected_to_and_proxies_of_the_environment_are_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with receiving() as receiver:
        assert Poster().post(receiver.url("/in"), {}, b"{}").error == (
            "'127.0.0.1' is not on the open internet, and not allowed here"
        )
        assert receiver.got == {}
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        assert Poster(LOOPBACK).post(receiver.url("/in"), {}, b"{}").error is None


def test_an_attempt_has_a_limit_however_slowly_the_answer_comes() -> None:
    poster = Poster(LOOPBACK, limit_seconds=0.5)
    with receiving() as receiver:
        for path in ("/hang", "/drip"):
            began = time.monotonic()
            answer = poster.post(receiver.url(path), {}, b"{}")
            assert (answer.status, answer.error) == (None, "no answer within 0.5 s")
            assert time.monotonic() - began < 3
        port = receiver.port
    assert "no answer: [Errno 111]" in (poster.post(f"http://127.0.0.1:{port}/", {}, b"{}").error or "")


def test_of_an_answer_little_is_kept_and_redirects_are_not_followed() -> None:
    with receiving() as receiver:
        receiver.answers |= {"/moved": [307], "/busy": [503], "/large": [201]}
        moved = Poster(LOOPBACK).post(receiver.url("/moved"), {}, b"{}")
        assert moved.status == 307
        assert moved.error == "it answered 307, and redirects are not followed: give the address that it leads to"
        assert "/inner" not in receiver.got
        assert Poster(LOOPBACK).post(receiver.url("/busy"), {}, b"{}").away
        large = Poster(LOOPBACK).post(receiver.url("/large"), {}, b"{}")
        assert (large.status, large.error, large.text) == (201, None, "\ufffd" + "x" * 499)


def test_headers_can_not_be_added_to() -> None:
    with receiving() as receiver:
        answer = Poster(LOOPBACK).post(receiver.url("/in"), {"x": "a\r\nX-Injected: 1"}, b"{}")
        assert "Invalid header value" in (answer.error or "")
        assert receiver.got == {}


def test_the_certificate_is_that_of_the_name_though_the_address_is_connected_to(tmp_path: Path) -> None:
    served, trusted = a_certificate(tmp_path, "hook.test")
    at_loopback = partial(reach, resolve=lambda _, port, **__: [(0, 0, 0, "", ("127.0.0.1", port))])
    poster = Poster(LOOPBACK, lambda: trusted, at_loopback, limit_seconds=5.0)
    with receiving(tls=served) as receiver:
        assert poster.post(f"https://hook.test:{receiver.port}/in", {}, b"{}").status == 200
        assert receiver.got["/in"][0][0]["host"] == f"hook.test:{receiver.port}"
        other = poster.post(f"https://other.test:{receiver.port}/in", {}, b"{}")
        assert (other.error or "").startswith("the certificate is not valid for other.test: Hostname mismatch")
        unknown = Poster(LOOPBACK, find=at_loopback).post(f"https://hook.test:{receiver.port}/in", {}, b"{}")
        assert "self-signed certificate" in (unknown.error or "")
        assert len(receiver.got["/in"]) == 1


def a_certificate(directory: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context for that name, and a client's that trusts it."""
    key, subject = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (directory / "both.pem").write_bytes(private + pem)
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(directory / "both.pem")
    return served, ssl.create_default_context(cadata=pem.decode())
