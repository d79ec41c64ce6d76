"""Jobs steered through the API: bulk retries, priorities, the queue paused and resumed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.site import Api, Site, is_problem
from tests.api.test_asset_actions import stored
from tests.services.records import a_job


@pytest.fixture
def root(site: Site) -> Api:
    return site.as_user("root", "admin")


def a_failed_job(site: Site, **fields: Any) -> str:
    asset = stored(site)
    job = a_job(asset, state="failed", error={"code": "job.poison", "detail": "x"}, **fields)
    database = site.world.runtime.database
    database.jobs.insert(job)
    database.assets.change(asset.id, {}, {"job_id": job.id})
    return job.id


def test_what_failed_is_repeated_by_its_code(site: Site, ann: Api) -> None:
    job_id = a_failed_job(site)
    none = ann.call("POST", "/jobs/retry", json={"code": "job.timeout", "since": "2020-01-01T00:00:00Z"})
    assert (none.status_code, none.get_json()["jobs"], none.get_json()["examined"]) == (202, [], 1)
    answer = ann.call("POST", "/jobs/retry").get_json()
    assert [each["retry_of"] for each in answer["jobs"]] == [job_id]
    assert (answer["refused"], answer["more"]) == ([], False)
    assert ann.get(f"/jobs/{answer['jobs'][0]['id']}").get_json()["state"] == "pending"
    entry = site.as_user("root", "admin").get("/audit?action=retryJobs").get_json()["items"][0]
    assert (entry["user"], entry["detail"]["retried"]) == ("ann", 1)


WRONG: tuple[tuple[str, dict[str, Any], int, str], ...] = (
    ("PATCH", {"priority": 101}, 422, "request.invalid"),
    ("PATCH", {"priority": "1"}, 422, "request.invalid"),
    ("PATCH", {}, 422, "request.invalid"),
    ("PATCH", {"priority": 1}, 403, "job.priority"),
    ("POST", {"since": "yesterday"}, 422, "request.invalid"),
    ("POST", {"state": "failed"}, 422, "request.invalid"),
    ("POST", {"owner": "bob"}, 403, "auth.forbidden"),
)


@pytest.mark.parametrize(("method", "body", "status", "code"), WRONG)
def test_a_wrong_wish_is_a_problem(
    site: Site, ann: Api, method: str, body: dict[str, Any], status: int, code: str
) -> None:
    job_id = a_failed_job(site)
    path = f"/jobs/{job_id}" if method == "PATCH" else "/jobs/retry"
    is_problem(ann.call(method, path, json=body), status, code)


def test_a_job_is_put_later_and_an_ended_one_is_not(site: Site, ann: Api) -> None:
    asset = stored(site)
    ann.call("POST", f"/assets/{asset.id}/reprocess", json={})
    job = ann.get(f"/jobs?asset_id={asset.id}").get_json()["items"][0]
    assert job["priority"] == 0
    changed = ann.call("PATCH", f"/jobs/{job['id']}", json={"priority": -3})
    assert (changed.status_code, changed.get_json()["priority"]) == (200, -3)
    is_problem(ann.call("PATCH", f"/jobs/{a_failed_job(site)}", json={"priority": -3}), 409, "job.ended")


def test_a_paused_queue_says_so_everywhere(site: Site, ann: Api, root: Api) -> None:
    is_problem(ann.call("POST", "/queue/pause", json={}), 403)
    paused = root.call("POST", "/queue/pause", json={"reason": "the disk is replaced"})
    assert paused.status_code == 200, paused.text
    assert (paused.get_json()["paused"], paused.get_json()["changed_by"]) == (True, "root")
    asset = stored(site)
    ann.call("POST", f"/assets/{asset.id}/reprocess", json={})
    assert site.world.runtime.execution.work() == 0
    assert ann.get("/jobs").get_json()["paused"]["reason"] == "the disk is replaced"
    assert root.get("/health").get_json()["work"]["paused"] is True
    queue = root.get("/queue").get_json()
    assert (queue["paused"], queue["waiting"], queue["running"]) == (True, 1, 0)
    (stage,) = queue["stages"]
    assert (stage["stage"], stage["lane"], stage["waiting"]) == ("probe", "bookkeeping", 1)
    assert stage["oldest_seconds"] == queue["oldest_seconds"]
    assert root.call("POST", "/queue/resume").get_json()["paused"] is False
    assert ann.get("/jobs").get_json()["paused"] is None
