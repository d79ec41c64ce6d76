"""The stream as operators set it: for pages of which origins, and with nginx as the one who sends files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from werkzeug.test import TestResponse

from mediaflow.app import create_app
from tests.api.site import Site, is_problem
from tests.api.test_stream import SEGMENT, address
from tests.services.world import make_world

# --- other origins

LISTED = "https://player.example"


def answers_to(tmp_path: Path, origins: str, origin: str | None) -> Iterator[TestResponse]:
    """A file, its preflight and a refusal, for a page of that origin."""
    world = make_world(tmp_path, stream_origins=origins)
    site = Site(world, create_app(world.runtime.settings, world.runtime).test_client(use_cookies=False))
    url = address(site, site.published())
    headers = {"Origin": origin} if origin else {}
    preflight = headers | {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "range"}
    yield site.client.get(url, headers=headers)
    yield site.client.options(url, headers=preflight)
    yield site.client.get(address(site, site.published(), "g1/missing.1/0.m4s"), headers=headers)
    world.runtime.close()


@pytest.mark.parametrize(
    ("origins", "origin", "allowed", "varies", "embedding"),
    [
        ("*", LISTED, "*", False, "cross-origin"),
        ("*", None, "*", False, "cross-origin"),
        (f"{LISTED}, http://localhost:3000", LISTED, LISTED, True, "cross-origin"),
        (f"{LISTED},http://localhost:3000", "http://localhost:3000", "http://localhost:3000", True, "cross-origin"),
        ("HTTPS://Player.Example:443", LISTED, LISTED, True, "cross-origin"),
        (LISTED, "https://evil.example", None, True, "cross-origin"),
        (LISTED, f"{LISTED}.evil.example", None, True, "cross-origin"),
        (LISTED, f"{LISTED}:8443", None, True, "cross-origin"),
        (LISTED, "http://player.example", None, True, "cross-origin"),
        (LISTED, "null", None, True, "cross-origin"),
        (LISTED, None, None, True, "cross-origin"),
        ("", LISTED, None, False, "same-origin"),
    ],
)
def test_pages_of_listed_origins_may_read_streams(
    tmp_path: Path, origins: str, origin: str | None, allowed: str | None, varies: bool, embedding: str
) -> None:
    answers = list(answers_to(tmp_path, origins, origin))
    assert [answer.status_code for answer in answers] == [200, 200, 404]
    for answer in answers:
        assert answer.headers.get("Access-Control-Allow-Origin") == allowed
        assert answer.vary.as_set() == ({"origin"} if varies else set())
        assert answer.headers["Cross-Origin-Resource-Policy"] == embedding
        assert "Access-Control-Allow-Credentials" not in answer.headers
    preflight = answers[1].headers
    assert ("Range" in preflight.get("Access-Control-Allow-Headers", "")) == (allowed is not None)
    assert ("GET" in preflight.get("Access-Control-Allow-Methods", "")) == (allowed is not None)


# --- who sends the bytes


def test_nginx_is_told_which_file_to_send(tmp_path: Path) -> None:
    world = make_world(tmp_path, stream_accel_prefix="/internal-objects")
    site = Site(world, create_app(world.runtime.settings, world.runtime).test_client(use_cookies=False))
    asset = site.published()
    url = address(site, asset)
    answer, head = site.client.get(url), site.client.head(url)
    assert (answer.status_code, answer.data) == (200, b"")
    for name, value in {
        "X-Accel-Redirect": f"/internal-objects/assets/{asset.id}/{SEGMENT}",
        "Content-Type": "video/mp4",
        "Cache-Control": "private, max-age=3600",
        "Access-Control-Allow-Origin": "*",
    }.items():
        assert (answer.headers[name], head.headers[name]) == (value, value)
    # whose ranges these are is nginx's business, and what need not be sent is ours
    assert site.client.get(url, headers={"Range": "bytes=0-9"}).status_code == 200
    again = site.client.get(url, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, "X-Accel-Redirect" in again.headers) == (304, False)
    refused = site.client.get(address(site, asset, "g1/missing.1/0.m4s"))
    is_problem(refused, 404, "asset.no_stream")
    assert "X-Accel-Redirect" not in refused.headers
    world.runtime.close()


def test_the_path_for_nginx_is_quoted(tmp_path: Path) -> None:
    world = make_world(tmp_path, stream_accel_prefix="/internal-objects/")
    site = Site(world, create_app(world.runtime.settings, world.runtime).test_client(use_cookies=False))
    asset, path = site.published(), "g1/odd.1/a%2e@b=c+d.m4s"
    world.runtime.storage.put(f"assets/{asset.id}/{path}", [b"x"], size_bytes=1, content_type="video/mp4")
    answer = site.client.get(address(site, asset, quote(path)))
    assert answer.headers["X-Accel-Redirect"].endswith("/g1/odd.1/a%252e%40b%3Dc%2Bd.m4s")
    world.runtime.close()
