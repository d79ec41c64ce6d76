"""`/assets/{id}/original`: the file as it was sent, to those whose it is."""

from __future__ import annotations

import base64
import hashlib

import pytest

from tests.api.site import Api, Site
from tests.services.records import a_published_asset

DATA = bytes(range(256)) * 20
NAME = 'Ünser "Film".mp4'


@pytest.fixture
def asset_id(site: Site, ann: Api) -> str:
    upload = ann.announce(len(DATA), filename=NAME)
    for index in range(upload["chunk_count"]):
        size = upload["chunk_size_bytes"]
        assert ann.send(upload, index, DATA[index * size : (index + 1) * size]).status_code == 200
    site.assemble()
    return str(upload["asset_id"])


def test_it_is_what_was_sent(ann: Api, asset_id: str) -> None:
    answer = ann.get(f"/assets/{asset_id}/original")

    assert (answer.status_code, answer.data) == (200, DATA)
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert "filename*=UTF-8''%C3%9Cnser%20%22Film%22.mp4" in answer.headers["Content-Disposition"]
    assert answer.headers["Content-Disposition"].startswith("attachment")
    digest = base64.b64encode(hashlib.sha256(DATA).digest()).decode()
    assert answer.headers["Repr-Digest"] == f"sha-256=:{digest}:"
    assert answer.headers["Cache-Control"] == "private, no-cache"


def test_a_download_that_broke_off_goes_on(ann: Api, asset_id: str) -> None:
    path = f"/assets/{asset_id}/original"
    etag = ann.call("HEAD", path).headers["ETag"]
    answer = ann.get(path, headers={"Range": "bytes=100-", "If-Range": etag})
    assert (answer.status_code, answer.data) == (206, DATA[100:])
    assert ann.get(path, headers={"Range": f"bytes={len(DATA)}-"}).status_code == 416
    assert ann.get(path, headers={"If-None-Match": etag}).status_code == 304


@pytest.mark.parametrize("visibility", ["private", "unlisted", "public"])
def test_nobody_else_has_it(ann: Api, bob: Api, stranger: Api, asset_id: str, visibility: str) -> None:
    ann.call("PATCH", f"/assets/{asset_id}", json={"visibility": visibility})
    path = f"/assets/{asset_id}/original"
    assert bob.get(path).status_code == 404
    assert stranger.get(path).status_code == 401
    ann.call("PUT", f"/assets/{asset_id}/shares", json={"users": ["bob"]})
    assert bob.get(path).status_code == 403


def test_it_needs_a_permission_of_its_own(site: Site, ann: Api, asset_id: str) -> None:
    def with_scopes(*scopes: str) -> Api:
        return Api(site.client, site.world.runtime.tokens.mint("ann", "user", 600, list(scopes)))

    path = f"/assets/{asset_id}/original"
    assert with_scopes("assets:read", "assets:write").get(path).status_code == 403
    assert with_scopes("originals:read").get(path).status_code == 200


def test_one_that_is_on_its_way_is_not_there(ann: Api) -> None:
    upload = ann.announce(100)
    answer = ann.get(f"/assets/{upload['asset_id']}/original")
    assert (answer.status_code, answer.get_json()["code"]) == (409, "asset.no_original")


def test_where_an_original_is_to_be_is_wished(ann: Api, bob: Api, site: Site) -> None:
    asset = a_published_asset(original_key="originals/ann/x", sha256="0" * 64)
    site.world.runtime.database.assets.insert(asset)
    path = f"/assets/{asset.id}/original"
    answer = ann.call("PATCH", path, json={"state": "deleted"})
    assert answer.status_code == 202, answer.text
    assert answer.get_json()["original"] == {"state": "stored", "wanted": "deleted"}
    assert ann.call("PATCH", path, json={"state": "stored"}).get_json()["original"]["wanted"] is None
    refused = ann.call("PATCH", path, json={"state": "archived"})
    assert (refused.status_code, refused.get_json()["code"]) == (409, "asset.no_archive")
    assert ann.call("PATCH", path, json={"state": "elsewhere"}).status_code == 422
    assert bob.call("PATCH", path, json={"state": "deleted"}).status_code == 404
