"""What a stranger, or anybody, can make this service spend with one request: small answers, small bodies, few looks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mediaflow.api.http.errors import LONGEST_DETAIL, LONGEST_POINTER, MOST_PROBLEMS
from mediaflow.api.http.headers import LONGEST_HEADERS
from tests.api.site import Api, Site, is_problem
from tests.api.test_limiting import limited_site
from tests.growth import MOST, growth

LARGEST_ANSWER_BYTES = 32 * 1024


def unknown(count: int) -> dict[str, int]:
    return {f"{number:010d}": 0 for number in range(count)}


def test_a_body_of_nothing_but_mistakes_gets_twenty_of_them_told(ann: Api) -> None:
    bodies: list[Any] = [
        unknown(50_000),
        {"filename": "a.mp4", "size_bytes": 1, "metadata": unknown(50_000)},
        {"filename": "a.mp4", "size_bytes": 1, "metadata": {"tags": [1] * 200_000}},
        {"x" * 200_000: 1, "filename": "a" * 500_000, "size_bytes": 1},
        {"filename": "a.mp4", "size_bytes": 1, "chunk_size_bytes": int(f"-{'9' * 4000}")},
    ]
    for body in bodies:
        answer = ann.call("POST", "/uploads", json=body)
        document = is_problem(answer, 422)
        assert 1 <= len(document["errors"]) <= MOST_PROBLEMS
        assert len(answer.data) < LARGEST_ANSWER_BYTES
        assert len(document["detail"]) <= LONGEST_DETAIL
        for error in document["errors"]:
            assert len(error["pointer"]) <= LONGEST_POINTER
            assert len(error["detail"]) <= LONGEST_DETAIL


def test_how_many_mistakes_are_not_told_is_said(ann: Api) -> None:
    document = is_problem(ann.call("POST", "/uploads", json=unknown(1000)), 422)
    assert len(document["errors"]) == MOST_PROBLEMS == 20
    assert "(and 999 more, of which 980 are not listed)" in document["detail"]
    few = is_problem(ann.call("POST", "/uploads", json=unknown(3)), 422)
    assert len(few["errors"]) == 5  # those, and two that are required


def test_refusing_a_body_is_linear(ann: Api) -> None:
    texts = {size: json.dumps(unknown(size)) for size in (1000, 4000)}

    def refused(size: int) -> None:
        ann.call("POST", "/uploads", data=texts[size], content_type="application/json")

    assert growth(refused, 1000) < MOST


def test_too_many_elements_are_counted_and_not_read(ann: Api) -> None:
    wrong = {"filename": "a.mp4", "size_bytes": 1, "metadata": {"tags": ["\u0301\u0316" * 1000] * 51}}
    document = is_problem(ann.call("POST", "/uploads", json=wrong), 422)
    assert [(e["pointer"], e["detail"]) for e in document["errors"]] == [
        ("/metadata/tags", "must have at most 50 elements")
    ]


JSONS = {
    "nested lists": lambda size: "[" * size,
    "nested objects": lambda size: '{"a":' * size,
    "a number of many digits": lambda size: f'{{"size_bytes":{"1" * size}}}',
    "a fraction of many digits": lambda size: f'{{"size_bytes":1.{"0" * size}}}',
    "an exponent of many digits": lambda size: f'{{"size_bytes":1e{"9" * size}}}',
    "escapes": lambda size: f'{{"filename":"{chr(92)}u0301{chr(92)}u0316"}}'.replace("u0301", "u0301" * (size // 6)),
    "marks": lambda size: json.dumps({"filename": "\u0301\u0316" * size}),
    "one member again and again": lambda size: "{" + ",".join(['"filename":"a"'] * size) + "}",
    "many elements": lambda size: json.dumps({"filename": "a", "size_bytes": 1, "metadata": {"tags": [[]] * size}}),
    "spaces": lambda size: " " * size,
}


@pytest.mark.parametrize("make", JSONS.values(), ids=JSONS)
def test_reading_json_is_linear_and_no_fault_of_ours(ann: Api, make: Callable[[int], str]) -> None:
    texts = {size: make(size).encode() for size in (2000, 8000)}

    def sent(size: int) -> None:
        answer = ann.call("POST", "/uploads", data=texts[size], content_type="application/json")
        assert answer.status_code in (400, 422)

    assert growth(sent, 2000) < MOST


@pytest.mark.parametrize("unit", ["a ", "\u0301", "日", "%00", "&a=1", "a&q=", ";", "[", "é"])
def test_reading_a_query_and_a_path_is_linear(ann: Api, unit: str) -> None:
    def asked(size: int) -> None:
        assert ann.get(f"/assets?q={(unit * size)[:size]}").status_code < 500
        assert ann.call("PUT", f"/assets/{'0' * 32}/captions/{(unit * size)[:size].replace('%', '')}").status_code < 500

    assert growth(asked, 1000) < MOST


# --- headers


@pytest.mark.parametrize("name", LONGEST_HEADERS)
def test_a_header_that_is_taken_apart_has_a_greatest_length(site: Site, stranger: Api, name: str) -> None:
    longest = LONGEST_HEADERS[name]
    path = f"/login/{'x' * 43}"
    answer = site.client.get(path, environ_overrides={name: "W" * (longest + 1)})
    is_problem(answer, 431, "request.headers_too_large")
    fits = site.client.get(path, environ_overrides={name: "W" * longest})
    assert fits.status_code in (401, 429)


@pytest.mark.parametrize("unit", ["\t", " ", ",", "a/b,", "a;", "q=", '"', "\\", "a=b;", '"",'])
def test_reading_headers_of_any_allowed_length_is_cheap(site: Site, unit: str) -> None:
    """What a header may cost is bounded by its length: here all of them at once, as long as they may be."""
    asset = site.published(visibility="public")
    token, _ = site.world.runtime.stream_tokens.mint(asset)
    paths = [f"/login/{'x' * 43}", "/", f"/stream/{token}/{asset.id}/g1/publish.1/master.m3u8"]
    environ = {name: f"a{unit * longest}"[: longest - 1] + "b" for name, longest in LONGEST_HEADERS.items()}
    plain = growth(lambda size: [site.client.get(path) for path in paths * (size // 4)], 4)
    assert plain < MOST
    ratio = growth(
        lambda size: [site.client.get(path, environ_overrides=environ if size > 4 else {}) for path in paths], 4
    )
    assert ratio < 60


# --- strangers


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Site]:
    site = limited_site(tmp_path, anonymous_requests_per_minute="3", anonymous_body_bytes="1000")
    yield site
    site.world.runtime.close()


def test_a_stranger_sends_small_bodies_only(site: Site, ann: Api, stranger: Api) -> None:
    large = {"token": "x", "more": "y" * 16 * 1024}
    document = is_problem(stranger.call("POST", "/session", json=large), 413, "limit.too_large")
    assert document["limit"] == 16 * 1024
    is_problem(stranger.call("POST", "/session", json={"token": "x" * 8192}), 401)
    is_problem(ann.call("POST", "/uploads", json={"filename": "a", "more": "y" * 16 * 1024}), 422)
    chunked = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}
    answer = stranger.call("POST", "/session", json=large, environ_overrides=chunked)
    is_problem(answer, 413, "limit.too_large")


def test_how_large_a_strangers_body_may_be_is_a_setting(strict: Site) -> None:
    stranger = Api(strict.client)
    is_problem(stranger.call("POST", "/session", json={"token": "x" * 1000}), 413)
    is_problem(stranger.call("POST", "/session", json={"token": "x" * 900}), 401)


def test_what_strangers_look_up_is_counted_by_address(strict: Site) -> None:
    asset = strict.published(visibility="public")
    stranger, ann = Api(strict.client), strict.as_user("ann")
    assert [stranger.get(f"/assets/{asset.id}").status_code for _ in range(3)] == [200] * 3
    for answer in (
        stranger.get(f"/assets/{asset.id}"),
        stranger.call("POST", f"/assets/{asset.id}/playback"),
        stranger.call("POST", "/session", json={"token": ann.token}),
        strict.client.get(f"/login/{'x' * 43}"),
    ):
        document = is_problem(answer, 429, "limit.anonymous")
        assert document["limit"] == 3
        assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert ann.get(f"/assets/{asset.id}").status_code == 200
    token, _ = strict.world.runtime.stream_tokens.mint(asset)
    for path in ("/livez", "/api/v1/openapi.json", f"/stream/{token}/{asset.id}/g1/publish.1/master.m3u8"):
        assert strict.client.get(path).status_code == 200


def test_an_ipv6_host_does_not_get_more_by_changing_its_address(strict: Site) -> None:
    asset = strict.published(visibility="public")
    stranger = Api(strict.client)

    def from_address(address: str) -> int:
        return stranger.get(f"/assets/{asset.id}", environ_overrides={"REMOTE_ADDR": address}).status_code

    assert [from_address(f"2001:db8::{last:x}") for last in range(1, 5)] == [200, 200, 200, 429]
    assert from_address("2001:db8:0:1::1") == 200
