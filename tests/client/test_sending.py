"""Uploading: every byte once, in parallel, with its digest; nothing left behind when it fails."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import signal
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mediaflow.client.api_client import ApiClient, ApiError
from mediaflow.client.sending import Wishes, send_file, wait_for_asset
from tests.client.server import Answer, Asked, serving

CHUNK = 1000


@dataclass
class Uploads:
    """The upload part of the API over a dictionary. `fail` answers instead, when it answers at all."""

    chunks: dict[int, bytes] = field(default_factory=dict)
    announced: dict[str, Any] = field(default_factory=dict)
    completed: bool = False
    aborted: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, asked: Asked) -> Answer:
        with self.lock:
            if match := re.search(r"/chunks/(\d+)$", asked.path):
                digest = base64.b64encode(hashlib.sha256(asked.body).digest()).decode()
                if asked.headers["content-digest"] != f"sha-256=:{digest}:":
                    return Answer(422, {"detail": "wrong digest"})
                self.chunks[int(match[1])] = asked.body
                return Answer(200, {"index": int(match[1])})
            if asked.method == "DELETE":
                self.aborted = True
                return Answer(204)
            if asked.path.endswith("/complete"):
                self.completed = True
                return Answer(202, {})
            self.announced = asked.json
            count = -(-asked.json["size_bytes"] // CHUNK)
            facts = {"upload_id": "u1", "asset_id": "a1", "chunk_size_bytes": CHUNK, "chunk_count": count}
            return Answer(201, facts | {"deduplicated": False})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "Täst 'a'.mp4"
    path.write_bytes(bytes(range(256)) * 20 + b"end")
    return path


def test_all_bytes_arrive_in_chunks_with_their_digests(file: Path) -> None:
    uploads, moved = Uploads(), list[int]()
    with serving(uploads.answer) as server, ApiClient(server.url, "secret") as client:
        asset_id = send_file(client, file, Wishes(profile="mobile", title="A title"), moved.append)

    assert asset_id == "a1"
    assert b"".join(uploads.chunks[index] for index in sorted(uploads.chunks)) == file.read_bytes()
    assert uploads.completed
    assert sum(moved) == file.stat().st_size
    assert uploads.announced == {
        "filename": "Täst 'a'.mp4",
        "size_bytes": file.stat().st_size,
        "profile": "mobile",
        "metadata": {"title": "A title"},
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
    }


def test_a_chunk_that_is_sent_again_counts_once(file: Path) -> None:
    uploads, moved, failed = Uploads(), list[int](), set[str]()

    def once_unavailable(asked: Asked) -> Answer:
        if "/chunks/" in asked.path and asked.path not in failed:
            failed.add(asked.path)
            return Answer(503, {"detail": "busy"}, {"Retry-After": "0"})
        return uploads.answer(asked)

    with serving(once_unavailable) as server, ApiClient(server.url, "secret") as client:
        send_file(client, file, Wishes(), moved.append)

    assert b"".join(uploads.chunks[index] for index in sorted(uploads.chunks)) == file.read_bytes()
    assert sum(moved) == file.stat().st_size


def test_a_refused_chunk_ends_the_upload_and_nothing_is_left_on_the_server(file: Path) -> None:
    uploads = Uploads()

    def refuse(asked: Asked) -> Answer:
        if asked.path.endswith("/chunks/2"):
            return Answer(507, {"detail": "The disk is full.", "code": "storage.full"})
        return uploads.answer(asked)

    with (
        serving(refuse) as server,
        ApiClient(server.url, "secret") as client,
        pytest.raises(ApiError, match="The disk is full"),
    ):
        send_file(client, file, Wishes(), lambda _: None)

    assert uploads.aborted
    assert not uploads.completed


def test_an_interrupt_ends_the_upload_and_nothing_is_left_on_the_server(file: Path) -> None:
    uploads = Uploads()

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with serving(uploads.answer) as server, ApiClient(server.url, "secret") as client, pytest.raises(KeyboardInterrupt):
        send_file(client, file, Wishes(), interrupt)

    assert uploads.aborted


def test_an_interrupt_while_room_is_made_leaves_nothing_on_the_server_either(file: Path) -> None:
    uploads, keys = Uploads(), list[str]()

    def announce_slowly(asked: Asked) -> Answer:
        if asked.method == "POST":
            keys.append(asked.headers["idempotency-key"])
            if len(keys) == 1:  # the room is made, and the answer is on its way
                uploads.answer(asked)
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.5)
                return Answer(409, {"detail": "It is being done.", "code": "request.idempotency_running"})
            if len(keys) == 2:
                return Answer(409, {"detail": "It is being done.", "code": "request.idempotency_running"})
        return uploads.answer(asked)

    with (
        serving(announce_slowly) as server,
        ApiClient(server.url, "secret") as client,
        pytest.raises(KeyboardInterrupt),
    ):
        send_file(client, file, Wishes(), lambda _: None)

    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert uploads.aborted
    assert not uploads.chunks


def test_a_file_that_the_server_has_already_is_not_sent(file: Path) -> None:
    moved: list[int] = []
    known = Answer(200, {"asset_id": "a7", "deduplicated": True})
    with serving(lambda _: known) as server, ApiClient(server.url, "secret") as client:
        assert send_file(client, file, Wishes(reuse=True), moved.append) == "a7"

    (announced,) = server.asked
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert (announced.json["dedup"], announced.json["sha256"]) == ("reuse", digest)
    assert sum(moved) == file.stat().st_size


@pytest.mark.parametrize("name", ["missing.mp4", "."])
def test_what_is_no_file_is_named(tmp_path: Path, name: str) -> None:
    with ApiClient("http://127.0.0.1:1", "secret") as client, pytest.raises(ApiError, match="is no file"):
        send_file(client, tmp_path / name, Wishes(), lambda _: None)


def test_waiting_ends_with_the_asset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mediaflow.client.sending.POLL_SECONDS", 0.01)
    states = iter([("created", 0.0), ("processing", 0.4), ("ready", 1.0)])
    shown: list[float] = []

    def answer(_: Asked) -> Answer:
        state, progress = next(states)
        return Answer(200, {"id": "a1", "state": state, "progress": progress})

    with serving(answer) as server, ApiClient(server.url, "secret") as client:
        asset = wait_for_asset(client, "a1", shown.append)

    assert asset["state"] == "ready"
    assert shown == [0.0, 0.4, 1.0]
