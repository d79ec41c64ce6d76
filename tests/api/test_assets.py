"""Assets over HTTP: listed, read, changed, deleted, restored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mediaflow.app import create_app
from tests.api.site import Api, Site, is_problem
from tests.services.records import CREATED, a_job, a_published_asset, a_task, an_asset
from tests.services.world import make_world

FIELDS = {
    "id",
    "owner",
    "title",
    "description",
    "tags",
    "visibility",
    "state",
    "playable",
    "progress",
    "eta_seconds",
    "created_at",
    "updated_at",
    "deleted_at",
    "duration_seconds",
    "content_type",
    "size_bytes",
    "sha256",
    "profile",
    "media",
    "renditions",
    "thumbnail_url",
    "preview_url",
    "links",
    "error",
}


def test_an_asset_has_all_its_fields_from_the_first_moment_on(ann: Api) -> None:
    asset_id = ann.announce()["asset_id"]
    answer = ann.get(f"/assets/{asset_id}")
    asset = answer.get_json()
    assert asset.keys() >= FIELDS
    nothing_yet = (
        "eta_seconds",
        "deleted_at",
        "duration_seconds",
        "sha256",
        "media",
        "thumbnail_url",
        "preview_url",
        "error",
    )
    assert all(asset[name] is None for name in nothing_yet)
    assert (asset["owner"], asset["playable"], asset["progress"], asset["renditions"]) == ("ann", False, 0.0, [])
    assert answer.headers["ETag"] == '"1"'
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_published_asset_tells_what_plays(site: Site, ann: Api) -> None:
    asset_id = site.published().id
    asset = ann.get(f"/assets/{asset_id}").get_json()
    assert (asset["state"], asset["playable"], asset["progress"]) == ("ready", True, 1.0)
    assert asset["created_at"] == "2023-11-14T22:13:20.000Z"
    assert asset["renditions"] == [
        {
            "name": "360p",
            "width": 640,
            "height": 360,
            "frame_rate": 25.0,
            "bitrate_bps": 600_000,
            "codecs": "avc1.64001e,mp4a.40.2",
            "when": "eager",
            "segments": None,  # an older version did not keep it
            "segments_ready": None,
            "mp4_url": None,
        }
    ]
    assert site.client.get(asset["thumbnail_url"].removeprefix("http://localhost")).data == b"picture"
    assert asset["links"]["watch"] == f"http://localhost/#/watch/{asset_id}"


def test_urls_are_those_that_clients_use(site: Site, ann: Api) -> None:
    path = f"/assets/{site.published().id}"
    asset = ann.get(path, base_url="https://media.example:8443").get_json()
    assert asset["links"]["self"] == f"https://media.example:8443/api/v1{path}"


def test_a_configured_address_wins_over_the_one_that_was_asked(tmp_path: Path) -> None:
    world = make_world(tmp_path / "data", public_url="https://media.example/tv/")
    site = Site(world, create_app(world.runtime.settings, world.runtime).test_client(use_cookies=False))
    asset = site.as_user("ann").get(f"/assets/{site.published().id}").get_json()
    assert asset["links"]["self"] == f"https://media.example/tv/api/v1/assets/{asset['id']}"
    assert asset["thumbnail_url"].startswith("https://media.example/tv/stream/")
    world.runtime.close()


def test_progress_does_not_change_the_revision(site: Site, ann: Api) -> None:
    asset = an_asset(state="processing")
    job = a_job(asset)
    database = site.world.runtime.database
    database.assets.insert(asset)
    database.assets.change(asset.id, {}, {"job_id": job.id})
    database.tasks.insert(a_task(job, "video-0", state="running", weight=8.0, progress=0.5, seconds=3.0))
    database.tasks.insert(a_task(job, "publish", stage="publish", weight=2.0))
    answer = ann.get(f"/assets/{asset.id}")
    assert answer.get_json()["progress"] == 0.4
    assert answer.get_json()["eta_seconds"] > 0
    assert answer.headers["ETag"] == '"1"'
    again = ann.get(f"/assets/{asset.id}", headers={"If-None-Match": '"1"'})
    assert again.status_code == 200


# --- listing


def test_a_listing_is_paged(site: Site, ann: Api) -> None:
    for number in range(3):
        site.world.runtime.database.assets.insert(an_asset(title=f"{number}", created_at=CREATED + number))
    page = ann.get("/assets?page=2&page_size=2").get_json()
    assert page.keys() == {"items", "page", "page_size", "total", "pages"}
    assert [item["title"] for item in page["items"]] == ["0"]
    assert (page["page"], page["page_size"], page["total"], page["pages"]) == (2, 2, 3, 2)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["b", "a"]),
        ("?state=ready", ["b"]),
        ("?visibility=private", ["b", "a"]),
        ("?visibility=public", []),
        ("?sort=title", ["a", "b"]),
        ("?sort=-title", ["b", "a"]),
        ("?tag=sea", ["a"]),
        ("?q=A", ["a"]),
        ("?deleted=true", ["gone"]),
        ("?deleted=false&state=created", ["a"]),
    ],
)
def test_a_listing_is_filtered_and_sorted(site: Site, ann: Api, query: str, expected: list[str]) -> None:
    for asset in (
        an_asset(title="a", tags=["sea"]),
        a_published_asset(title="b", created_at=CREATED + 1),
        an_asset(title="gone", deleted_at=CREATED),
        an_asset(title="not mine", owner="bob", visibility="public"),
    ):
        site.world.runtime.database.assets.insert(asset)
    assert [item["title"] for item in ann.get(f"/assets{query}").get_json()["items"]] == expected


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("page=0", "/page"),
        ("page=x", "/page"),
        ("page=1.5", "/page"),
        ("page_size=101", "/page_size"),
        ("page_size=0", "/page_size"),
        ("state=happy", "/state"),
        ("state=", "/state"),
        ("visibility=secret", "/visibility"),
        ("sort=owner", "/sort"),
        ("sort=$where", "/sort"),
        ("deleted=maybe", "/deleted"),
        ("page=1_0", "/page"),
        ("page=%2B1", "/page"),
        ("page=%201", "/page"),
        ("page=01", "/page"),
        ("page=%D9%A3", "/page"),
        ("page=1&page=2", "/page"),
        ("q=a&q=a", "/q"),
        ("deleted=true&deleted=true", "/deleted"),
        ("created_after=yesterday", "/created_after"),
        ("created_after=2026-01-31", "/created_after"),
        ("created_after=2026-01-31T08:15:30", "/created_after"),
        ("created_before=2026-01-31T08:15:30+01:00", "/created_before"),
        ("created_before=2026-02-30T08:15:30Z", "/created_before"),
        ("owner=", "/owner"),
        ("q=" + "+".join(f"w{n}" for n in range(10, 23)), "/q"),
        ("shared=true&deleted=true", "/deleted"),
        ("shared=1", "/shared"),
    ],
)
def test_a_wrong_query_names_the_parameter(ann: Api, query: str, pointer: str) -> None:
    errors = is_problem(ann.get(f"/assets?{query}"), 422)["errors"]
    assert [error["pointer"] for error in errors] == [pointer]


def test_a_time_is_one_of_rfc_3339(site: Site, ann: Api) -> None:
    for number in range(3):
        site.world.runtime.database.assets.insert(an_asset(title=f"{number}", created_at=CREATED + number))
    for query, expected in (
        ("created_after=2023-11-14T22:13:21Z", ["2", "1"]),
        ("created_after=2023-11-14T23:13:21%2B01:00", ["2", "1"]),
        ("created_before=2023-11-14T22:13:21.5z", ["1", "0"]),
        ("created_after=2023-11-14T22:13:20.001Z&created_before=2023-11-14T22:13:22Z", ["1"]),
        ("created_after=2023-11-14T22:13:22Z&created_before=2023-11-14T22:13:20Z", []),
        ("created_after=0001-01-01T00:00:00Z&created_before=9999-12-31T23:59:59Z", ["2", "1", "0"]),
    ):
        assert [item["title"] for item in ann.get(f"/assets?{query}").get_json()["items"]] == expected


def test_owners_are_named_by_admins(site: Site, ann: Api, admin: Api) -> None:
    for owner in ("ann", "bob"):
        site.world.runtime.database.assets.insert(an_asset(title=f"{owner}'s", owner=owner, size_bytes=7))
    assert [item["title"] for item in admin.get("/assets?owner=bob").get_json()["items"]] == ["bob's"]
    assert [item["title"] for item in ann.get("/assets?owner=ann").get_json()["items"]] == ["ann's"]
    is_problem(ann.get("/assets?owner=bob"), 403, "auth.forbidden")
    is_problem(ann.get("/assets/totals?owner=bob"), 403, "auth.forbidden")
    assert admin.get("/assets/totals?owner=bob").get_json()["size_bytes"] == 7
    assert admin.get("/assets/totals").get_json()["size_bytes"] == 14


def test_what_others_share_is_listed_without_their_secrets(site: Site, ann: Api, bob: Api) -> None:
    site.world.runtime.database.assets.insert(an_asset(title="for bob", shared_with=["bob"], sha256="0" * 64))
    (shown,) = bob.get("/assets?shared=true").get_json()["items"]
    assert (shown["title"], shown["owner"], shown["filename"], shown["sha256"]) == ("for bob", "ann", None, None)
    assert bob.get("/assets").get_json()["total"] == ann.get("/assets?shared=true").get_json()["total"] == 0


def test_totals_have_every_state(site: Site, ann: Api) -> None:
    for asset in (
        an_asset(size_bytes=1),
        a_published_asset(size_bytes=10),
        a_published_asset(size_bytes=100, deleted_at=CREATED),
    ):
        site.world.runtime.database.assets.insert(asset)
    assert ann.get("/assets/totals").get_json() == {
        "states": {"created": 1, "stored": 0, "processing": 0, "ready": 1, "failed": 0, "rejected": 0},
        "total": 2,
        "deleted": 1,
        "size_bytes": 11,
    }
    is_problem(ann.get("/assets/totals?state=ready"), 422)


def test_what_is_edited_is_found_by_its_new_words(ann: Api) -> None:
    announced = ann.announce(metadata={"title": "Summer f\u00eate", "tags": ["sea side"]})
    assert ann.get("/assets?q=FETE+sid").get_json()["total"] == 1
    ann.call("PATCH", f"/assets/{announced['asset_id']}", json={"title": "Winter"})
    assert [ann.get(f"/assets?q={word}").get_json()["total"] for word in ("fete", "winter", "sea")] == [0, 1, 1]


# --- changing


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"title": "New"}, {"title": "New"}),
        ({"title": "  N\x00ew "}, {"title": "New"}),
        ({"description": "one\ntwo"}, {"description": "one\ntwo"}),
        ({"description": ""}, {"description": ""}),
        ({"tags": ["b", "a", "b"]}, {"tags": ["b", "a"]}),
        ({"tags": []}, {"tags": []}),
        ({"visibility": "public"}, {"visibility": "public"}),
        ({"title": "<script>", "tags": ["\u00e9"]}, {"title": "<script>", "tags": ["\u00e9"]}),
    ],
)
def test_a_patched_field_reads_back(site: Site, ann: Api, sent: dict[str, Any], kept: dict[str, Any]) -> None:
    path = f"/assets/{site.published(description='old', tags=['old']).id}"
    answer = ann.call("PATCH", path, json=sent)
    assert answer.status_code == 200, answer.text
    assert answer.headers["ETag"] == '"2"'
    for document in (answer.get_json(), ann.get(path).get_json()):
        assert {name: document[name] for name in kept} == kept


@pytest.mark.parametrize(
    "change",
    [
        {"state": "ready"},
        {"owner": "bob"},
        {"id": "0" * 32},
        {"playable": True},
        {"acl_epoch": 1},
        {"deleted_at": None},
        {"title": ""},
        {"title": None},
        {"title": "a" * 256},
        {"description": "a" * 10_001},
        {"tags": "a"},
        {"tags": ["a" * 65]},
        {"visibility": "secret"},
        {"visibility": None},
    ],
)
def test_what_can_not_be_patched_is_named(site: Site, ann: Api, change: dict[str, Any]) -> None:
    asset = site.published()
    errors = is_problem(ann.call("PATCH", f"/assets/{asset.id}", json=change), 422)["errors"]
    assert [error["pointer"].split("/")[1] for error in errors] == list(change)
    assert site.world.runtime.database.assets.get(asset.id) == asset


@pytest.mark.parametrize(
    ("if_match", "status"),
    [
        ('"1"', 200),
        ("*", 200),
        ('"7", "1"', 200),
        (None, 200),
        ('"2"', 412),
        ('W/"1"', 412),
        ('"x"', 412),
        ("", 412),
    ],
)
def test_if_match_is_honoured(site: Site, ann: Api, if_match: str | None, status: int) -> None:
    headers = {} if if_match is None else {"If-Match": if_match}
    answer = ann.call("PATCH", f"/assets/{site.published().id}", json={"title": "New"}, headers=headers)
    assert answer.status_code == status, answer.text


# --- deleting


def test_a_deleted_asset_is_gone_until_it_is_restored(site: Site, ann: Api) -> None:
    path = f"/assets/{site.published().id}"
    for _ in range(2):
        answer = ann.call("DELETE", path)
        assert (answer.status_code, answer.data) == (204, b"")
    is_problem(ann.get(path), 404, "asset.not_found")
    is_problem(ann.call("PATCH", path, json={"title": "New"}), 404)
    is_problem(ann.call("POST", f"{path}/playback"), 404)
    assert ann.get("/assets").get_json()["total"] == 0
    deleted = ann.get("/assets?deleted=true").get_json()["items"][0]
    assert deleted["deleted_at"] is not None
    assert deleted["thumbnail_url"] is None
    restored = ann.call("POST", f"{path}/restore")
    assert (restored.status_code, restored.get_json()["deleted_at"]) == (200, None)
    assert ann.get(path).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("PATCH", "", {"title": "mine"}),
        ("DELETE", "", None),
        ("POST", "/restore", None),
        ("POST", "/playback", None),
    ],
)
def test_others_assets_are_not_there(
    site: Site, bob: Api, admin: Api, method: str, path: str, body: dict[str, Any] | None
) -> None:
    asset = site.published()
    is_problem(bob.call(method, f"/assets/{asset.id}{path}", json=body), 404, "asset.not_found")
    is_problem(bob.call(method, f"/assets/{'0' * 32}{path}", json=body), 404, "asset.not_found")
    for odd in ("x", "A" * 32, "0" * 33):
        is_problem(bob.call(method, f"/assets/{odd}{path}", json=body), 404, "request.not_found")
    assert admin.call(method, f"/assets/{asset.id}{path}", json=body).status_code in (200, 204)


# --- jobs, profiles, plugins


def test_a_job_tells_its_tasks_attempts_and_errors(site: Site, ann: Api, bob: Api) -> None:
    asset = site.published()
    error = {"code": "job.timeout", "detail": "It took too long.", "internal": "/secret/path"}
    job = a_job(asset, state="failed", error=error)
    site.world.runtime.database.jobs.insert(job)
    site.world.runtime.database.tasks.insert(a_task(job, "video-0", attempt=3, failures=2, state="failed", error=error))
    listed = ann.get(f"/jobs?state=failed&asset_id={asset.id}").get_json()
    assert [item["id"] for item in listed["items"]] == [job.id]
    document = ann.get(f"/jobs/{job.id}").get_json()
    assert document["error"] == {"code": "job.timeout", "detail": "It took too long."}
    task = document["tasks"][0]
    assert (task["name"], task["state"], task["attempts"], task["failures"]) == ("video-0", "failed", 3, 2)
    assert task["error"] == document["error"]
    is_problem(bob.get(f"/jobs/{job.id}"), 404, "job.not_found")
    assert bob.get("/jobs").get_json()["total"] == 0
    is_problem(ann.get("/jobs?state=happy"), 422)


def test_profiles_and_plugins_are_listed(ann: Api) -> None:
    profiles = {profile["name"]: profile for profile in ann.get("/profiles").get_json()["items"]}
    assert profiles["web-h264"]["default"] is True
    assert [rung["height"] for rung in profiles["web-h264"]["ladder"]] == [1080, 720, 480, 360]
    plugins = {plugin["name"]: plugin for plugin in ann.get("/plugins").get_json()["items"]}
    assert plugins["local"]["storages"] == ["local"]
    assert "mediaflow_register_storages" in plugins["local"]["hooks"]
