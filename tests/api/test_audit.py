"""The audit log over HTTP: what is told of whom, what is not, and who may read it."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import pytest
from flask.testing import FlaskClient

from mediaflow.domain.ids import new_id
from mediaflow.domain.requestrecords import AuditEntry
from mediaflow.services.requests.audit import Audit
from mediaflow.services.requests.refusals import MOST_ADDRESSES, Refusals
from tests.api.site import Api, Site, is_problem

PAGE = {"X-Requested-With": "mediaflow"}


def entries(site: Site, **where: Any) -> list[AuditEntry]:
    return site.world.runtime.database.audit.find(where, sort=("at", "id"))


def only(site: Site, action: str) -> AuditEntry:
    (entry,) = entries(site, action=action)
    return entry


def test_a_change_tells_who_what_when_and_from_where_but_no_values(site: Site, ann: Api) -> None:
    asset = site.published()
    headers = {"X-Request-Id": "request-of-ann"}
    body = {"title": "hunter2", "visibility": "public"}
    assert ann.call("PATCH", f"/assets/{asset.id}", json=body, headers=headers).status_code == 200
    entry = only(site, "updateAsset")
    assert (entry.user, entry.role, entry.credential, entry.status) == ("ann", "user", "jwt", 200)
    assert (entry.subject, entry.asset_id, entry.request_id) == (asset.id, asset.id, "request-of-ann")
    assert entry.address == "127.0.0.1"
    assert entry.detail == {"fields": ["title", "visibility"]}
    assert "hunter2" not in repr(entry)
    assert abs(entry.at - site.world.runtime.database.now()) < 60


def test_what_was_made_is_told_by_its_id(site: Site, ann: Api) -> None:
    upload = ann.announce()
    entry = only(site, "createUpload")
    assert (entry.subject, entry.asset_id) == (upload["upload_id"], upload["asset_id"])


def test_what_was_refused_is_told_with_its_code(site: Site, bob: Api) -> None:
    asset = site.published(owner="ann")
    assert bob.call("DELETE", f"/assets/{asset.id}").status_code == 404
    entry = only(site, "deleteAsset")
    assert (entry.user, entry.status, entry.asset_id) == ("bob", 404, asset.id)
    assert entry.detail == {"code": "asset.not_found"}


def test_names_of_fields_are_told_only_when_they_are_ours(site: Site, ann: Api) -> None:
    ann.call("POST", "/uploads", json={"hunter2": 1, "\ud800": 2})
    assert only(site, "createUpload").detail == {"code": "request.invalid"}


def test_reading_and_chunks_are_not_told(site: Site, ann: Api) -> None:
    upload = ann.announce(2)
    ann.send(upload, 0, b"ab")
    ann.get("/assets")
    ann.get("/assets", headers={"Authorization": ""})
    assert [entry.action for entry in entries(site)] == ["createUpload", "listAssets"]


def test_a_repeat_that_was_not_done_is_told_once(site: Site, ann: Api) -> None:
    body = {"filename": "clip.mp4", "size_bytes": 10}
    for _ in range(2):
        ann.call("POST", "/uploads", json=body, headers={"Idempotency-Key": "k"})
    only(site, "createUpload")


def test_refused_credentials_are_told_without_them(site: Site, stranger: Api) -> None:
    stranger.get("/assets", headers={"Authorization": "Bearer hunter2.b.c"})
    stranger.call("POST", "/session", json={"token": "hunter2"})
    site.client.get(f"/login/{'hunter2' * 6}")
    stranger.get("/assets")
    stranger.get("/assets", headers={"Cookie": "mediaflow_session=old"})
    found = entries(site)
    assert [(entry.action, entry.user, entry.role, entry.status) for entry in found] == [
        ("listAssets", "", "", 401),
        ("createSession", "", "", 401),
        ("useLoginLink", "", "", 401),
    ]
    assert "hunter2" not in repr(found)


def refused(stranger: Api, times: int, address: str = "192.0.2.1", path: str = "/assets") -> None:
    for number in range(times):
        headers = {"Authorization": f"Bearer a.{number}.c"}
        stranger.get(path, headers=headers, environ_overrides={"REMOTE_ADDR": address})


def test_many_refused_credentials_of_an_address_are_one_entry_with_a_count(
    site: Site, stranger: Api, admin: Api
) -> None:
    refused(stranger, 50)
    refused(stranger, 50, path="/jobs")
    refused(stranger, 1, "192.0.2.2")
    refused(stranger, 3, "2001:db8::1")
    refused(stranger, 3, "2001:db8::2")  # the same host, as likely as not
    told = admin.get("/audit?action=listAssets").get_json()["items"]
    counts: dict[str, int] = {}
    for entry in told:
        counts[entry["address"]] = counts.get(entry["address"], 0) + entry["detail"].get("count", 1)
        assert (entry["user"], entry["status"], entry["detail"]["code"]) == ("", 401, "auth.bad_token")
    assert counts == {"192.0.2.1": 100, "192.0.2.2": 1, "2001:db8::1": 6}
    assert len(told) <= 6  # three, and as many when a minute ended meanwhile


def test_the_log_does_not_grow_with_the_number_of_refused_credentials_or_addresses(site: Site, stranger: Api) -> None:
    for number in range(MOST_ADDRESSES + 50):
        refused(stranger, 1, f"198.51.{number // 250}.{number % 250}")
    site.world.runtime.audit.close()
    found = entries(site)
    assert len(found) <= 2 * (MOST_ADDRESSES + 1)
    assert sum(entry.detail.get("count", 1) for entry in found) == MOST_ADDRESSES + 50
    assert any(entry.address is None for entry in found)


def test_counts_are_written_while_refusals_go_on_and_add_up_over_processes(site: Site) -> None:
    database, now = site.world.runtime.database, [600_000_000.0]

    def made() -> AuditEntry:
        return AuditEntry(id=new_id(), at=1.0, user="", role="", action="a", status=401, request_id="r")

    one, two = (Refusals(database, lambda: now[0]) for _ in range(2))
    for _ in range(3):
        one.add("192.0.2.1", "token", made)
        two.add("192.0.2.1", "token", made)
    (entry,) = entries(site)
    assert entry.detail == {"count": 2}  # the first of each
    now[0] += 10
    for each in (one, two):
        each.add("192.0.2.1", "token", made)
    assert entries(site)[0].detail == {"count": 6}
    now[0] += 60
    one.add("192.0.2.2", "token", made)
    two.write()
    assert sorted(entry.detail.get("count", 1) for entry in entries(site)) == [1, 8]


def test_signing_in_and_out_is_told(site: Site, ann: Api) -> None:
    browser: FlaskClient = site.client.application.test_client()
    browser.post("/api/v1/session", json={"token": ann.token})
    browser.delete("/api/v1/session", headers=PAGE)
    assert only(site, "createSession").user == "ann"
    assert only(site, "createSession").detail == {"fields": ["token"]}
    assert only(site, "deleteSession").user == "ann"
    assert ann.token is not None
    assert ann.token not in repr(entries(site))


def test_a_log_that_can_not_be_written_harms_nobody(site: Site, ann: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = site.world.runtime
    counted: list[str] = []

    class Full:
        def insert(self, _: AuditEntry) -> NoReturn:
            raise OSError("disk full")

    class Broken:
        audit = Full()

        def __getattr__(self, name: str) -> Any:
            return getattr(runtime.database, name)

    class Counting:
        def count(self, name: str, amount: float = 1, **labels: str) -> None:
            counted.append(name)

    broken: Any = Broken()
    counting: Any = Counting()
    runtime.audit = Audit(broken, counting, Refusals(broken))
    ann.announce()
    assert counted == ["mediaflow_audit_failures_total"]


def test_an_entry_that_can_not_be_made_harms_nobody(site: Site, ann: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Any) -> NoReturn:
        raise ValueError("no entry")

    monkeypatch.setattr("mediaflow.api.resources.audit._subjects", fail)
    ann.announce()
    assert entries(site) == []


# --- reading


@pytest.fixture
def told(site: Site) -> list[str]:
    """Entries of three users a day apart; their ids, newest first."""
    ids: list[str] = []
    for day, user in enumerate(("ann", "bob", "ann"), start=1):
        entry = AuditEntry(
            id=f"{day:032x}",
            at=86400.0 * day,
            user=user,
            role="user",
            action=("updateAsset", "deleteAsset")[day % 2],
            status=200,
            request_id="request",
            asset_id="a" * 32 if day == 1 else None,
        )
        site.world.runtime.database.audit.insert(entry)
        ids.insert(0, entry.id)
    return ids


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [3, 2, 1]),
        ("?user=ann", [3, 1]),
        ("?action=deleteAsset", [3, 1]),
        (f"?asset_id={'a' * 32}", [1]),
        ("?created_after=1970-01-03T00:00:00Z", [3, 2]),
        ("?created_before=1970-01-03T00:00:00Z", [1]),
        ("?created_after=1970-01-02T00:00:00Z&created_before=1970-01-03T00:00:00.5Z", [2, 1]),
        ("?page=2&page_size=2", [1]),
        ("?user=nobody", []),
    ],
)
def test_admins_read_it_newest_first_and_filtered(admin: Api, told: list[str], query: str, expected: list[int]) -> None:
    page = admin.get(f"/audit{query}").get_json()
    assert [int(item["id"], 16) for item in page["items"]] == expected


def test_an_entry_is_told_whole(admin: Api, told: list[str]) -> None:
    item = admin.get("/audit?page_size=1").get_json()["items"][0]
    assert item == {
        "id": told[0],
        "at": "1970-01-04T00:00:00.000Z",
        "user": "ann",
        "role": "user",
        "credential": None,
        "action": "deleteAsset",
        "subject": None,
        "asset_id": None,
        "status": 200,
        "request_id": "request",
        "address": None,
        "detail": {},
    }


def test_nobody_else_reads_it(ann: Api, stranger: Api) -> None:
    is_problem(ann.get("/audit"), 403, "auth.role")
    is_problem(stranger.get("/audit"), 401)


@pytest.mark.parametrize(
    "query", ["user=" + "x" * 201, "action=a%20b", "asset_id=x", "created_after=yesterday", "page=0", "unknown=1"]
)
def test_wrong_filters_are_refused(admin: Api, query: str) -> None:
    is_problem(admin.get(f"/audit?{query}"), 422)


def test_facts_are_json(site: Site, ann: Api) -> None:
    ann.announce()
    assert json.loads(json.dumps(entries(site)[0].detail)) == {"fields": ["filename", "size_bytes"]}
