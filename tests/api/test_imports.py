"""`/imports`: what is asked to be fetched, and how far it is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.site import Api, Site

URL = "https://example.org/holiday.mov"


def begun(api: Api, **fields: Any) -> dict[str, Any]:
    answer = api.call("POST", "/imports", json={"url": URL, **fields})
    assert answer.status_code == 202, answer.text
    document: dict[str, Any] = answer.get_json()
    return document


def test_an_import_has_its_upload_and_asset_at_once(ann: Api, bob: Api) -> None:
    found = begun(ann, metadata={"title": "Holiday", "tags": ["sea"], "visibility": "unlisted"})

    assert (found["state"], found["url"], found["received_bytes"], found["size_bytes"]) == ("waiting", URL, 0, None)
    asset = ann.get(f"/assets/{found['asset_id']}").get_json()
    told = {name: asset[name] for name in ("title", "tags", "visibility", "state", "filename")}
    expected = {"title": "Holiday", "tags": ["sea"], "visibility": "unlisted", "state": "created"}
    assert told == {**expected, "filename": "holiday.mov"}
    upload = ann.get(f"/uploads/{found['upload_id']}").get_json()
    assert (upload["state"], upload["progress"], upload["missing"]) == ("initialized", 0.0, [])
    assert ann.get(f"/imports/{found['upload_id']}").get_json() == found
    assert bob.get(f"/imports/{found['upload_id']}").status_code == 404


def test_nobody_sends_or_completes_it_instead(ann: Api) -> None:
    found = begun(ann)
    assert ann.call("POST", f"/uploads/{found['upload_id']}/complete").status_code == 409
    assert ann.call("PUT", f"/uploads/{found['upload_id']}/chunks/0", data=b"x").status_code == 422


def test_it_is_given_up_like_any_upload(ann: Api) -> None:
    found = begun(ann)
    assert ann.call("DELETE", f"/uploads/{found['upload_id']}").status_code == 204
    assert ann.get(f"/assets/{found['asset_id']}").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": 1},
        {"url": ""},
        {"url": "http://127.0.0.1/"},
        {"url": "x" * 3000},
        {"url": URL, "size_bytes": 1},
        {"url": URL, "filename": ""},
        {"url": URL, "sha256": "x"},
    ],
)
def test_what_is_wrong_is_named(ann: Api, body: dict[str, Any]) -> None:
    answer = ann.call("POST", "/imports", json=body)
    assert answer.status_code == 422
    assert answer.get_json()["errors"]


def test_a_stranger_has_nothing_fetched(site: Site, stranger: Api) -> None:
    assert stranger.call("POST", "/imports", json={"url": URL}).status_code == 401
    assert site.world.runtime.database.imports.count({}) == 0
