"""Segments from the storage itself: presigned URLs of a real S3 server, for as long and for whom they should be."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import Browser
from werkzeug.test import TestResponse

from mediaflow.app import create_app
from mediaflow.domain.publication import FileType
from mediaflow.domain.records import Asset
from tests.api.server import running_server
from tests.api.site import FILES, MASTER, Api, Site, is_problem
from tests.contracts.s3server import ACCESS_KEY, SECRET_KEY, S3Server, running_s3_server
from tests.integration.browsing import fresh_page
from tests.integration.published import publish
from tests.services.records import published_with
from tests.services.world import make_world

SEGMENT = "g1/video-0.1/360p/00000.m4s"
PICTURE = "g1/thumbnail.1/thumbnail.jpg"


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with running_s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def site(tmp_path: Path, s3: S3Server) -> Iterator[Site]:
    settings = {
        "storage_url": s3.url("streams"),
        "s3_access_key": ACCESS_KEY,
        "s3_secret_key": SECRET_KEY,
        "stream_redirect": "true",
    }
    world = make_world(tmp_path / "data", **settings)
    yield Site(world, create_app(world.runtime.settings, world.runtime).test_client(use_cookies=False))
    world.runtime.close()


def asked(site: Site, asset: Asset, path: str, method: str = "GET", **headers: str) -> TestResponse:
    token, _ = site.world.runtime.stream_tokens.mint(asset)
    return site.client.open(f"/stream/{token}/{asset.id}/{path}", method=method, headers=headers)


@pytest.mark.parametrize("path", [SEGMENT, PICTURE])
def test_segments_and_images_come_from_the_storage(site: Site, s3: S3Server, path: str) -> None:
    answer = asked(site, site.published(), path)
    assert answer.status_code == 302
    assert urlsplit(answer.headers["Location"]).netloc == s3.endpoint
    assert answer.data == b""
    fetched = requests.get(answer.headers["Location"], timeout=20)
    assert (fetched.status_code, fetched.content) == (200, FILES[path])
    part = requests.get(answer.headers["Location"], headers={"Range": "bytes=2-4"}, timeout=20)
    assert (part.status_code, part.content) == (206, FILES[path][2:5])


def test_no_cache_keeps_the_way_there(site: Site) -> None:
    """It is valid for a minute, and for a private asset it is a permission."""
    for visibility in ("private", "public"):
        answer = asked(site, site.published(visibility=visibility), SEGMENT, Origin="https://player.example")
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "ETag" not in answer.headers


def test_manifests_come_from_here_so_that_their_uris_lead_here(site: Site) -> None:
    answer = asked(site, site.published(), MASTER)
    assert (answer.status_code, answer.data) == (200, FILES[MASTER])


@pytest.mark.parametrize(
    ("kind", "content_type"),
    [
        ("storyboard", "text/vtt"),
        ("captions", "text/vtt"),
        ("manifest", "audio/x-mpegurl"),
        ("download", "video/mp4"),
        ("file", "image/jpeg"),
        ("image", "image/svg+xml"),
        ("media", "text/html"),
    ],
)
def test_what_names_others_or_is_long_or_kept_comes_from_here(site: Site, kind: Any, content_type: str) -> None:
    path = "g1/some.1/00000.m4s"
    asset = site.published(published=published_with(path, FileType(kind, content_type)))
    site.world.runtime.storage.put(f"assets/{asset.id}/{path}", [b"x"], size_bytes=1, content_type="text/plain")
    answer = asked(site, asset, path)
    assert (answer.status_code, answer.data) == (200, b"x")


def test_a_look_at_the_size_comes_from_here(site: Site) -> None:
    """A URL that is signed for GET refuses HEAD."""
    answer = asked(site, site.published(), SEGMENT, method="HEAD")
    assert (answer.status_code, answer.headers["Content-Length"]) == (200, str(len(FILES[SEGMENT])))


def test_the_way_there_ends_soon(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mediaflow.services.delivery.delivery.REDIRECT_SECONDS", 1)
    url = asked(site, site.published(), SEGMENT).headers["Location"]
    assert requests.get(url, timeout=20).status_code == 200
    time.sleep(2.1)
    assert requests.get(url, timeout=20).status_code == 403


def test_nobody_is_sent_there_without_a_token(site: Site) -> None:
    asset = site.published(visibility="public")
    Api(site.client, site.as_user("ann").token).call("PATCH", f"/assets/{asset.id}", json={"visibility": "private"})
    is_problem(asked(site, asset, SEGMENT), 404, "asset.no_stream")
    other = site.published()
    for path in ("g2/publish.1/0.m4s", "g1/../x.m4s", "g1/%2e%2e/x.m4s", "originals/x.m4s"):
        is_problem(asked(site, other, path), 404, "asset.no_stream")


def test_a_url_opens_that_object_and_no_other(site: Site) -> None:
    asset = site.published()
    url = asked(site, asset, SEGMENT).headers["Location"]
    assert requests.get(url.replace(SEGMENT, MASTER), timeout=20).status_code == 403
    assert requests.put(url, data=b"evil", timeout=20).status_code == 403
    assert requests.delete(url, timeout=20).status_code == 403


# --- in a browser

FETCHED = """async (path) => {
  const answer = await fetch(path);
  return [answer.status, answer.redirected, new URL(answer.url).host, (await answer.arrayBuffer()).byteLength];
}"""
SHOWN = """(path) => new Promise((resolve) => {
  const image = new Image();
  image.onload = () => resolve(image.naturalWidth);
  image.onerror = () => resolve(0);
  image.src = path;
})"""
DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
"""A picture of one pixel."""


def test_our_page_may_follow_to_the_storage(tmp_path: Path, s3: S3Server, browser: Browser) -> None:
    """The page's policy names the storage's origin, and the storage allows the page's (CORS)."""
    settings = {"storage_url": s3.url("streams"), "s3_access_key": ACCESS_KEY, "s3_secret_key": SECRET_KEY}
    world = make_world(tmp_path / "there", **settings)
    with running_server(tmp_path, None, **settings, stream_redirect="true") as server:
        published = publish(tmp_path / "data")
        for name, content in {SEGMENT: FILES[SEGMENT], PICTURE: DOT}.items():
            key = f"assets/{published.asset.id}/{name}"
            world.runtime.storage.put(key, [content], size_bytes=len(content), content_type="image/png")
        with fresh_page(browser) as page:
            page.goto(server.url)
            fetched = page.evaluate(FETCHED, published.path(SEGMENT))
            shown = page.evaluate(SHOWN, published.path(PICTURE))
    world.runtime.close()
    assert fetched == [200, True, s3.endpoint, len(FILES[SEGMENT])]
    assert shown == 1


def test_without_a_storage_that_answers_the_page_is_there(tmp_path: Path) -> None:
    settings = {"storage_url": "s3:http://127.0.0.1:1/nothing", "s3_access_key": "a", "s3_secret_key": "b"}
    world = make_world(tmp_path, **settings, stream_redirect="true")
    client = create_app(world.runtime.settings, world.runtime).test_client()
    page = client.get("/")
    assert page.status_code == 200
    assert "connect-src 'self';" in page.headers["Content-Security-Policy"]
    world.runtime.close()
