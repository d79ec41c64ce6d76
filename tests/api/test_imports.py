"""`/imports`: what is asked to be fetched, and how far it is."""

from __future__ import annotations

from pathlib import Path
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


def test_a_folder_is_for_admins(ann: Api, admin: Api, tmp_path: Path) -> None:
    (folder := tmp_path / "films").mkdir()
    body = {"folder": str(folder), "link": True, "owner": "Ann", "metadata": {"visibility": "unlisted"}}
    assert ann.call("POST", "/imports", json=body).status_code == 403

    answer = admin.call("POST", "/imports", json=body)

    assert answer.status_code == 202, answer.text
    found = answer.get_json()
    told = {name: found[name] for name in ("owner", "folder", "url", "upload_id", "asset_id", "state")}
    assert told == {
        "owner": "ann",
        "folder": str(folder),
        "url": None,
        "upload_id": None,
        "asset_id": None,
        "state": "waiting",
    }
    assert set(found["counts"].values()) == {0}
    # where folders lie is for admins to know, whoever has the films
    assert ann.get(f"/imports/{found['id']}").status_code == 404
    assert ann.get("/imports").get_json()["total"] == 0
    assert admin.get(f"/imports/{found['id']}").get_json() == found


def test_imports_are_listed_and_ended(ann: Api, bob: Api, admin: Api, tmp_path: Path) -> None:
    (folder := tmp_path / "films").mkdir()
    first = begun(ann)
    second = admin.call("POST", "/imports", json={"folder": str(folder), "watch": True}).get_json()
    page = admin.get("/imports").get_json()
    assert [item["id"] for item in page["items"]] == [second["id"], first["id"]]
    assert (page["total"], ann.get("/imports").get_json()["total"], bob.get("/imports").get_json()["total"]) == (
        2,
        1,
        0,
    )
    for api, each in ((ann, first), (admin, second)):
        assert bob.call("DELETE", f"/imports/{each['id']}").status_code == 404
        assert api.call("DELETE", f"/imports/{each['id']}").status_code == 204
        assert api.call("DELETE", f"/imports/{each['id']}").status_code == 204
        assert api.get(f"/imports/{each['id']}").get_json()["state"] == "ended"
    assert ann.get(f"/assets/{first['asset_id']}").status_code == 404


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"folder": "films"}, "/folder"),
        ({"folder": "/no/such/folder"}, "/folder"),
        ({"folder": "/tmp", "url": URL}, "/url"),
        ({"folder": "/tmp", "filename": "x"}, "/filename"),
        ({"url": URL, "link": True}, "/link"),
        ({"folder": "/tmp", "profile": "no such"}, "/profile"),
        ({"folder": "/tmp", "owner": "two words"}, None),
    ],
)
def test_what_is_wrong_with_a_folder_is_named(admin: Api, body: dict[str, Any], pointer: str | None) -> None:
    answer = admin.call("POST", "/imports", json=body)
    assert answer.status_code == 422, answer.text
    if pointer:
        assert pointer in [error["pointer"] for error in answer.get_json()["errors"]]
