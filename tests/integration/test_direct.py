"""Files that clients send to the storage themselves, by URLs that it signs."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from minio import Minio

from mediaflow.testing.clips import make_clip
from tests.contracts.s3server import ACCESS_KEY, SECRET_KEY, S3Server, running_s3_server
from tests.integration.service import Service, running_service

MIB = 1 << 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with running_s3_server(tmp_path_factory.mktemp("s3")) as found:
        yield found


@pytest.fixture(scope="module")
def service_with(server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    environment = server.environment("direct") | {"MEDIAFLOW_UPLOAD_EXPIRY_SECONDS": "60"}
    with running_service(tmp_path_factory.mktemp("service") / "data", **environment) as found:
        yield found


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A film in three parts: with a box behind it that means nothing."""
    clip = make_clip(tmp_path_factory.mktemp("film") / "film.mp4", seconds=2).read_bytes()
    return clip + (11 * MIB).to_bytes(4) + b"free" + bytes(11 * MIB - 8)


def announced(service: Service, film: bytes, **more: Any) -> dict[str, Any]:
    body = {"filename": "film.mp4", "size_bytes": len(film), "chunk_size_bytes": 5 * MIB, "mode": "direct", **more}
    answer = service.call("POST", "/uploads", json=body)
    assert answer.status_code == 201, answer.text
    upload: dict[str, Any] = answer.json()
    assert upload["chunk_count"] == 3
    return upload


def parts(service: Service, upload: dict[str, Any], **query: int) -> list[dict[str, Any]]:
    answer = requests.get(upload["links"]["parts"], params=query, headers=service.headers, timeout=20)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def put(upload: dict[str, Any], part: dict[str, Any], film: bytes) -> None:
    begin = part["index"] * upload["chunk_size_bytes"]
    assert requests.put(part["url"], data=film[begin : begin + part["size_bytes"]], timeout=30).status_code == 200


def complete(service: Service, upload: dict[str, Any]) -> requests.Response:
    return service.call("POST", f"/uploads/{upload['upload_id']}/complete")


def test_a_film_goes_to_the_storage_and_plays(service_with: Service, film: bytes) -> None:
    service = service_with
    upload = announced(service, film, sha256=hashlib.sha256(film).hexdigest())
    assert [part["index"] for part in parts(service, upload, first=1, count=1)] == [1]
    signed = parts(service, upload)
    assert [(part["size_bytes"], part["received"]) for part in signed] == [
        (5 * MIB, False),
        (5 * MIB, False),
        (len(film) - 10 * MIB, False),
    ]
    put(upload, signed[2], film)
    put(upload, signed[0], film)
    # one of another length does not count
    assert requests.put(signed[1]["url"], data=b"short", timeout=30).status_code == 200
    assert [part["received"] for part in parts(service, upload)] == [True, False, True]
    assert service.call("GET", f"/uploads/{upload['upload_id']}").json()["missing"] == [[1, 1]]
    early = complete(service, upload)
    assert (early.status_code, early.json()["missing"]) == (409, [[1, 1]])
    put(upload, signed[1], film)

    assert complete(service, upload).status_code == 202

    asset = service.settled(upload["asset_id"], timeout_seconds=120)
    assert (asset["state"], asset["sha256"]) == ("ready", hashlib.sha256(film).hexdigest())
    assert service.call("GET", f"/assets/{asset['id']}/original").content == film
    assert complete(service, upload).status_code == 202
    assert requests.get(upload["links"]["parts"], headers=service.headers, timeout=20).status_code == 409


def test_what_is_not_what_was_declared_becomes_no_asset(service_with: Service, film: bytes) -> None:
    upload = announced(service_with, film, sha256="0" * 64)
    for part in parts(service_with, upload):
        put(upload, part, film)
    assert complete(service_with, upload).status_code == 202
    asset = service_with.settled(upload["asset_id"])
    assert (asset["state"], asset["error"]["code"]) == ("failed", "upload.checksum_mismatch")


def test_an_abandoned_one_leaves_nothing(server: S3Server, service_with: Service, film: bytes) -> None:
    client = Minio(server.endpoint, access_key=ACCESS_KEY, secret_key=SECRET_KEY, secure=False)
    left, ended = announced(service_with, film), announced(service_with, film)
    for upload in (left, ended):
        signed = parts(service_with, upload)
        put(upload, signed[0], film)
    assert service_with.call("DELETE", f"/uploads/{ended['upload_id']}").status_code == 204
    assert requests.put(signed[1]["url"], data=film[: 5 * MIB], timeout=30).status_code == 404
    deadline = time.monotonic() + 100
    while client._list_multipart_uploads("direct").uploads:
        assert time.monotonic() < deadline
        time.sleep(1)
    assert service_with.call("GET", f"/uploads/{left['upload_id']}").json()["state"] == "expired"


def test_without_such_a_storage_it_is_not_offered(service: Service) -> None:
    body = {"filename": "film.mp4", "size_bytes": 10, "mode": "direct"}
    answer = service.call("POST", "/uploads", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "upload.mode")
    chunked = service.call("POST", "/uploads", json={"filename": "film.mp4", "size_bytes": 10}).json()
    assert chunked["links"]["parts"] is None
    assert service.call("GET", f"/uploads/{chunked['upload_id']}/parts").status_code == 409
