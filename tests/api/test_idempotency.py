"""`Idempotency-Key` over HTTP: a POST that is repeated is done once."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any, NoReturn

import pytest
from werkzeug.test import TestResponse

from mediaflow.domain.errors import LimitReached, MediaflowError, Unavailable
from tests.api.site import Api, Site, is_problem

BODY = {"filename": "clip.mp4", "size_bytes": 10}


def post(person: Api, key: str = "key-1", path: str = "/uploads", json: Any = BODY, **headers: str) -> TestResponse:
    return person.call("POST", path, json=json, headers={"Idempotency-Key": key, **headers})


def uploads(site: Site) -> int:
    return site.world.runtime.database.uploads.count({})


def test_a_repeat_gets_the_first_answer_and_does_nothing(site: Site, ann: Api) -> None:
    first, second = post(ann), post(ann)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.data == second.data
    assert first.mimetype == second.mimetype == "application/json"
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]
    assert uploads(site) == 1


def test_an_etag_comes_back_too(site: Site, ann: Api) -> None:
    asset = site.published(deleted_at=1.0)
    answers = [post(ann, path=f"/assets/{asset.id}/restore", json=None) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].headers["ETag"] == answers[1].headers["ETag"]


@pytest.mark.parametrize(
    ("path", "json"),
    [("/uploads", BODY | {"size_bytes": 11}), ("/uploads?x=1", BODY), (f"/uploads/{'0' * 32}/complete", BODY)],
)
def test_another_request_with_the_key_is_refused(site: Site, ann: Api, path: str, json: Any) -> None:
    post(ann)
    is_problem(post(ann, path=path, json=json), 422, "request.idempotency_mismatch")
    assert uploads(site) == 1


def test_users_do_not_meet(site: Site, ann: Api, bob: Api) -> None:
    assert post(ann).get_json()["upload_id"] != post(bob).get_json()["upload_id"]


def test_without_a_key_everything_is_done_again(site: Site, ann: Api) -> None:
    ann.announce()
    ann.announce()
    assert uploads(site) == 2


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "käse", "tab\there"])
def test_what_is_no_key_is_refused(site: Site, ann: Api, key: str) -> None:
    document = is_problem(post(ann, key.encode().decode("latin-1")), 422, "request.idempotency_key")
    assert document["errors"][0]["pointer"] == "/Idempotency-Key"
    assert uploads(site) == 0


def test_a_refusal_for_good_is_kept(site: Site, ann: Api) -> None:
    wrong = BODY | {"profile": "no such"}
    first, second = post(ann, json=wrong), post(ann, json=wrong)
    is_problem(first, 422, "upload.unknown_profile")
    assert second.data == first.data
    assert second.headers["Idempotency-Replayed"] == "true"
    is_problem(post(ann), 422, "request.idempotency_mismatch")


@pytest.mark.parametrize("error", [Unavailable("Away."), LimitReached("Too much."), ValueError("a fault")])
def test_an_answer_that_asks_to_come_again_frees_the_key(
    site: Site, ann: Api, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: Any) -> NoReturn:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr("mediaflow.api.resources.uploads.new_upload", fail)
        assert post(ann).status_code == (
            429 if isinstance(error, LimitReached) else 503 if isinstance(error, MediaflowError) else 500
        )
    assert post(ann).status_code == 201
    assert uploads(site) == 1


def test_reading_and_operations_that_tell_secrets_keep_no_answer(site: Site, ann: Api) -> None:
    asset_id = site.published(visibility="public").id
    assert ann.get("/assets", headers={"Idempotency-Key": "k"}).status_code == 200
    assert post(ann, path=f"/assets/{asset_id}/playback", json=None).status_code == 200
    assert post(ann, path="/session", json={"token": ann.token}).status_code == 200
    keys = [post(ann, path="/api-keys", json={"name": "a", "scopes": ["assets:read"]}) for _ in range(2)]
    assert [answer.status_code for answer in keys] == [201, 201]
    assert keys[0].data != keys[1].data
    assert site.world.runtime.database.answers.count({}) == 0


def test_a_body_that_is_too_large_claims_nothing(site: Site, ann: Api) -> None:
    is_problem(post(ann, json=BODY | {"filename": "x" * 2_000_000}), 413)
    assert post(ann).status_code == 201


def test_twenty_at_once_make_one_upload(site: Site, ann: Api) -> None:
    start, answers = threading.Barrier(20), list[TestResponse]()

    def send() -> None:
        person = Api(site.client.application.test_client(use_cookies=False), ann.token)
        start.wait()
        answers.append(post(person))

    threads = [threading.Thread(target=send) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) <= {201, 409}
    assert statuses[201] >= 1
    for answer in answers:
        if answer.status_code == 409:
            is_problem(answer, 409, "request.idempotency_running")
            assert int(answer.headers["Retry-After"]) >= 1
    assert len({answer.data for answer in answers if answer.status_code == 201}) == 1
    assert post(ann).headers["Idempotency-Replayed"] == "true"
    assert uploads(site) == 1
