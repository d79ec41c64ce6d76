"""Playback and the stream: who gets an address, and what answers there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from werkzeug.test import TestResponse

from mediaflow.domain.publication import FileType, Output
from mediaflow.domain.records import Asset
from tests.api.site import FILES, MASTER, Api, Site, is_problem
from tests.services.records import published_with

SEGMENT = "g1/video-0.1/360p/00000.m4s"
SIZE = len(FILES[SEGMENT])


def address(site: Site, asset: Asset, path: str = SEGMENT) -> str:
    return f"/stream/{site.world.runtime.stream_tokens.mint(asset)[0]}/{asset.id}/{path}"


def fetched(site: Site, path: str = SEGMENT, **headers: str) -> TestResponse:
    return site.client.get(
        address(site, site.published(), path),
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


# --- playback


def test_playback_gives_urls_and_nulls(site: Site, ann: Api) -> None:
    asset = site.published()
    answer = ann.call("POST", f"/assets/{asset.id}/playback")
    playback = answer.get_json()
    assert answer.status_code == 200
    assert playback.keys() == {
        "manifests",
        "outputs",
        "captions",
        "hls_url",
        "dash_url",
        "thumbnail_url",
        "storyboard_url",
        "preview_url",
        "token",
        "expires_at",
        "title",
        "description",
        "duration_seconds",
    }
    assert playback["hls_url"] == f"http://localhost/stream/{playback['token']}/{asset.id}/{MASTER}"
    assert (playback["dash_url"], playback["storyboard_url"], playback["captions"]) == (None, None, [])
    assert playback["manifests"] == {"hls": playback["hls_url"]}
    assert playback["outputs"] == [
        {
            "name": "hls",
            "kind": "manifest",
            "url": playback["hls_url"],
            "content_type": "application/vnd.apple.mpegurl",
            "size_bytes": 8,
            "title": None,
        },
        {
            "name": "thumbnail.jpg",
            "kind": "image",
            "url": playback["thumbnail_url"],
            "content_type": "image/jpeg",
            "size_bytes": 7,
            "title": None,
        },
    ]
    assert site.client.get(playback["hls_url"]).data == b"#EXTM3U\n"


@pytest.mark.parametrize(
    ("visibility", "status"),
    [("private", 404), ("unlisted", 200), ("public", 200)],
)
def test_without_a_token_only_what_is_not_private_plays(
    site: Site, stranger: Api, bob: Api, visibility: str, status: int
) -> None:
    path = f"/assets/{site.published(visibility=visibility).id}/playback"
    assert stranger.call("POST", path).status_code == status
    assert bob.call("POST", path).status_code == status


def test_a_bad_token_is_not_taken_for_no_token(site: Site, stranger: Api) -> None:
    path = f"/assets/{site.published(visibility='public').id}/playback"
    is_problem(stranger.call("POST", path, headers={"Authorization": "Bearer x"}), 401, "auth.bad_token")


def test_every_viewer_of_an_hour_gets_the_same_address(site: Site, ann: Api, stranger: Api) -> None:
    path = f"/assets/{site.published(visibility='public').id}/playback"
    assert ann.call("POST", path).get_json()["token"] == stranger.call("POST", path).get_json()["token"]


def test_every_output_has_its_url_and_downloads_their_name(site: Site, ann: Api) -> None:
    path, what = "g1/sound.1/my%20sound.m4a", FileType("download", "audio/mp4")
    sound = Output("my%20sound.m4a", "download", path, "audio/mp4", 1, "The sound alone")
    mine = Output("m3u", "manifest", "g1/publish.1/master.m3u8", "audio/x-mpegurl", 8)
    publication = published_with(path, what)
    publication = replace(publication, outputs=(*publication.outputs, mine, sound))
    asset = site.published(published=publication)
    site.world.runtime.storage.put(f"assets/{asset.id}/{path}", [b"x"], size_bytes=1, content_type="audio/mp4")
    playback = ann.call("POST", f"/assets/{asset.id}/playback").get_json()
    assert playback["manifests"].keys() == {"hls", "m3u"}
    told = playback["outputs"][-1]
    assert (told["name"], told["title"]) == ("my%20sound.m4a", "The sound alone")
    answer = site.client.get(told["url"])
    assert (answer.status_code, answer.data, answer.headers["Content-Type"]) == (200, b"x", "audio/mp4")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="my_20sound.m4a"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


# --- files


def test_a_file_is_served_whole_with_all_that_players_need(site: Site) -> None:
    answer = fetched(site)
    assert (answer.status_code, answer.data) == (200, FILES[SEGMENT])
    assert answer.headers["Content-Type"] == "video/mp4"
    assert answer.headers["Content-Length"] == str(SIZE)
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Set-Cookie" not in answer.headers
    assert fetched(site, MASTER).headers["Content-Type"] == "application/vnd.apple.mpegurl"


@pytest.mark.parametrize(
    ("visibility", "path", "expected"),
    [
        ("private", SEGMENT, {"private", "max-age=3600"}),
        ("private", MASTER, {"private", "no-cache"}),
        ("public", SEGMENT, {"public", "max-age=60", "s-maxage=60"}),
        ("public", MASTER, {"public", "max-age=10", "s-maxage=10"}),
    ],
)
def test_shared_caches_keep_only_what_is_not_private(
    site: Site, visibility: str, path: str, expected: set[str]
) -> None:
    url = address(site, site.published(visibility=visibility), path)
    answer = site.client.get(url)
    assert set(answer.headers["Cache-Control"].split(", ")) == expected
    again = site.client.get(url, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, set(again.headers["Cache-Control"].split(", "))) == (304, expected)


def test_no_cache_keeps_a_refusal(site: Site) -> None:
    assert fetched(site, "g1/missing.1/0.m4s").headers["Cache-Control"] == "no-store"
    assert fetched(site, Range="bytes=9-5").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-99", 0, 99),
        ("bytes=100-", 100, SIZE - 1),
        ("bytes=-100", SIZE - 100, SIZE - 1),
        (f"bytes=-{SIZE * 2}", 0, SIZE - 1),
        (f"bytes=10-{SIZE * 2}", 10, SIZE - 1),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE - 1),
        ("Bytes = 0-9", 0, 9),
    ],
)
def test_a_range_is_served(site: Site, wanted: str, first: int, last: int) -> None:
    answer = fetched(site, Range=wanted)
    assert (answer.status_code, answer.data) == (206, FILES[SEGMENT][first : last + 1])
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{SIZE}"
    assert answer.headers["Content-Length"] == str(last - first + 1)


@pytest.mark.parametrize(
    "wanted", [f"bytes={SIZE}-", "bytes=-0", "bytes=9-5", "bytes=-", "bytes=a-b", "bytes=", f"bytes={'9' * 30}-"]
)
def test_a_range_that_there_is_not_is_refused_with_the_size(site: Site, wanted: str) -> None:
    answer = fetched(site, Range=wanted)
    is_problem(answer, 416, "request.range")
    assert answer.headers["Content-Range"] == f"bytes */{SIZE}"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("wanted", ["bytes=0-1,5-6", "lines=0-1", "0-1"])
def test_what_we_do_not_offer_is_answered_with_the_whole(site: Site, wanted: str) -> None:
    answer = fetched(site, Range=wanted)
    assert (answer.status_code, len(answer.data)) == (200, SIZE)


def test_a_file_that_the_client_has_is_not_sent_again(site: Site) -> None:
    url = address(site, site.published())
    etag = site.client.get(url).headers["ETag"]
    again = site.client.get(url, headers={"If-None-Match": etag})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", etag)
    part = {"Range": "bytes=0-9"}
    assert site.client.get(url, headers=part | {"If-Range": etag}).status_code == 206
    assert site.client.get(url, headers=part | {"If-Range": '"other"'}).status_code == 200
    assert site.client.get(url, headers=part | {"If-Range": "Wed, 21 Oct 2015 07:28:00 GMT"}).status_code == 200


def test_what_the_client_has_comes_before_any_range(site: Site) -> None:
    """RFC 9110 section 13.2.2: also when the range is none."""
    url = address(site, site.published())
    etag = site.client.get(url).headers["ETag"]
    for value in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        for wanted in ("bytes=0-9", "bytes=9-5"):
            assert site.client.get(url, headers={"If-None-Match": value, "Range": wanted}).status_code == 304
    assert site.client.get(url, headers={"If-None-Match": '"other"', "Range": "bytes=0-9"}).status_code == 206


def test_a_file_of_another_version_is_not_sent_to_who_wants_one(site: Site) -> None:
    url = address(site, site.published())
    etag = site.client.get(url).headers["ETag"]
    for value in (etag, f'"other", {etag}', "*"):
        assert site.client.get(url, headers={"If-Match": value}).status_code == 200
    is_problem(site.client.get(url, headers={"If-Match": '"other"'}), 412)


def test_head_tells_the_same_without_the_body(site: Site) -> None:
    url = address(site, site.published())
    get, head = site.client.get(url), site.client.head(url)
    assert (head.status_code, head.data) == (200, b"")
    names = ("Content-Length", "Content-Type", "ETag", "Accept-Ranges", "Cache-Control")
    assert {name: head.headers[name] for name in names} == {name: get.headers[name] for name in names}


def test_ranges_are_for_get_alone(site: Site) -> None:
    """RFC 9110 section 14.2."""
    head = site.client.head(address(site, site.published()), headers={"Range": "bytes=0-9"})
    assert (head.status_code, head.headers["Content-Length"], head.data) == (200, str(SIZE), b"")


def test_other_origins_may_ask_for_ranges(site: Site) -> None:
    url = address(site, site.published())
    headers = {"Origin": "https://player.example", "Access-Control-Request-Headers": "range"}
    answer = site.client.options(url, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Range" in answer.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize(
    "path",
    [
        "g2/publish.1/master.m3u8",
        "g1/publish.1/missing.m3u8",
        "g1/%2e%2e/%2e%2e/originals",
        "g1/..%2f..%2fmediaflow.db",
        "g1//publish.1/master.m3u8",
        "%00",
        "g1/\u2603",
    ],
)
def test_nothing_else_is_reached(site: Site, path: str) -> None:
    is_problem(site.client.get(address(site, site.published(), path)), 404, "asset.no_stream")


def test_a_token_ends_with_a_change_of_privacy_and_with_a_delete(site: Site, ann: Api) -> None:
    changed, deleted = site.published(visibility="public"), site.published()
    urls = [address(site, changed), address(site, deleted)]
    assert [site.client.get(url).status_code for url in urls] == [200, 200]
    ann.call("PATCH", f"/assets/{changed.id}", json={"visibility": "private"})
    ann.call("DELETE", f"/assets/{deleted.id}")
    for url in urls:
        is_problem(site.client.get(url), 404, "asset.no_stream")


def test_an_api_token_opens_no_stream(site: Site, ann: Api) -> None:
    asset = site.published()
    answer = site.client.get(f"/stream/{ann.token}/{asset.id}/{MASTER}")
    is_problem(answer, 404)
    assert ann.token is not None
    assert ann.token not in answer.text
