"""A storm of uploads over two web processes: chunks in any order, again, at once, cut off, damaged on their way."""

from __future__ import annotations

import base64
import hashlib
import http.client
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.integration.service import Service, running_service

UPLOADS, CHUNKS, AT_ONCE = int(os.environ.get("STORM_UPLOADS", "200")), 64, 16
CHUNK_BYTES = 8192
SECONDS = 20.0
"""So long one request may take, and the whole of one upload thirty times that."""


@pytest.fixture(scope="module")
def storm_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    environment = {"MEDIAFLOW_WEB_PROCESSES": "2", "MEDIAFLOW_RATE_LIMIT_PER_MINUTE": "10000000"}
    with running_service(tmp_path_factory.mktemp("storm") / "data", **environment) as found:
        found.call("POST", "/queue/pause", json={"reason": "a storm"})
        yield found


class Sender:
    """One client, whose line and whose hands are bad."""

    def __init__(self, service: Service, seed: int, told: Counter[str]) -> None:
        self.service, self.random, self.told = service, random.Random(seed), told
        self.data = self.random.randbytes(CHUNKS * CHUNK_BYTES - self.random.randrange(CHUNK_BYTES))
        self.upload: dict[str, Any] = {}

    def send(self) -> tuple[str, str]:
        """The asset, and the digest that it has to have."""
        fields = {"filename": "storm.bin", "size_bytes": len(self.data), "chunk_size_bytes": CHUNK_BYTES}
        answer = self.service.call("POST", "/uploads", json=fields)
        assert answer.status_code == 201, answer.text
        self.upload = answer.json()
        assert self.upload["chunk_count"] == CHUNKS
        orders = list(range(CHUNKS)) + self.random.choices(range(CHUNKS), k=CHUNKS // 4)
        self.random.shuffle(orders)
        for index in orders:
            self._try(index)
        until = time.monotonic() + 30 * SECONDS
        while missing := self._status()["missing"]:
            assert time.monotonic() < until, missing
            for first, last in missing:
                for index in range(first, last + 1):
                    self._try(index)
        return str(self.upload["asset_id"]), hashlib.sha256(self.data).hexdigest()

    def _status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.service.call("GET", f"/uploads/{self.upload['upload_id']}").json()
        return found

    def _try(self, index: int) -> None:
        body = self.data[index * CHUNK_BYTES : (index + 1) * CHUNK_BYTES]
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        match self.random.randrange(12):
            case 0:
                self._cut(index, body, digest)
            case 1:
                at = self.random.randrange(len(body))
                damaged = body[:at] + bytes([body[at] ^ 1 << self.random.randrange(8)]) + body[at + 1 :]
                status = self._put(index, damaged, digest)
                # who holds the chunk just now is asked to come again; whatever it is, it is not taken
                assert status in (409, 422, 429, 503), status
                self.told["flips"] += 1
            case 2:
                with ThreadPoolExecutor(2) as pool:
                    statuses = {pool.submit(self._put, index, body, digest) for _ in range(2)}
                    assert {each.result() for each in statuses} <= {200, 409, 429, 503}
                self.told["twins"] += 1
            case _:
                assert self._put(index, body, digest) in (200, 409, 429, 503)

    def _put(self, index: int, body: bytes, digest: str) -> int:
        address = urlsplit(self.service.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=SECONDS)
        try:
            connection.request("PUT", self._path(index), body, self._headers(digest))
            return connection.getresponse().status
        finally:
            connection.close()

    def _cut(self, index: int, body: bytes, digest: str) -> None:
        address = urlsplit(self.service.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=SECONDS)
        with suppress(OSError):
            connection.putrequest("PUT", self._path(index))
            for name, value in {**self._headers(digest), "Content-Length": str(len(body))}.items():
                connection.putheader(name, value)
            connection.endheaders()
            connection.send(body[: self.random.randrange(len(body))])
        connection.close()
        self.told["cuts"] += 1

    def _path(self, index: int) -> str:
        return f"/api/v1/uploads/{self.upload['upload_id']}/chunks/{index}"

    def _headers(self, digest: str) -> dict[str, str]:
        return {**self.service.headers, "Content-Digest": f"sha-256=:{digest}:"}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_nothing_is_lost_or_damaged_or_made_twice(storm_service: Service) -> None:
    service, told = storm_service, Counter[str]()
    before = service.call("GET", "/assets?page_size=1").json()["total"]
    began = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        sent = dict(pool.map(lambda seed: Sender(service, seed, told).send(), range(UPLOADS)))
    seconds = time.monotonic() - began
    assert len(sent) == UPLOADS
    until = time.monotonic() + 300
    for asset_id, sha256 in sent.items():
        while (asset := service.asset(asset_id))["sha256"] is None:
            assert time.monotonic() < until, asset
            time.sleep(0.1)
        assert asset["sha256"] == sha256
        kept = service.call("GET", f"/assets/{asset_id}/original").content
        assert hashlib.sha256(kept).hexdigest() == sha256
    assert service.call("GET", "/assets?page_size=1").json()["total"] == before + UPLOADS
    check = [sys.executable, "-m", "mediaflow", "fsck", "--deep", "--data-dir", str(service.data_dir)]
    assert subprocess.run(check, check=False, timeout=300).returncode == 0
    assert min(told[name] for name in ("flips", "cuts", "twins")) > UPLOADS
    print(f"\n{UPLOADS} uploads of {CHUNKS} chunks in {seconds:.0f} s: {dict(told)}")


@pytest.mark.slow
def test_completing_a_hundred_times_at_once_makes_one_asset(storm_service: Service, tmp_path: Path) -> None:
    (path := tmp_path / "file.bin").write_bytes(os.urandom(100_000))
    service = storm_service
    upload = service.upload(path, auto_complete=False).json()
    before = service.call("GET", "/assets?page_size=1").json()["total"]
    with ThreadPoolExecutor(50) as pool:
        url = f"/uploads/{upload['upload_id']}/complete"
        answers = list(pool.map(lambda _: service.call("POST", url), range(100)))
    assert {answer.status_code for answer in answers} == {202}
    assert {answer.json()["asset_id"] for answer in answers} == {upload["asset_id"]}
    assert service.call("GET", "/assets?page_size=1").json()["total"] == before
