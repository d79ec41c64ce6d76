"""The API client: patient with servers that are busy or away, plain about those that say no."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mediaflow.client.api_client import ApiClient, ApiError
from mediaflow.embedded.addresses import free_port
from tests.client.server import Answer, Asked, serving

BUSY = {"code": "limit.rate", "detail": "Too many requests."}


@pytest.mark.parametrize(
    "first",
    [
        Answer(429, BUSY, {"Retry-After": "0"}),
        Answer(503, BUSY, {"Retry-After": "0"}),
        Answer(502, b"<html>bad gateway</html>"),
        Answer(409, {"code": "upload.chunk_busy", "detail": "Somebody writes it."}, {"Retry-After": "0"}),
        Answer(0),
    ],
    ids=["rate limit", "unavailable", "proxy", "chunk busy", "connection lost"],
)
def test_what_can_succeed_later_is_tried_again(first: Answer) -> None:
    answers = iter([first, Answer(200, {"fine": True})])
    with serving(lambda _: next(answers)) as server, ApiClient(server.url, "secret") as client:
        assert client.call("PUT", "/things", body=lambda: b"the same") == {"fine": True}

    assert [asked.body for asked in server.asked] == [b"the same", b"the same"]


def test_a_busy_server_is_left_alone_for_as_long_as_it_says() -> None:
    answers = iter([Answer(503, BUSY, {"Retry-After": "1"}), Answer(204)])
    with serving(lambda _: next(answers)) as server, ApiClient(server.url, "secret") as client:
        began = time.monotonic()
        assert client.call("GET", "/things") is None
        assert time.monotonic() - began >= 1


def test_patience_ends() -> None:
    with (
        serving(lambda _: Answer(503, BUSY, {"Retry-After": "5"})) as server,
        ApiClient(server.url, "secret", patience_seconds=1) as client,
        pytest.raises(ApiError, match="Too many requests") as caught,
    ):
        client.call("GET", "/things")
    assert (caught.value.code, caught.value.status) == ("limit.rate", 503)


def test_waiting_ends_at_once_when_the_client_is_stopped() -> None:
    with serving(lambda _: Answer(503, BUSY, {"Retry-After": "60"})) as server, ApiClient(server.url, "x") as client:
        client.stop()
        with pytest.raises(ApiError):
            client.call("GET", "/things")


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({"detail": "No such asset."}, "No such asset."),
        ({"title": "Forbidden"}, "Forbidden"),
        (
            {"detail": "Not valid.", "errors": [{"pointer": "/size_bytes", "detail": "must be positive"}]},
            "Not valid: size_bytes: must be positive",
        ),
        (
            {"detail": "is an image", "errors": [{"pointer": "/filename", "detail": "is an image"}]},
            "filename: is an image",
        ),
        (b"<html>", "the server answered 404 Not Found"),
        ([1], "the server answered 404 Not Found"),
    ],
)
def test_a_no_is_one_sentence(document: object, sentence: str) -> None:
    with (
        serving(lambda _: Answer(404, document)) as server,
        ApiClient(server.url, "secret") as client,
        pytest.raises(ApiError) as caught,
    ):
        client.call("GET", "/things")
    assert caught.value.detail == sentence
    assert len(server.asked) == 1


def test_a_wrong_address_is_told_at_once() -> None:
    began, nowhere = time.monotonic(), f"http://127.0.0.1:{free_port()}"
    with (
        ApiClient(nowhere, "secret") as client,
        pytest.raises(ApiError, match=r"does not answer \(Connection refused\)"),
    ):
        client.call("GET", "/things")
    assert time.monotonic() - began < 2


def test_a_server_without_tls_is_told_at_once() -> None:
    began = time.monotonic()
    with (
        serving(lambda _: Answer(204)) as server,
        ApiClient(server.url.replace("http:", "https:"), "secret") as client,
        pytest.raises(ApiError, match="can't be asked"),
    ):
        client.call("GET", "/things")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("token", ["", "two words", "two\nlines", "nul\0"])
def test_what_no_header_can_carry_is_no_token(token: str) -> None:
    with pytest.raises(ApiError, match="token") as caught:
        ApiClient("http://127.0.0.1:1", token)
    assert "\n" not in caught.value.detail


def test_another_kind_of_server_is_told_apart() -> None:
    with (
        serving(lambda _: Answer(200, b"<html>hello</html>")) as server,
        ApiClient(server.url, "secret") as client,
        pytest.raises(ApiError, match="is no mediaflow"),
    ):
        client.call("GET", "/things")


def test_the_token_is_a_bearer_token_whatever_netrc_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login eve password guess\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    seen: list[Asked] = []

    def answer(asked: Asked) -> Answer:
        seen.append(asked)
        return Answer(204)

    with serving(answer) as server, ApiClient(server.url, "secret") as client:
        client.call("GET", "/things")

    assert seen[0].headers["authorization"] == "Bearer secret"
    assert seen[0].path == "/api/v1/things"
