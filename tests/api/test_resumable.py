"""Every MUST of Resumable Uploads for HTTP (draft-ietf-httpbis-resumable-upload), in the order of its text."""

from __future__ import annotations

import base64
import hashlib
import socket
import time
from collections.abc import Iterator
from typing import Any, Self
from urllib.parse import urlsplit

import pytest
from werkzeug.test import TestResponse

from mediaflow.services.uploads.transfers import CHUNK_BYTES
from tests.api.server import Server, running_server
from tests.api.site import Api, Site

FILE = bytes(range(256)) * 40
VERSION = {"Upload-Draft-Interop-Version": "10"}
IOS = {"Upload-Draft-Interop-Version": "6"}
NAMED = {"Content-Disposition": "inline; filename=\"a.mp4\"; filename*=UTF-8''%C3%A4.mp4", "Content-Type": "video/mp4"}
TYPES = "https://iana.org/assignments/http-problem-types#"


def _text(length: int | None) -> str | None:
    return None if length is None else str(length)


def flag(last: bool) -> str:
    return "?1" if last else "?0"


def begin(
    api: Api, data: bytes = b"", *, last: bool = False, root: str = "/resumable", **headers: str | None
) -> TestResponse:
    told = {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
    return api.call("POST", root, headers={**VERSION, **NAMED, "Upload-Complete": flag(last), **told}, data=data)


def place(created: TestResponse) -> str:
    assert created.status_code == 201, created.text
    return "/resumable/" + created.headers["Location"].rpartition("/")[2]


def patch(api: Api, where: str, offset: int, data: bytes, *, last: bool = False, **headers: str) -> TestResponse:
    said = {**VERSION, "Content-Type": "application/partial-upload", "Upload-Offset": str(offset)}
    said |= {"Upload-Complete": flag(last)} | {name.replace("_", "-"): value for name, value in headers.items()}
    return api.call("PATCH", where, headers=said, data=data)


def head(api: Api, where: str) -> dict[str, str]:
    answer = api.call("HEAD", where, headers=VERSION)
    assert answer.status_code == 204
    assert answer.headers["Cache-Control"] == "no-store"
    told = ("Upload-Offset", "Upload-Complete", "Upload-Length", "Upload-Limit")
    return {name: answer.headers[name] for name in told if name in answer.headers}


def digest(data: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


def original(site: Site, asset_id: str) -> bytes:
    """The bytes of the asset that an upload became."""
    asset = site.world.runtime.database.assets.get(asset_id)
    assert asset is not None
    site.world.runtime.assembly.finish(asset.upload_id)
    asset = site.world.runtime.database.assets.get(asset.id)
    assert asset is not None
    assert asset.original_key is not None, asset
    return b"".join(site.world.runtime.storage.read(asset.original_key))


class TestCreation:
    """4.2"""

    @pytest.mark.parametrize("root", ["/resumable", "/tus"])
    def test_all_of_a_file_in_one_request(self, site: Site, ann: Api, root: str) -> None:
        answer = begin(ann, FILE, last=True, root=root)

        assert (answer.status_code, answer.headers["Upload-Complete"]) == (201, "?1")
        assert answer.headers["Upload-Draft-Interop-Version"] == "10"
        assert answer.json is not None
        assert answer.headers["Content-Location"].endswith(f"/api/v1/assets/{answer.json['asset_id']}")
        assert head(ann, place(answer))["Upload-Complete"] == "?1"
        assert original(site, answer.json["asset_id"]) == FILE
        asset = ann.get(f"/assets/{answer.json['asset_id']}").get_json()
        assert (asset["title"], asset["content_type"]) == ("ä", "video/mp4")

    def test_a_plain_upload_is_one_too(self, site: Site, ann: Api) -> None:
        """What `curl -T film.mp4` sends."""
        answer = ann.call("PUT", "/resumable?filename=film.mp4&title=Film&tags=a,b&visibility=public", data=FILE)

        assert answer.status_code == 201
        asset = ann.get(f"/assets/{answer.get_json()['asset_id']}").get_json()
        told = {name: asset[name] for name in ("title", "tags", "visibility")}
        assert told == {"title": "Film", "tags": ["a", "b"], "visibility": "public"}
        assert original(site, answer.get_json()["asset_id"]) == FILE

    @pytest.mark.parametrize("length", [None, len(FILE)])
    @pytest.mark.parametrize("data", [b"", FILE[:100], FILE])
    def test_a_part_of_one_is_not_complete(self, ann: Api, data: bytes, length: int | None) -> None:
        answer = begin(ann, data, Upload_Length=_text(length))

        found = head(ann, place(answer))
        assert answer.headers["Upload-Complete"] == found["Upload-Complete"] == "?0"
        assert found["Upload-Offset"] == str(len(data))
        assert found.get("Upload-Length") == (None if length is None else str(length))
        assert answer.headers["Upload-Limit"] == found["Upload-Limit"]

    def test_an_empty_file_is_complete_and_nothing(self, ann: Api) -> None:
        answer = begin(ann, b"", last=True)
        assert (answer.status_code, answer.headers["Upload-Complete"]) == (201, "?1")
        assert answer.get_json()["asset_id"] is None

    def test_lengths_that_differ_are_refused(self, ann: Api) -> None:
        assert begin(ann, FILE, last=True, Upload_Length=str(len(FILE) + 1)).status_code == 400

    def test_one_that_is_too_large_is_refused_with_the_limit(self, ann: Api) -> None:
        answer = begin(ann, b"x", Upload_Length="999999999999999")
        assert answer.status_code == 413
        assert "max-size=" in answer.headers["Upload-Limit"]

    @pytest.mark.parametrize(
        ("headers", "status"),
        [({"Content_Encoding": "gzip"}, 415), ({"Repr_Digest": "sha-256=:x:"}, 422), ({"Content_Type": "x"}, 400)],
    )
    def test_what_can_t_be_is_said(self, ann: Api, headers: dict[str, Any], status: int) -> None:
        answer = begin(ann, FILE, last=True, **headers)
        assert answer.status_code == status
        assert answer.content_type == "application/problem+json"

    def test_a_stranger_begins_nothing(self, stranger: Api) -> None:
        assert begin(stranger, FILE, last=True).status_code == 401

    @pytest.mark.parametrize("value", ["1", "true", "?2", "", "?1, ?1"])
    def test_a_field_of_another_type_counts_as_absent(self, ann: Api, value: str) -> None:
        answer = begin(ann, FILE, Upload_Complete=value)
        assert (answer.status_code, answer.headers["Upload-Complete"]) == (201, "?1")
        where = place(begin(ann))
        assert patch(ann, where, 0, FILE, Upload_Complete=value).status_code == 400


class TestOffset:
    """4.3"""

    @pytest.mark.parametrize("method", ["HEAD", "GET"])
    def test_it_tells_what_is_here(self, ann: Api, method: str) -> None:
        where = place(begin(ann, FILE[:10], Upload_Length=str(len(FILE))))
        answer = ann.call(method, where, headers=VERSION)
        assert answer.status_code == 204
        assert answer.headers["Upload-Offset"] == "10"
        limits = dict(item.split("=") for item in answer.headers["Upload-Limit"].split(", "))
        assert set(limits) == {"max-size", "max-age"}
        assert 0 < int(limits["max-age"]) <= 24 * 3600
        assert "expires=" in ann.call(method, where, headers=IOS).headers["Upload-Limit"]

    def test_anothers_is_not_there(self, ann: Api, bob: Api) -> None:
        where = place(begin(ann, FILE[:10]))
        assert [bob.call(method, where).status_code for method in ("HEAD", "GET", "DELETE")] == [404] * 3
        assert patch(bob, where, 10, b"x").status_code == 404
        assert head(ann, where)["Upload-Offset"] == "10"


class TestAppend:
    """4.4"""

    @pytest.mark.parametrize("known", [False, True])
    def test_a_file_arrives_in_parts_of_any_size(self, site: Site, ann: Api, known: bool) -> None:
        answer = begin(ann, Upload_Length=str(len(FILE)) if known else None)
        where, offset = place(answer), 0
        for size in (1, 4096, 0, 100, 5000):
            part = FILE[offset : offset + size]
            answer = patch(ann, where, offset, part)
            offset += len(part)
            assert (answer.status_code, answer.headers["Upload-Complete"]) == (204, "?0")
            assert head(ann, where)["Upload-Offset"] == str(offset)
        answer = patch(ann, where, offset, FILE[offset:], last=True)
        assert (answer.status_code, answer.headers["Upload-Complete"]) == (201, "?1")
        assert original(site, answer.get_json()["asset_id"]) == FILE
        assert answer.headers["Mediaflow-Asset-Id"] == answer.get_json()["asset_id"]

    def test_one_of_many_chunks(self, site: Site, ann: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("mediaflow.services.uploads.transfers.CHUNK_BYTES", 1024)
        where = place(begin(ann, FILE[:5005]))
        answer = patch(ann, where, 5005, FILE[5005:], last=True)
        assert original(site, answer.get_json()["asset_id"]) == FILE

    def test_nothing_completes_it_but_its_client(self, site: Site, ann: Api) -> None:
        where = place(begin(ann, FILE, Upload_Length=str(len(FILE))))
        assert head(ann, where)["Upload-Complete"] == "?0"
        answer = patch(ann, where, len(FILE), b"", last=True)
        assert (answer.status_code, head(ann, where)["Upload-Complete"]) == (201, "?1")
        assert original(site, answer.get_json()["asset_id"]) == FILE

    def test_another_offset_is_a_conflict_and_changes_nothing(self, ann: Api) -> None:
        where = place(begin(ann, FILE[:10]))
        for offset in (0, 9, 11, 10_000_000):
            answer = patch(ann, where, offset, b"x")
            assert answer.status_code == 409
            assert (answer.headers["Upload-Offset"], answer.headers["Upload-Complete"]) == ("10", "?0")
            told: Any = answer.json
            assert told["type"] == TYPES + "mismatching-upload-offset"
            assert (told["expected-offset"], told["provided-offset"]) == (10, offset)
        assert head(ann, where)["Upload-Offset"] == "10"

    def test_one_that_is_complete_takes_no_more(self, site: Site, ann: Api) -> None:
        where = place(begin(ann, FILE[:10]))
        first = patch(ann, where, 10, FILE[10:], last=True)
        for offset, data, last in ((len(FILE), b"x", False), (len(FILE), b"x", True), (0, FILE, True)):
            answer = patch(ann, where, offset, data, last=last)
            assert (answer.status_code, answer.headers["Upload-Complete"]) == (400, "?0")
            assert answer.get_json()["type"] == TYPES + "inconsistent-upload-length"
        again = patch(ann, where, len(FILE), b"", last=True)
        assert (again.status_code, again.get_json()) == (201, first.get_json())
        assert head(ann, where)["Upload-Complete"] == "?1"
        assert original(site, first.get_json()["asset_id"]) == FILE

    @pytest.mark.parametrize(
        ("length", "data", "headers", "last"),
        [
            (20, b"x" * 11, {}, False),
            (20, b"x" * 9, {}, True),
            (20, b"x" * 11, {}, True),
            (20, b"x", {"Upload_Length": "21"}, False),
            (None, b"x", {"Upload_Length": "5"}, False),
        ],
    )
    def test_lengths_that_do_not_agree_are_refused(
        self, ann: Api, length: int | None, data: bytes, headers: dict[str, str], last: bool
    ) -> None:
        where = place(begin(ann, FILE[:10], Upload_Length=_text(length)))
        answer = patch(ann, where, 10, data, last=last, **headers)
        assert answer.status_code == 400, answer.text
        assert answer.get_json()["type"] == TYPES + "inconsistent-upload-length"
        assert head(ann, where)["Upload-Offset"] == "10"

    def test_the_length_may_come_later(self, ann: Api) -> None:
        where = place(begin(ann, FILE[:10]))
        assert patch(ann, where, 10, FILE[10:20], Upload_Length=str(len(FILE))).status_code == 204
        assert head(ann, where)["Upload-Length"] == str(len(FILE))
        assert patch(ann, where, 20, b"", Upload_Length="30").status_code == 400

    @pytest.mark.parametrize("kind", ["application/octet-stream", "", "application/offset+octet-stream"])
    def test_another_content_type_is_refused(self, ann: Api, kind: str) -> None:
        where = place(begin(ann))
        assert patch(ann, where, 0, b"x", Content_Type=kind).status_code == 415

    @pytest.mark.parametrize("offset", ["", "-1", "1.5", "x", "?0", "9" * 30])
    def test_no_offset_is_refused(self, ann: Api, offset: str) -> None:
        where = place(begin(ann))
        assert patch(ann, where, 0, b"x", Upload_Offset=offset).status_code == 400

    def test_ios_says_nothing_when_it_is_all(self, ann: Api) -> None:
        where = place(begin(ann))
        headers = {**IOS, "Content-Type": "application/partial-upload", "Upload-Offset": "0"}
        answer = ann.call("PATCH", where, headers=headers, data=FILE)
        assert (answer.status_code, answer.headers["Upload-Complete"]) == (201, "?1")
        assert answer.headers["Upload-Draft-Interop-Version"] == "6"


class TestRest:
    """4.1.4, 4.5, 8"""

    def test_a_cancelled_one_is_gone(self, site: Site, ann: Api) -> None:
        where = place(begin(ann, FILE[:10], Upload_Length=str(len(FILE))))
        assert ann.call("DELETE", where, headers=VERSION).status_code == 204
        assert ann.call("HEAD", where, headers=VERSION).status_code == 404
        assert patch(ann, where, 10, b"x").status_code == 404
        storage = site.world.runtime.storage
        assert [*storage.list("pieces/"), *storage.list("uploads/")] == []

    def test_options_tell_what_is_offered(self, stranger: Api) -> None:
        for path in ("/resumable", "/resumable/" + "0" * 32):
            answer = stranger.call("OPTIONS", path)
            assert answer.status_code == 204
            assert answer.headers["Accept-Patch"] == "application/partial-upload"
            assert answer.headers["Upload-Limit"].startswith("max-size=")

    def test_content_that_is_not_what_was_declared_is_not_kept(self, site: Site, ann: Api) -> None:
        where = place(begin(ann, FILE[:10], Content_Digest=digest(FILE[:10])))
        assert patch(ann, where, 10, FILE[10:], last=True, Content_Digest=digest(b"y")).status_code == 422
        found = head(ann, where)
        assert (found["Upload-Offset"], found["Upload-Complete"]) == ("10", "?0")
        answer = patch(ann, where, 10, FILE[10:], last=True, Content_Digest=digest(FILE[10:]))
        assert original(site, answer.get_json()["asset_id"]) == FILE

    def test_the_digest_of_the_file_is_that_of_its_upload(self, site: Site, ann: Api) -> None:
        """What becomes of a file that has another one is the same for every way in."""
        answer = begin(ann, FILE, last=True, Repr_Digest=digest(FILE[1:]))
        upload = site.world.runtime.database.uploads.get(answer.get_json()["upload_id"])
        assert upload is not None
        assert upload.declared_sha256 == hashlib.sha256(FILE[1:]).hexdigest()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("web"), web_threads="4") as started:
        yield started
        assert "Traceback" not in started.log.read_text()


class Wire:
    """A connection whose every answer is seen, those before the answer too."""

    def __init__(self, server: Server) -> None:
        self.server, told = server, urlsplit(server.url)
        self.socket = socket.create_connection((told.hostname, told.port), timeout=20)
        self.file = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.file.close()
        self.socket.close()

    def send(self, method: str, path: str, length: int, **headers: str) -> None:
        said = {"Host": "127.0.0.1", "Authorization": f"Bearer {self.server.token}", "Content-Length": str(length)}
        said |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in said.items())]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())

    def answer(self) -> tuple[int, dict[str, str]]:
        status, headers = int(self.file.readline().split()[1]), {}
        while line := self.file.readline().strip():
            name, _, value = line.decode().partition(": ")
            headers[name.lower()] = value
        if status >= 200:
            self.file.read(int(headers.get("content-length", 0)))
        return status, headers


@pytest.fixture
def wire(server: Server) -> Iterator[Wire]:
    with Wire(server) as opened:
        yield opened


@pytest.fixture
def other(server: Server) -> Iterator[Wire]:
    with Wire(server) as opened:
        yield opened


class TestInterim:
    """5: 104 (Upload Resumption Supported), and who gets it (appendix B)."""

    @pytest.mark.parametrize("version", ["6", "10"])
    def test_the_place_is_told_before_the_bytes_come(self, wire: Wire, other: Wire, version: str) -> None:
        said = {"Upload_Complete": "?1", "Upload_Draft_Interop_Version": version, "Content_Type": "video/mp4"}
        wire.send("POST", "/api/v1/resumable", 3_000_000, **said)

        status, told = wire.answer()

        assert (status, told["upload-draft-interop-version"]) == (104, version)
        assert "max-size=" in told["upload-limit"]
        wire.socket.sendall(b"x" * 1_500_000)
        wire.close()  # the network is gone
        where = urlsplit(told["location"]).path
        until = time.monotonic() + 20
        while True:
            other.send("HEAD", where, 0, Upload_Draft_Interop_Version=version)
            status, now = other.answer()
            assert (status, now["upload-complete"]) == (204, "?0")
            if now["upload-offset"] == "1500000":
                break
            assert time.monotonic() < until, now
        said = {"Content_Type": "application/partial-upload", "Upload_Draft_Interop_Version": version}
        other.send("PATCH", where, 1_500_000, Upload_Offset="1500000", Upload_Complete="?1", **said)
        other.socket.sendall(b"y" * 1_500_000)
        status, told = other.answer()
        assert (status, told["upload-complete"]) == (201, "?1")

    def test_what_is_kept_is_told_meanwhile(self, wire: Wire) -> None:
        said = {"Upload_Complete": "?1", "Upload_Draft_Interop_Version": "10"}
        wire.send("POST", "/api/v1/resumable", 5 * CHUNK_BYTES, **said)
        assert wire.answer()[0] == 104
        for _ in range(2):
            time.sleep(1.1)
            wire.socket.sendall(b"x" * (2 * CHUNK_BYTES))
        status, told = wire.answer()
        assert status == 104
        assert int(told["upload-offset"]) % CHUNK_BYTES == 0
        assert "location" not in told
        wire.socket.sendall(b"x" * CHUNK_BYTES)
        assert [status for status in iter(lambda: wire.answer()[0], 201) if status != 104] == []

    @pytest.mark.parametrize("said", [{}, {"Upload_Draft_Interop_Version": "8"}, {"Upload_Draft_Interop_Version": "x"}])
    def test_who_speaks_another_version_is_told_nothing(self, wire: Wire, said: dict[str, str]) -> None:
        wire.send("POST", "/api/v1/resumable", 10, Upload_Complete="?1", **said)
        wire.socket.sendall(b"x" * 10)
        status, told = wire.answer()
        assert status == 201
        assert "upload-draft-interop-version" not in told

    def test_more_than_was_said_ends_it(self, wire: Wire, other: Wire) -> None:
        """A body without a length, whose file has one."""
        wire.send("POST", "/api/v1/resumable", 0, Upload_Complete="?0", Upload_Length="5")
        where = urlsplit(wire.answer()[1]["location"]).path
        body = b"6\r\nxxxxxx\r\n0\r\n\r\n"
        lines = [
            f"PATCH {where} HTTP/1.1",
            "Host: 127.0.0.1",
            f"Authorization: Bearer {wire.server.token}",
            "Transfer-Encoding: chunked",
            "Content-Type: application/partial-upload",
            "Upload-Offset: 0",
            "Upload-Complete: ?0",
        ]
        wire.socket.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        assert wire.answer()[0] in (400, 413)
        other.send("HEAD", where, 0)
        assert other.answer()[0] == 404
