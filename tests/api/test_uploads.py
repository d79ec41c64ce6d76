"""Uploads over HTTP: what is accepted, what is refused, and which field a refusal names."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import itertools
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

import pytest

from mediaflow.api.http.slots import BodySlots
from mediaflow.domain.errors import LimitReached, Unavailable
from mediaflow.serving import PACE, Pace
from tests.api.site import Api, Site, is_problem

DATA = bytes(range(256)) * 10
CHUNK = 1024


def digest_of(data: bytes, name: str = "sha-256") -> str:
    return f"{name}=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


def chunks(data: bytes = DATA) -> list[bytes]:
    return [data[start : start + CHUNK] for start in range(0, len(data), CHUNK)]


def announced(api: Api, **fields: Any) -> dict[str, Any]:
    return api.announce(len(DATA), chunk_size_bytes=CHUNK, **fields)


# --- announcing


def test_an_accepted_announcement_says_how_to_go_on(ann: Api) -> None:
    upload = announced(ann)
    assert (upload["chunk_size_bytes"], upload["chunk_count"]) == (1024, 3)
    assert (upload["state"], upload["deduplicated"]) == ("initialized", False)
    assert upload["expires_at"].endswith("Z")
    base = f"http://localhost/api/v1/uploads/{upload['upload_id']}"
    assert upload["links"]["self"] == base
    assert upload["links"]["chunk"] == f"{base}/chunks/{{index}}"
    asset = ann.get(f"/assets/{upload['asset_id']}").get_json()
    assert (asset["state"], asset["title"], asset["visibility"]) == ("created", "clip", "private")


@pytest.mark.parametrize(
    ("filename", "title"),
    [
        ("Holiday 2024.mp4", "Holiday 2024"),
        ("a.b.M2TS", "a.b"),
        ("call.3gp", "call"),
        ("no ending", "no ending"),
        ("v1.2 final.mov", "v1.2 final"),
        ("Part 1.2", "Part 1.2"),
        ("Mr. Bean", "Mr. Bean"),
        (".mp4", ".mp4"),
        ("..mp4", "..mp4"),
    ],
)
def test_a_title_that_nobody_gave_is_the_files_name_without_its_ending(ann: Api, filename: str, title: str) -> None:
    """Seen: with or without, depending on whether the page, a command or a program had sent it."""
    for metadata in ({}, {"description": "x"}, {"title": None}):
        asset = ann.get(f"/assets/{ann.announce(10, filename=filename, metadata=metadata)['asset_id']}").get_json()
        assert (asset["title"], asset["filename"]) == (title, filename)
    assert ann.get(f"/assets?q={title}").get_json()["total"] == 3


def test_the_announced_metadata_is_the_assets(ann: Api) -> None:
    metadata = {"title": "Whales", "description": "a\nb", "tags": ["sea", "sea", "boat"], "visibility": "unlisted"}
    asset = ann.get(f"/assets/{announced(ann, metadata=metadata)['asset_id']}").get_json()
    assert {name: asset[name] for name in metadata} == metadata | {"tags": ["sea", "boat"]}


@pytest.mark.parametrize("null", ["content_type", "sha256", "chunk_size_bytes", "profile", "metadata"])
def test_null_is_as_good_as_nothing(ann: Api, null: str) -> None:
    ann.announce(10, **{null: None})


@pytest.mark.parametrize(
    ("change", "status", "pointer"),
    [
        ({"size_bytes": 0}, 422, "/size_bytes"),
        ({"size_bytes": -5}, 422, "/size_bytes"),
        ({"size_bytes": "5"}, 422, "/size_bytes"),
        ({"size_bytes": True}, 422, "/size_bytes"),
        ({"size_bytes": 5.5}, 422, "/size_bytes"),
        ({"size_bytes": None}, 422, "/size_bytes"),
        ({"size_bytes": 10**30}, 422, "/size_bytes"),
        ({"size_bytes": 1_000_001}, 413, "/size_bytes"),
        ({"size_bytes": ...}, 422, "/size_bytes"),
        ({"filename": ...}, 422, "/filename"),
        ({"filename": ""}, 422, "/filename"),
        ({"filename": "\x00\x07 "}, 422, "/filename"),
        ({"filename": "a" * 256}, 422, "/filename"),
        ({"filename": 5}, 422, "/filename"),
        ({"filename": ["a"]}, 422, "/filename"),
        ({"chunk_size_bytes": 0}, 422, "/chunk_size_bytes"),
        ({"chunk_size_bytes": -1}, 422, "/chunk_size_bytes"),
        ({"chunk_size_bytes": "1024"}, 422, "/chunk_size_bytes"),
        ({"chunk_size_bytes": 2**60}, 422, "/chunk_size_bytes"),
        ({"content_type": "video"}, 422, "/content_type"),
        ({"content_type": "video/mp4\n"}, 422, "/content_type"),
        ({"sha256": "abc"}, 422, "/sha256"),
        ({"sha256": "g" * 64}, 422, "/sha256"),
        ({"sha256": "a" * 64 + "\n"}, 422, "/sha256"),
        ({"profile": "no-such-profile"}, 422, "/profile"),
        ({"dedup": "yes"}, 422, "/dedup"),
        ({"auto_complete": "false"}, 422, "/auto_complete"),
        ({"auto_complete": 1}, 422, "/auto_complete"),
        ({"mode": "direct"}, 422, "/mode"),
        ({"mode": "other"}, 422, "/mode"),
        ({"owner": "bob"}, 422, "/owner"),
        ({"state": "ready"}, 422, "/state"),
        ({"metadata": "x"}, 422, "/metadata"),
        ({"metadata": {"title": 5}}, 422, "/metadata/title"),
        ({"metadata": {"owner": "bob"}}, 422, "/metadata/owner"),
        ({"metadata": {"visibility": "secret"}}, 422, "/metadata/visibility"),
        ({"metadata": {"tags": "sea"}}, 422, "/metadata/tags"),
        ({"metadata": {"tags": ["a", 5]}}, 422, "/metadata/tags/1"),
        ({"metadata": {"tags": [""]}}, 422, "/metadata/tags/0"),
        ({"metadata": {"tags": ["t"] * 51}}, 422, "/metadata/tags"),
        ({"a/b~c": 1}, 422, "/a~1b~0c"),
    ],
)
def test_a_refusal_names_the_field(ann: Api, change: dict[str, Any], status: int, pointer: str) -> None:
    body = {"filename": "clip.mp4", "size_bytes": 10} | change
    answer = ann.call("POST", "/uploads", json={name: value for name, value in body.items() if value is not ...})
    errors = is_problem(answer, status)["errors"]
    assert [error["pointer"] for error in errors] == [pointer]


def test_all_that_is_wrong_is_said_at_once(ann: Api) -> None:
    errors = is_problem(ann.call("POST", "/uploads", json={"size_bytes": "x", "extra": 1}), 422)["errors"]
    assert {(error["pointer"], error["code"]) for error in errors} == {
        ("/filename", "request.missing_field"),
        ("/size_bytes", "request.invalid_field"),
        ("/extra", "request.unknown_field"),
    }


@pytest.mark.parametrize(
    ("data", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"", "application/json", 422),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 200_000, "application/json", 400),
        (b"[]", "application/json", 422),
        (b"null", "application/json", 422),
        (b'"text"', "application/json", 422),
        (b'{"filename": "a.mp4", "size_bytes": NaN}', "application/json", 422),
        (b'{"filename": "a.mp4", "size_bytes": 1e400}', "application/json", 422),
        (b'{"filename": "a.mp4", "size_bytes": ' + b"9" * 5000 + b"}", "application/json", 400),
        (b'{"filename": "a.mp4", "size_bytes": 1}', "text/plain", 415),
        (b"filename=a.mp4", "application/x-www-form-urlencoded", 415),
        (b"", None, 415),
        (b" " * 1_100_000, "application/json", 413),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(ann: Api, data: bytes, content_type: str | None, status: int) -> None:
    is_problem(ann.call("POST", "/uploads", data=data, content_type=content_type), status)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("clip.mp4", "clip.mp4"),
        ("  clip.mp4\n", "clip.mp4"),
        ("cl\x00ip\x1b[31m.mp4", "clip[31m.mp4"),
        ("Cafe\u0301.mp4", "Caf\u00e9.mp4"),
        ("\u202egpj.mp4", "gpj.mp4"),
        ("a\ud800b.mp4", "ab.mp4"),
        ("../../etc/passwd.mp4", "../../etc/passwd.mp4"),
        ("a" * 251 + ".mp4", "a" * 251 + ".mp4"),
    ],
)
def test_names_are_sanitised_text(site: Site, ann: Api, sent: str, kept: str) -> None:
    upload = ann.announce(filename=sent)
    assert ann.get(f"/uploads/{upload['upload_id']}").get_json()["filename"] == kept
    record = site.world.runtime.database.uploads.get(upload["upload_id"])
    assert record is not None
    assert record.storage_key == f"uploads/{upload['upload_id']}"


# --- chunks


def test_chunks_come_in_any_order_and_complete_by_themselves(site: Site, ann: Api) -> None:
    upload = announced(ann)
    parts = chunks()
    for count, index in enumerate((2, 0, 1), 1):
        answer = ann.send(upload, index, parts[index])
        assert answer.status_code == 200, answer.text
        assert answer.get_json() == {
            "index": index,
            "received_bytes": len(parts[index]),
            "received_chunks": count,
            "chunk_count": 3,
            "duplicate": False,
        }
    status = ann.get(f"/uploads/{upload['upload_id']}").get_json()
    assert (status["state"], status["progress"], status["missing"]) == ("assembling", 1.0, [])
    site.assemble()
    asset = ann.get(f"/assets/{upload['asset_id']}").get_json()
    assert (asset["state"], asset["sha256"]) == ("processing", hashlib.sha256(DATA).hexdigest())


def test_the_same_chunk_again_is_a_duplicate_and_another_one_a_conflict(ann: Api) -> None:
    upload = announced(ann)
    first = chunks()[0]
    assert ann.send(upload, 0, first).get_json()["duplicate"] is False
    assert ann.send(upload, 0, first).get_json()["duplicate"] is True
    is_problem(ann.send(upload, 0, first[::-1]), 409, "upload.chunk_differs")


@pytest.mark.parametrize("change", [b"", b"x", DATA[: CHUNK - 1], DATA[: CHUNK + 1], DATA * 4])
def test_a_chunk_of_another_length_is_refused_and_not_kept(ann: Api, change: bytes) -> None:
    upload = announced(ann)
    errors = is_problem(ann.send(upload, 0, change), 422, "upload.chunk_length")["errors"]
    assert [error["pointer"] for error in errors] == ["/Content-Length"]
    assert ann.get(f"/uploads/{upload['upload_id']}").get_json()["missing"] == [[0, 2]]


@pytest.mark.parametrize("index", [3, 999_999_999, -1])
def test_an_index_out_of_range_says_which_there_are(ann: Api, index: int) -> None:
    errors = is_problem(ann.send(announced(ann), index, b"x"), 422, "upload.chunk_index")["errors"]
    assert errors[0]["pointer"] == "/index"
    assert "0 to 2" in errors[0]["detail"]


@pytest.mark.parametrize("index", ["x", "1.5", "0x1", "", "9" * 30])
def test_what_is_no_index_is_not_found(ann: Api, index: str) -> None:
    upload = announced(ann)
    is_problem(ann.call("PUT", f"/uploads/{upload['upload_id']}/chunks/{index}", data=b"x"), 404)


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (digest_of(chunks()[0]), 200),
        (digest_of(chunks()[0]) + ", sha-512=:AAAA:", 200),
        ("sha-512=:AAAA:", 200),
        (digest_of(b"other bytes"), 422),
        ("sha-256=abc", 422),
        ("sha-256=:abc:", 422),
        ("sha-256=:AAAA:", 422),
        ("nonsense", 422),
        ("", 422),
    ],
)
def test_a_digest_is_checked_when_it_is_sent(ann: Api, header: str, status: int) -> None:
    upload = announced(ann)
    answer = ann.send(upload, 0, chunks()[0], headers={"Content-Digest": header})
    assert answer.status_code == status, answer.text
    missing = ann.get(f"/uploads/{upload['upload_id']}").get_json()["missing"]
    assert missing == ([[1, 2]] if status == 200 else [[0, 2]])
    if status == 422:
        assert is_problem(answer, 422)["errors"][0]["pointer"] == "/Content-Digest"


def take(slots: BodySlots, taken: ExitStack, users: Iterable[str]) -> None:
    """Places for these users, until there is none."""
    with contextlib.suppress(LimitReached, Unavailable):
        for user in users:
            taken.enter_context(slots.held(user))


def test_when_all_places_for_bodies_are_taken_the_client_is_told_to_wait(site: Site, ann: Api) -> None:
    slots = site.client.application.extensions["mediaflow"].body_slots
    upload = announced(ann)
    arriving = {"environ_overrides": {PACE: Pace(20)}}
    with ExitStack() as taken:
        take(slots, taken, (f"user {number}" for number in itertools.count()))
        answer = ann.send(upload, 0, chunks()[0], **arriving)
        is_problem(answer, 503, "limit.concurrent_uploads")
        assert int(answer.headers["Retry-After"]) >= 1
    with ExitStack() as taken:
        take(slots, taken, itertools.repeat("ann"))
        answer = ann.send(upload, 0, chunks()[0], **arriving)
        is_problem(answer, 429, "limit.concurrent_uploads")
        with slots.held("bob"):  # a place is left for others
            assert ann.send(upload, 0, chunks()[0]).status_code == 200  # it is here already, and needs none
    assert ann.send(upload, 1, chunks()[1], **arriving).status_code == 200


# --- status, complete, abort


def test_status_tells_the_missing_ranges(ann: Api) -> None:
    upload = ann.announce(CHUNK * 5, chunk_size_bytes=CHUNK)
    for index in (1, 2):
        ann.send(upload, index, bytes(CHUNK))
    status = ann.get(f"/uploads/{upload['upload_id']}").get_json()
    assert (status["state"], status["progress"], status["error"]) == ("receiving", 0.4, None)
    assert status["missing"] == [[0, 0], [3, 4]]
    assert status["asset_id"] == upload["asset_id"]


def test_completing_with_chunks_missing_says_which(ann: Api) -> None:
    upload = announced(ann, auto_complete=False)
    ann.send(upload, 1, chunks()[1])
    problem = is_problem(ann.call("POST", f"/uploads/{upload['upload_id']}/complete"), 409, "upload.incomplete")
    assert problem["missing"] == [[0, 0], [2, 2]]


def test_completing_is_idempotent(site: Site, ann: Api) -> None:
    upload = announced(ann, auto_complete=False)
    for index, part in enumerate(chunks()):
        ann.send(upload, index, part)
    path = f"/uploads/{upload['upload_id']}"
    assert ann.get(path).get_json()["state"] == "receiving"
    for _ in range(3):
        answer = ann.call("POST", f"{path}/complete")
        assert (answer.status_code, answer.get_json()["asset_id"]) == (202, upload["asset_id"])
        site.assemble()
    assert answer.get_json()["state"] == "queued"
    assert ann.send(upload, 0, chunks()[0]).get_json()["duplicate"] is True


def test_a_wrong_declared_sha256_fails_the_upload_with_its_reason(site: Site, ann: Api) -> None:
    upload = announced(ann, sha256="A" * 64)
    for index, part in enumerate(chunks()):
        ann.send(upload, index, part)
    site.assemble()
    status = ann.get(f"/uploads/{upload['upload_id']}").get_json()
    assert (status["state"], status["error"]["code"]) == ("failed", "upload.checksum_mismatch")
    assert ann.get(f"/assets/{upload['asset_id']}").get_json()["state"] == "failed"


def test_a_known_file_is_reused_when_the_client_asks_for_it(site: Site, ann: Api, bob: Api) -> None:
    first = announced(ann)
    for index, part in enumerate(chunks()):
        ann.send(first, index, part)
    site.assemble()
    again = {"filename": "b.mp4", "size_bytes": len(DATA), "sha256": hashlib.sha256(DATA).hexdigest(), "dedup": "reuse"}
    answer = ann.call("POST", "/uploads", json=again)
    assert answer.status_code == 200
    assert (answer.get_json()["asset_id"], answer.get_json()["deduplicated"]) == (first["asset_id"], True)
    assert bob.call("POST", "/uploads", json=again).status_code == 201


def sent(ann: Api, **fields: Any) -> dict[str, Any]:
    upload = announced(ann, **fields)
    for index, part in enumerate(chunks()):
        ann.send(upload, index, part)
    return upload


KNOWN = {"sha256": hashlib.sha256(DATA).hexdigest()}


def test_known_bytes_need_not_be_sent(site: Site, ann: Api) -> None:
    first = sent(ann)
    site.assemble()

    again = announced(ann, **KNOWN)

    assert again["deduplicated"] is True
    assert again["asset_id"] != first["asset_id"]
    status = ann.get(f"/uploads/{again['upload_id']}").get_json()
    assert (status["missing"], status["progress"]) == ([], 1.0)
    site.assemble()
    database, storage = site.world.runtime.database, site.world.runtime.storage
    assets = [database.assets.get(upload["asset_id"]) for upload in (first, again)]
    assert assets[0] is not None
    assert assets[1] is not None
    assert assets[1].original_key == assets[0].original_key
    assert list(storage.list("uploads/")) == []
    # who sends them all the same is told what everybody is told who sends a chunk twice
    for index, part in enumerate(chunks()):
        answer = ann.send(again, index, part)
        assert (answer.status_code, answer.get_json()["duplicate"]) == (200, True)
    assert ann.send(again, 0, b"x" * len(chunks()[0])).status_code == 409
    assert ann.call("POST", f"/uploads/{again['upload_id']}/complete").status_code == 202


def test_they_stay_for_the_last_who_has_them(site: Site, ann: Api) -> None:
    first, again = sent(ann), {}
    site.assemble()
    again = announced(ann, **KNOWN)
    assert ann.call("DELETE", f"/assets/{first['asset_id']}?purge=true").status_code == 204
    site.assemble()
    asset = site.world.runtime.database.assets.get(again["asset_id"])
    assert asset is not None
    assert asset.original_key is not None
    assert b"".join(site.world.runtime.storage.read(asset.original_key)) == DATA


@pytest.mark.parametrize("fields", [{"dedup": "off", **KNOWN}, {"sha256": "0" * 64}, {}])
def test_what_is_not_known_has_to_come(site: Site, ann: Api, fields: dict[str, Any]) -> None:
    sent(ann)
    site.assemble()
    assert announced(ann, **fields)["deduplicated"] is False
    assert ann.announce(len(DATA) + 1, **KNOWN)["deduplicated"] is False


def test_nobody_learns_what_others_have(site: Site, ann: Api, bob: Api) -> None:
    sent(ann)
    site.assemble()
    assert announced(bob, **KNOWN)["deduplicated"] is False


def test_what_is_deleted_for_good_has_to_come_again(site: Site, ann: Api) -> None:
    first = sent(ann)
    site.assemble()
    assert ann.call("DELETE", f"/assets/{first['asset_id']}?purge=true").status_code == 204
    site.world.runtime.reconciler.sweep()
    assert announced(ann, **KNOWN)["deduplicated"] is False


def test_an_aborted_upload_leaves_nothing(site: Site, ann: Api) -> None:
    upload = announced(ann)
    ann.send(upload, 0, chunks()[0])
    for _ in range(2):
        answer = ann.call("DELETE", f"/uploads/{upload['upload_id']}")
        assert (answer.status_code, answer.data) == (204, b"")
    assert ann.get(f"/uploads/{upload['upload_id']}").get_json()["state"] == "aborted"
    is_problem(ann.get(f"/assets/{upload['asset_id']}"), 404)
    is_problem(ann.send(upload, 1, chunks()[1]), 409)
    assert list(site.world.runtime.storage.list("")) == []


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("PUT", "/chunks/0"), ("POST", "/complete"), ("DELETE", "")],
)
def test_others_uploads_are_not_there(ann: Api, bob: Api, admin: Api, method: str, path: str) -> None:
    upload = announced(ann)
    for other in (bob, admin):
        is_problem(other.call(method, f"/uploads/{upload['upload_id']}{path}"), 404, "upload.not_found")
    is_problem(ann.call(method, f"/uploads/{'0' * 32}{path}"), 404, "upload.not_found")
    for odd in ("x", "A" * 32, "0" * 31, "..", "%2e%2e"):
        is_problem(ann.call(method, f"/uploads/{odd}{path}"), 404)


def test_one_answer_says_everything_that_is_wrong(ann: Api) -> None:
    body = {"filename": "report.pdf", "size_bytes": 0, "profile": "no such"}
    answer = ann.call("POST", "/uploads", json=body)
    assert answer.status_code == 422
    document = answer.get_json()
    assert {error["pointer"]: error["code"] for error in document["errors"]} == {
        "/size_bytes": "upload.empty",
        "/profile": "upload.unknown_profile",
        "/filename": "upload.unsupported_type",
    }
    for words in ("The file is empty.", "The profile is not known.", "is a document"):
        assert words in document["detail"]
