"""Deleting, restoring, processing again, jobs, and many assets at once, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from mediaflow.domain.ids import new_id
from mediaflow.domain.records import Asset
from tests.api.site import Api, Site, is_problem
from tests.services.records import a_job


def stored(site: Site, **fields: Any) -> Asset:
    """A published asset whose original is there."""
    asset = site.published(original_key=f"originals/ann/{new_id()}", sha256="0" * 64, **fields)
    site.world.runtime.storage.put(asset.original_key or "", [b"film"], size_bytes=4, content_type="video/mp4")
    return asset


# --- delete and restore


def test_a_purging_delete_can_not_be_taken_back(site: Site, ann: Api) -> None:
    path = f"/assets/{site.published().id}"
    for _ in range(2):
        assert ann.call("DELETE", f"{path}?purge=true").status_code == 204
    is_problem(ann.call("POST", f"{path}/restore"), 404, "asset.not_found")
    site.world.runtime.reconciler.sweep()
    assert ann.get("/assets?deleted=true").get_json()["total"] == 0
    is_problem(ann.call("DELETE", path), 404, "asset.not_found")


def test_a_soft_delete_can_be_made_final(ann: Api, site: Site) -> None:
    path = f"/assets/{site.published().id}"
    assert ann.call("DELETE", path).status_code == 204
    assert ann.call("DELETE", f"{path}?purge=true").status_code == 204
    is_problem(ann.call("POST", f"{path}/restore"), 404)


@pytest.mark.parametrize("query", ["purge=yes", "purge=1", "force=true"])
def test_a_wrong_query_deletes_nothing(ann: Api, site: Site, query: str) -> None:
    path = f"/assets/{site.published().id}"
    is_problem(ann.call("DELETE", f"{path}?{query}"), 422)
    assert ann.get(path).status_code == 200


def test_deleting_what_is_being_sent_ends_the_upload(ann: Api) -> None:
    upload = ann.announce(10)
    assert ann.call("DELETE", f"/assets/{upload['asset_id']}").status_code == 204
    assert ann.get(f"/uploads/{upload['upload_id']}").get_json()["state"] == "aborted"
    is_problem(ann.send(upload, 0, b"a" * 10), 409)


# --- processing again


@pytest.mark.parametrize("options", [{"json": {}}, {"json": {"profile": None}}, {}, {"json": {"profile": "mobile"}}])
def test_processing_again_answers_with_the_asset(ann: Api, site: Site, options: dict[str, Any]) -> None:
    asset = stored(site, profile="web-h264")
    answer = ann.call("POST", f"/assets/{asset.id}/reprocess", **options)
    assert answer.status_code == 202, answer.text
    document = answer.get_json()
    assert (document["state"], document["playable"]) == ("processing", True)
    assert answer.headers["ETag"] == '"1"'
    job = ann.get(document["links"]["job"].partition("/api/v1")[2]).get_json()
    assert job["profile"] == ((options.get("json") or {}).get("profile") or "web-h264")
    assert (job["generation"], job["kind"], job["state"]) == (2, "process", "pending")
    is_problem(ann.call("POST", f"/assets/{asset.id}/reprocess", json={}), 409, "asset.processing")


@pytest.mark.parametrize(
    ("options", "status", "pointer"),
    [
        ({"json": {"profile": "odd"}}, 422, "/profile"),
        ({"json": {"profile": ""}}, 422, "/profile"),
        ({"json": {"profile": 5}}, 422, "/profile"),
        ({"json": {"generation": 7}}, 422, "/generation"),
        ({"data": "profile=mobile", "content_type": "text/plain"}, 415, None),
        ({"data": "{", "content_type": "application/json"}, 400, None),
    ],
)
def test_a_wrong_wish_begins_nothing(
    ann: Api, site: Site, options: dict[str, Any], status: int, pointer: str | None
) -> None:
    asset = stored(site)
    problem = is_problem(ann.call("POST", f"/assets/{asset.id}/reprocess", **options), status)
    assert pointer is None or [error["pointer"] for error in problem["errors"]] == [pointer]
    assert site.world.runtime.database.assets.get(asset.id) == asset


def test_what_was_not_stored_can_not_be_processed(ann: Api) -> None:
    asset_id = ann.announce()["asset_id"]
    is_problem(ann.call("POST", f"/assets/{asset_id}/reprocess", json={}), 409, "asset.not_stored")


# --- jobs


def test_a_job_is_cancelled_and_repeated(ann: Api, bob: Api, site: Site) -> None:
    asset = stored(site)
    ann.call("POST", f"/assets/{asset.id}/reprocess", json={"profile": "mobile"})
    job = ann.get(f"/jobs?asset_id={asset.id}").get_json()["items"][0]
    path = f"/jobs/{job['id']}"
    is_problem(bob.call("POST", f"{path}/cancel"), 404, "job.not_found")
    is_problem(ann.call("POST", f"{path}/retry"), 409, "job.retry")
    for _ in range(2):
        answer = ann.call("POST", f"{path}/cancel")
        assert (answer.status_code, answer.get_json()["state"]) == (200, "cancelled"), answer.text
        assert {task["state"] for task in answer.get_json()["tasks"]} == {"cancelled"}
    document = ann.get(f"/assets/{asset.id}").get_json()
    assert (document["state"], document["error"]["code"]) == ("ready", "job.cancelled")
    is_problem(bob.call("POST", f"{path}/retry"), 404, "job.not_found")
    again = ann.call("POST", f"{path}/retry")
    assert again.status_code == 202, again.text
    assert (again.get_json()["generation"], again.get_json()["profile"]) == (3, "mobile")
    is_problem(ann.call("POST", f"{path}/retry"), 409, "asset.processing")


def test_an_ended_job_is_not_cancelled(ann: Api, site: Site) -> None:
    job = a_job(site.published(), state="done")
    site.world.runtime.database.jobs.insert(job)
    is_problem(ann.call("POST", f"/jobs/{job.id}/cancel"), 409, "job.ended")


# --- bulk


def test_each_asset_has_its_own_result(ann: Api, site: Site) -> None:
    mine, others = site.published(), site.published(owner="bob")
    answer = ann.call("POST", "/assets/bulk", json={"action": "delete", "ids": [mine.id, others.id]})
    assert answer.status_code == 200, answer.text
    first, second = answer.get_json()["results"]
    assert first == {"id": mine.id, "status": 204, "error": None}
    assert (second["id"], second["status"], second["error"]["code"]) == (others.id, 404, "asset.not_found")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"action": "purge"}, 204),
        ({"action": "restore"}, 200),
        ({"action": "reprocess"}, 202),
        ({"action": "reprocess", "profile": "mobile"}, 202),
        ({"action": "reprocess", "profile": "odd"}, 422),
        ({"action": "update", "changes": {"visibility": "public"}}, 200),
        ({"action": "update", "changes": {"title": "New", "tags": ["a", "a"]}}, 200),
        ({"action": "add_tags", "tags": ["a"]}, 200),
        ({"action": "remove_tags", "tags": ["a"]}, 200),
    ],
)
def test_every_action_tells_what_it_alone_would_have(ann: Api, site: Site, body: dict[str, Any], status: int) -> None:
    answer = ann.call("POST", "/assets/bulk", json=body | {"ids": [stored(site).id]})
    assert answer.status_code == 200, answer.text
    assert [result["status"] for result in answer.get_json()["results"]] == [status]


ONE = "0" * 32


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/action"),
        ({"action": "explode", "ids": [ONE]}, "/action"),
        ({"action": "delete"}, "/ids"),
        ({"action": "delete", "ids": []}, "/ids"),
        ({"action": "delete", "ids": [ONE, ONE]}, "/ids"),
        ({"action": "delete", "ids": [f"{n:032x}" for n in range(101)]}, "/ids"),
        ({"action": "delete", "ids": ["x"]}, "/ids/0"),
        ({"action": "delete", "ids": [ONE], "tags": ["a"]}, "/tags"),
        ({"action": "restore", "ids": [ONE], "profile": "mobile"}, "/profile"),
        ({"action": "reprocess", "ids": [ONE], "changes": {"title": "New"}}, "/changes"),
        ({"action": "update", "ids": [ONE]}, "/changes"),
        ({"action": "update", "ids": [ONE], "changes": {}}, "/changes"),
        ({"action": "update", "ids": [ONE], "changes": {"state": "ready"}}, "/changes/state"),
        ({"action": "update", "ids": [ONE], "changes": {"title": ""}}, "/changes/title"),
        ({"action": "add_tags", "ids": [ONE]}, "/tags"),
        ({"action": "add_tags", "ids": [ONE], "tags": []}, "/tags"),
        ({"action": "add_tags", "ids": [ONE], "tags": ["a" * 65]}, "/tags/0"),
    ],
)
def test_a_wrong_request_names_the_place_and_does_nothing(ann: Api, body: dict[str, Any], pointer: str) -> None:
    problem = is_problem(ann.call("POST", "/assets/bulk", json=body), 422)
    assert pointer in [error["pointer"] for error in problem["errors"]]


def test_a_hundred_assets_at_once(ann: Api, site: Site) -> None:
    ids = [site.published().id for _ in range(100)]
    answer = ann.call("POST", "/assets/bulk", json={"action": "add_tags", "ids": ids, "tags": ["many"]})
    assert {result["status"] for result in answer.get_json()["results"]} == {200}
    assert ann.get("/assets?tag=many").get_json()["total"] == 100
