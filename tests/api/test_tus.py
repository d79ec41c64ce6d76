"""Every MUST of tus 1.0.0 (https://tus.io/protocols/resumable-upload), in the order of its text."""

from __future__ import annotations

import base64
import hashlib
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from werkzeug.test import TestResponse

from mediaflow.services.uploads.transfers import CHUNK_BYTES
from tests.api.site import Api, Site

TUS = {"Tus-Resumable": "1.0.0"}
BODY = {**TUS, "Content-Type": "application/offset+octet-stream"}
FILE = bytes(range(256)) * 40
EXTENSIONS = {
    *("creation", "creation-with-upload", "creation-defer-length", "checksum"),
    *("expiration", "termination", "concatenation"),
}


def metadata(**pairs: str) -> str:
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())


def begin(
    api: Api, length: int | None = len(FILE), data: bytes | None = None, said: dict[str, str] = {}
) -> TestResponse:
    said = {"Upload-Metadata": metadata(filename="clip.mp4"), **said}
    how = {"Upload-Defer-Length": "1"} if length is None else {"Upload-Length": str(length)}
    return api.call("POST", "/tus", headers={**(TUS if data is None else BODY), **how, **said}, data=data)


def place(created: TestResponse) -> str:
    assert created.status_code == 201, created.text
    return "/tus/" + created.headers["Location"].rpartition("/")[2]


def patch(api: Api, where: str, offset: int, data: bytes, **headers: str) -> TestResponse:
    return api.call("PATCH", where, headers={**BODY, "Upload-Offset": str(offset), **headers}, data=data)


def head(api: Api, where: str) -> TestResponse:
    return api.call("HEAD", where, headers=TUS)


def checksum(data: bytes, name: str = "sha1") -> str:
    return f"{name} {base64.b64encode(hashlib.new(name, data).digest()).decode()}"


def original(site: Site, response: TestResponse) -> bytes:
    """The bytes of the asset that an upload became."""
    asset = site.world.runtime.database.assets.get(response.headers["Mediaflow-Asset-Id"])
    assert asset is not None
    site.world.runtime.assembly.finish(asset.upload_id)
    asset = site.world.runtime.database.assets.get(asset.id)
    assert asset is not None
    assert asset.original_key is not None, asset
    return b"".join(site.world.runtime.storage.read(asset.original_key))


class TestCore:
    def test_a_file_arrives_in_patches_of_any_size(self, site: Site, ann: Api) -> None:
        where, offset = place(begin(ann)), 0
        for size in (1, 4096, 0, 100, 5000, len(FILE)):
            part = FILE[offset : offset + size]
            answer = patch(ann, where, offset, part)
            offset += len(part)
            assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, str(offset))
            assert answer.headers["Tus-Resumable"] == "1.0.0"
            assert head(ann, where).headers["Upload-Offset"] == str(offset)
        assert original(site, answer) == FILE

    def test_head_tells_offset_and_length_and_is_not_cached(self, ann: Api) -> None:
        where = place(begin(ann))
        patch(ann, where, 0, FILE[:10])

        answer = head(ann, where)

        assert answer.status_code == 200
        told = {name: answer.headers[name] for name in ("Upload-Offset", "Upload-Length", "Cache-Control")}
        assert told == {"Upload-Offset": "10", "Upload-Length": str(len(FILE)), "Cache-Control": "no-store"}
        assert answer.headers["Tus-Resumable"] == "1.0.0"
        assert answer.data == b""

    def test_what_is_not_there_or_anothers_has_no_offset(self, ann: Api, bob: Api) -> None:
        where = place(begin(ann))
        for api, there in ((ann, "/tus/" + "0" * 32), (bob, where)):
            answer = head(api, there)
            assert answer.status_code == 404
            assert "Upload-Offset" not in answer.headers
            assert patch(api, there, 0, b"x").status_code == 404

    def test_nothing_more_may_be_sent_twice(self, ann: Api) -> None:
        where = place(begin(ann))
        assert patch(ann, where, 0, FILE).status_code == 204
        assert patch(ann, where, len(FILE), b"").status_code == 204
        assert patch(ann, where, len(FILE), b"x").status_code == 413

    def test_another_offset_is_a_conflict_and_changes_nothing(self, ann: Api) -> None:
        where = place(begin(ann))
        patch(ann, where, 0, FILE[:10])
        for offset in (0, 9, 11, 10_000_000):
            assert patch(ann, where, offset, b"x").status_code == 409
        assert head(ann, where).headers["Upload-Offset"] == "10"

    @pytest.mark.parametrize("kind", ["application/octet-stream", "", "text/plain"])
    def test_another_content_type_is_refused(self, ann: Api, kind: str) -> None:
        where = place(begin(ann))
        headers = {**TUS, "Upload-Offset": "0", "Content-Type": kind}
        assert ann.call("PATCH", where, headers=headers, data=b"x").status_code == 415

    @pytest.mark.parametrize("offset", ["", "-1", "1.5", "x", "0x10", "\uff11", "9" * 30])
    def test_an_offset_is_a_number_of_bytes(self, ann: Api, offset: str) -> None:
        where = place(begin(ann))
        assert ann.call("PATCH", where, headers={**BODY, "Upload-Offset": offset}, data=b"x").status_code == 400
        assert ann.call("PATCH", where, headers=BODY, data=b"x").status_code == 400

    def test_more_bytes_than_were_announced_are_refused(self, ann: Api) -> None:
        where = place(begin(ann, 10))
        assert patch(ann, where, 0, b"x" * 11).status_code == 413
        assert head(ann, where).headers["Upload-Offset"] == "0"

    def test_options_tell_what_is_offered_to_anybody(self, stranger: Api) -> None:
        for path in ("/tus", "/tus/" + "0" * 32):
            answer = stranger.call("OPTIONS", path)
            assert answer.status_code in (200, 204)
            assert answer.headers["Tus-Version"] == "1.0.0"
            assert answer.headers["Tus-Max-Size"] == "1000000"
            assert set(answer.headers["Tus-Extension"].split(",")) == EXTENSIONS
            assert answer.headers["Tus-Checksum-Algorithm"] == "sha1,sha256"

    @pytest.mark.parametrize("version", [None, "0.2.2", "1.0.1", ""])
    def test_another_version_is_not_processed(self, ann: Api, version: str | None) -> None:
        where = place(begin(ann))
        headers = {**BODY, "Upload-Offset": "0", "Tus-Resumable": version}
        for answer in (
            ann.call(
                "PATCH", where, headers={name: value for name, value in headers.items() if value is not None}, data=b"x"
            ),
            ann.call("HEAD", where, headers={} if version is None else {"Tus-Resumable": version}),
            ann.call(
                "POST", "/tus", headers={"Upload-Length": "1"} | ({} if version is None else {"Tus-Resumable": version})
            ),
        ):
            assert (answer.status_code, answer.headers["Tus-Version"]) == (412, "1.0.0")
        assert head(ann, where).headers["Upload-Offset"] == "0"

    def test_a_method_can_be_named_in_a_header(self, ann: Api) -> None:
        where = place(begin(ann, 10))
        headers = {**BODY, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
        answer = ann.call("POST", where, headers=headers, data=b"0123")
        assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, "4")
        assert (
            ann.call("POST", where, headers={**TUS, "X-HTTP-Method-Override": "HEAD"}).headers["Upload-Offset"] == "4"
        )
        assert ann.call("POST", where, headers={**TUS, "X-HTTP-Method-Override": "DELETE"}).status_code == 204
        assert ann.call("POST", where, headers={**TUS, "X-HTTP-Method-Override": "BREW"}).status_code == 405

    def test_who_is_nobody_may_not(self, stranger: Api, ann: Api) -> None:
        where = place(begin(ann))
        for answer in (begin(stranger), head(stranger, where), patch(stranger, where, 0, b"x")):
            assert (answer.status_code, answer.headers["Tus-Resumable"]) == (401, "1.0.0")


class TestCreation:
    def test_a_length_is_needed_or_said_to_come_later(self, ann: Api) -> None:
        assert ann.call("POST", "/tus", headers=TUS).status_code == 400
        assert ann.call("POST", "/tus", headers={**TUS, "Upload-Defer-Length": "2"}).status_code == 400
        both = {**TUS, "Upload-Defer-Length": "1", "Upload-Length": "3"}
        assert ann.call("POST", "/tus", headers=both).status_code == 400
        assert ann.call("POST", "/tus", headers={**TUS, "Upload-Length": "-3"}).status_code == 400

    def test_more_than_the_largest_size_is_refused(self, ann: Api) -> None:
        assert begin(ann, 1_000_001).status_code == 413

    def test_metadata_come_back_and_are_the_assets(self, site: Site, ann: Api) -> None:
        said = metadata(
            filename="holiday.mp4", filetype="video/mp4", title="Am Meer", tags="sea, sun", visibility="public"
        )
        created = begin(ann, said={"Upload-Metadata": said + ",unknown"})
        assert head(ann, place(created)).headers["Upload-Metadata"] == said + ",unknown"
        asset = site.world.runtime.database.assets.get(created.headers["Mediaflow-Asset-Id"])
        assert asset is not None
        assert (asset.filename, asset.title, asset.content_type) == ("holiday.mp4", "Am Meer", "video/mp4")
        assert (asset.tags, asset.visibility, asset.size_bytes) == (["sea", "sun"], "public", len(FILE))

    @pytest.mark.parametrize(
        "said", ["filename *", "a b c", "filename,filename", metadata(visibility="secret"), "ä YQ=="]
    )
    def test_metadata_that_are_none_are_refused(self, ann: Api, said: str) -> None:
        assert begin(ann, said={"Upload-Metadata": said}).status_code == 400

    def test_a_file_of_nothing_is_complete_at_once(self, ann: Api) -> None:
        created = begin(ann, 0)
        assert created.headers["Upload-Offset"] == "0"
        assert head(ann, place(created)).headers["Upload-Length"] == "0"

    def test_bytes_may_come_with_the_creation(self, site: Site, ann: Api) -> None:
        created = begin(ann, data=FILE[:5000])
        assert (created.status_code, created.headers["Upload-Offset"]) == (201, "5000")
        assert original(site, patch(ann, place(created), 5000, FILE[5000:])) == FILE
        assert begin(ann, data=FILE).headers["Upload-Offset"] == str(len(FILE))

    def test_the_length_may_come_later_and_then_stays(self, site: Site, ann: Api) -> None:
        where = place(begin(ann, None))
        assert patch(ann, where, 0, FILE[:5000]).status_code == 204
        assert (head(ann, where).headers["Upload-Defer-Length"], "Upload-Length" in head(ann, where).headers) == (
            "1",
            False,
        )
        assert patch(ann, where, 5000, b"", **{"Upload-Length": "4999"}).status_code == 422
        assert patch(ann, where, 5000, b"", **{"Upload-Length": str(len(FILE))}).status_code == 204
        told = head(ann, where).headers
        assert (told["Upload-Length"], "Upload-Defer-Length" in told) == (str(len(FILE)), False)
        assert patch(ann, where, 5000, b"", **{"Upload-Length": "20000"}).status_code == 422
        assert original(site, patch(ann, where, 5000, FILE[5000:])) == FILE


class TestChecksum:
    @pytest.mark.parametrize("name", ["sha1", "sha256"])
    def test_what_agrees_is_kept_and_what_does_not_leaves_nothing(self, site: Site, ann: Api, name: str) -> None:
        where = place(begin(ann))
        before = list(site.world.runtime.storage.list("pieces/"))
        answer = patch(ann, where, 0, FILE[:5000], **{"Upload-Checksum": checksum(FILE[:4999], name)})
        assert (answer.status_code, answer.headers["Tus-Resumable"]) == (460, "1.0.0")
        assert head(ann, where).headers["Upload-Offset"] == "0"
        assert list(site.world.runtime.storage.list("pieces/")) == before
        answer = patch(ann, where, 0, FILE[:5000], **{"Upload-Checksum": checksum(FILE[:5000], name)})
        assert answer.headers["Upload-Offset"] == "5000"
        last = FILE[5000:]
        assert original(site, patch(ann, where, 5000, last, **{"Upload-Checksum": checksum(last, name)})) == FILE

    @pytest.mark.parametrize("said", ["md5 AAAA", "sha1", "sha1 AAAA", "sha1 !", "", "sha256 " + "A" * 28])
    def test_another_algorithm_or_no_digest_is_refused(self, ann: Api, said: str) -> None:
        where = place(begin(ann))
        assert patch(ann, where, 0, b"x", **{"Upload-Checksum": said}).status_code == 400
        assert head(ann, where).headers["Upload-Offset"] == "0"


class TestEnds:
    def test_when_it_expires_is_told_until_it_is_complete(self, site: Site, ann: Api) -> None:
        created = begin(ann, 10)
        where = place(created)
        at = parsedate_to_datetime(created.headers["Upload-Expires"]).timestamp()
        assert at - site.world.runtime.database.now() == pytest.approx(86400, abs=5)
        assert patch(ann, where, 0, b"01234").headers["Upload-Expires"] == created.headers["Upload-Expires"]

    def test_what_is_terminated_is_gone(self, site: Site, ann: Api) -> None:
        created = begin(ann)
        where = place(created)
        patch(ann, where, 0, FILE[:5000])
        answer = ann.call("DELETE", where, headers=TUS)
        assert (answer.status_code, answer.headers["Tus-Resumable"]) == (204, "1.0.0")
        assert head(ann, where).status_code == 404
        assert patch(ann, where, 5000, b"x").status_code == 404
        assert ann.call("DELETE", where, headers=TUS).status_code == 404
        database, storage = site.world.runtime.database, site.world.runtime.storage
        assert database.assets.get(created.headers["Mediaflow-Asset-Id"]) is None
        assert [*storage.list("pieces/"), *storage.list("uploads/")] == []

    def test_an_asset_stays_when_its_upload_is_terminated_after_all(self, site: Site, ann: Api) -> None:
        created = begin(ann, data=FILE)
        assert ann.call("DELETE", place(created), headers=TUS).status_code == 204
        assert original(site, created) == FILE


class TestConcatenation:
    def partial(self, api: Api, data: bytes) -> str:
        where = place(begin(api, len(data), said={"Upload-Concat": "partial"}))
        assert patch(api, where, 0, data).status_code == 204
        return where

    def final(self, api: Api, *parts: str, **headers: str) -> TestResponse:
        said = {"Upload-Concat": "final;" + " ".join(f"/api/v1{part}" for part in parts), **headers}
        return api.call("POST", "/tus", headers={**TUS, "Upload-Metadata": metadata(filename="all.mp4"), **said})

    def test_partial_ones_become_one_file_in_the_order_that_was_said(self, site: Site, ann: Api) -> None:
        parts = [self.partial(ann, data) for data in (FILE[6000:], FILE[:3000], FILE[3000:6000])]
        assert head(ann, parts[0]).headers["Upload-Concat"] == "partial"
        assert "Mediaflow-Asset-Id" not in head(ann, parts[0]).headers

        created = self.final(ann, parts[1], f"{parts[2]}", parts[0])

        assert created.status_code == 201
        told = head(ann, place(created)).headers
        assert (told["Upload-Length"], told["Upload-Offset"]) == (str(len(FILE)), str(len(FILE)))
        assert told["Upload-Concat"] == f"final;/api/v1{parts[1]} /api/v1{parts[2]} /api/v1{parts[0]}"
        assert original(site, created) == FILE

    def test_partial_ones_end_without_harm_to_the_file(self, site: Site, ann: Api) -> None:
        parts = [self.partial(ann, data) for data in (FILE[:3000], FILE[3000:])]
        created = self.final(ann, *parts)
        for part in parts:
            assert ann.call("DELETE", part, headers=TUS).status_code == 204
        assert original(site, created) == FILE
        assert list(site.world.runtime.storage.list("pieces/")) == []

    def test_a_final_one_takes_no_bytes_and_no_length(self, ann: Api) -> None:
        created = self.final(ann, self.partial(ann, FILE))
        assert patch(ann, place(created), len(FILE), b"x").status_code == 403
        assert self.final(ann, self.partial(ann, FILE), **{"Upload-Length": "5"}).status_code == 400

    def test_others_and_unfinished_ones_are_no_parts(self, ann: Api, bob: Api) -> None:
        part, open_one = self.partial(ann, FILE), place(begin(ann, 5, said={"Upload-Concat": "partial"}))
        assert self.final(bob, part).status_code == 404
        assert self.final(ann, part, open_one).status_code == 422
        assert self.final(ann, place(begin(ann))).status_code == 422
        assert self.final(ann).status_code == 400
        assert ann.call("POST", "/tus", headers={**TUS, "Upload-Concat": "whole"}).status_code == 400
        assert self.final(ann, "/elsewhere").status_code == 400


def test_what_clients_say_of_a_file_is_judged_when_all_of_it_is_here(site: Site, ann: Api) -> None:
    created = begin(ann, data=FILE, said={"Upload-Metadata": metadata(filename="page.html")})
    assert (created.status_code, created.headers["Upload-Offset"]) == (201, str(len(FILE)))
    asset = site.world.runtime.database.assets.get(created.headers["Mediaflow-Asset-Id"])
    assert asset is not None
    assert asset.state == "failed"
    assert asset.error is not None
    assert "'page.html' is a web page" in asset.error["detail"]


def test_files_of_many_chunks_arrive_whatever_lies_in_a_request(site: Site, ann: Api) -> None:
    limits: Any = site.world.runtime.settings
    data = (b"%06d|" * 140_000) % tuple(range(140_000))
    assert len(data) // 2 < CHUNK_BYTES
    assert len(data) < limits.max_upload_bytes
    where, offset = place(begin(ann, len(data))), 0
    for size in (4095, 1, 4097, 3, 400_000, 12_288, len(data)):
        answer = patch(ann, where, offset, data[offset : offset + size])
        offset = int(answer.headers["Upload-Offset"])
    assert original(site, answer) == data
    assert list(site.world.runtime.storage.list("pieces/")) == []


class TestKnownBytes:
    """Of a file whose SHA-256 is declared, and which its owner has here already."""

    KNOWN = metadata(filename="again.mp4", sha256=hashlib.sha256(FILE).hexdigest())

    def test_none_needs_to_be_sent(self, site: Site, ann: Api) -> None:
        where = place(begin(ann))
        original(site, patch(ann, where, 0, FILE))

        created = begin(ann, said={"Upload-Metadata": self.KNOWN})

        assert created.headers["Upload-Offset"] == str(len(FILE))
        where = place(created)
        assert head(ann, where).headers["Upload-Offset"] == str(len(FILE))
        assert patch(ann, where, 0, FILE).status_code == 409
        assert patch(ann, where, len(FILE), b"").status_code == 204
        assert original(site, created) == FILE

    def test_nor_with_the_creation_nor_when_the_length_comes_later(self, site: Site, ann: Api) -> None:
        original(site, patch(ann, place(begin(ann)), 0, FILE))
        said = {"Upload-Metadata": self.KNOWN}
        at_once = begin(ann, data=FILE[:100], said=said)
        assert (at_once.status_code, at_once.headers["Upload-Offset"]) == (201, str(len(FILE)))
        assert original(site, at_once) == FILE

        later = begin(ann, length=None, said=said)
        where = place(later)
        assert patch(ann, where, 0, FILE[:100]).status_code == 204
        told = patch(ann, where, 100, FILE[100:200], **{"Upload-Length": str(len(FILE))})
        assert (told.status_code, told.headers["Upload-Offset"]) == (204, str(len(FILE)))
        assert original(site, told) == FILE
        assert list(site.world.runtime.storage.list("pieces/")) == []
