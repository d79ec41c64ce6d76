"""Sends a file through the public API, chunks in parallel, and waits for what becomes of it."""

from __future__ import annotations

import base64
import hashlib
import os
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any, Final

from mediaflow.client.api_client import ApiClient, ApiError

PARALLEL_CHUNKS: Final = 3
"""Enough to fill a line while the server stores and answers; each holds one chunk in memory."""
HASHED_BYTES: Final = 1024 * 1024 * 1024
"""A file of at most so many is hashed first, in a second or so: what is on the server already need not be sent."""
PIECE_BYTES: Final = 256 * 1024
POLL_SECONDS: Final = 0.5
ASSET_ENDED: Final = ("ready", "failed", "rejected")
OnBytes = Callable[[int], None]
OnProgress = Callable[[float], None]
OnPlayable = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the sender asks for; None leaves it to the server. `reuse`: an asset of the same bytes will do."""

    profile: str | None = None
    title: str | None = None
    reuse: bool = False


def send_file(client: ApiClient, path: Path, wishes: Wishes, on_bytes: OnBytes) -> str:
    """Upload a file and return its asset's id. `on_bytes` hears how many more bytes are through (negative: once more).

    When anything stops it, Ctrl-C too, the upload is aborted, so that the server keeps nothing. Raises ApiError.
    """
    with _open(path) as file:
        size = os.fstat(file.fileno()).st_size
        body = _announcement(path, size, wishes)
        if wishes.reuse or 0 < size <= HASHED_BYTES:
            body["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
        if wishes.reuse:
            body["dedup"] = "reuse"
        upload = _announced(client, body)
        if upload.get("deduplicated"):
            on_bytes(size)
            return str(upload["asset_id"])
        try:
            _send_chunks(client, file, upload, size, on_bytes)
            client.call("POST", f"/uploads/{upload['upload_id']}/complete")
        except BaseException:
            _abort(client, upload["upload_id"])
            raise
    return str(upload["asset_id"])


def wait_for_asset(
    client: ApiClient, asset_id: str, on_progress: OnProgress, on_playable: OnPlayable = lambda _asset: None
) -> dict[str, Any]:
    """The asset when it is ready, failed or rejected; `on_progress` hears 0.0-1.0 until then, `on_playable` once when
    it can be watched while the rest of it is made.
    """
    told = False
    while True:
        asset: dict[str, Any] = client.call("GET", f"/assets/{asset_id}")
        on_progress(float(asset.get("progress") or 0.0))
        if asset["state"] in ASSET_ENDED:
            return asset
        if asset.get("playable") and not told:
            told = True
            on_playable(asset)
        client.pause(POLL_SECONDS)


def _open(path: Path) -> BufferedReader:
    try:
        if not path.is_file():
            raise ApiError(f"{path} is no file")
        return path.open("rb")
    except OSError as error:
        raise ApiError(f"{path} can't be read ({error.strerror})") from error


def _announcement(path: Path, size: int, wishes: Wishes) -> dict[str, Any]:
    # a name that is not UTF-8 arrives as surrogates, which JSON's encoding can't carry
    name = path.name.encode("utf-8", "replace").decode()
    body: dict[str, Any] = {"filename": name, "size_bytes": size}
    if wishes.profile:
        body["profile"] = wishes.profile
    if wishes.title:
        body["metadata"] = {"title": wishes.title}
    return body


def _announced(client: ApiClient, body: dict[str, Any]) -> dict[str, Any]:
    """The upload that the server made room for: once, however often it is asked."""
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    try:
        upload: dict[str, Any] = client.call("POST", "/uploads", json=body, headers=headers)
    except KeyboardInterrupt:
        # the room may be made by now: asked again, the server tells which upload that is
        with suppress(ApiError):
            upload = client.call("POST", "/uploads", json=body, headers=headers)
            if not upload.get("deduplicated"):
                _abort(client, upload["upload_id"])
        raise
    return upload


def _send_chunks(client: ApiClient, file: BufferedReader, upload: dict[str, Any], size: int, on_bytes: OnBytes) -> None:
    chunk_bytes = int(upload["chunk_size_bytes"])

    def send(index: int) -> None:
        offset = index * chunk_bytes
        data = os.pread(file.fileno(), min(chunk_bytes, size - offset), offset)
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        body: _Body | None = None

        def make_body() -> _Body:
            nonlocal body
            if body is not None:
                body.take_back()
            body = _Body(data, on_bytes, lambda: client.stopped)
            return body

        client.call(
            "PUT",
            f"/uploads/{upload['upload_id']}/chunks/{index}",
            body=make_body,
            headers={"Content-Type": "application/octet-stream", "Content-Digest": f"sha-256=:{digest}:"},
        )

    with ThreadPoolExecutor(PARALLEL_CHUNKS, thread_name_prefix="chunk") as pool:
        try:
            for done in as_completed([pool.submit(send, index) for index in range(int(upload["chunk_count"]))]):
                done.result()
        except BaseException:
            client.stop()  # or leaving the pool would wait until whole chunks are through
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _abort(client: ApiClient, upload_id: str) -> None:
    """Politely, and once: a server that can't be reached now lets the upload expire."""
    client.stop()
    try:
        client.call("DELETE", f"/uploads/{upload_id}")
    except ApiError:
        return


class _Body:
    """A request body that tells how far it got. requests streams what has `__iter__`, with `__len__` as its length."""

    def __init__(self, data: bytes, on_bytes: OnBytes, stopped: Callable[[], bool]) -> None:
        self._data, self._sent, self._on_bytes, self._stopped = data, 0, on_bytes, stopped

    def __len__(self) -> int:
        return len(self._data)

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.read():
            yield piece

    def read(self, _size: int = -1) -> bytes:
        """The next piece; larger than http.client asks for, whose 16 KiB cost time."""
        if self._stopped():
            raise ApiError("the upload was stopped")
        piece = self._data[self._sent : self._sent + PIECE_BYTES]
        self._sent += len(piece)
        self._on_bytes(len(piece))
        return piece

    def take_back(self) -> None:
        """Say that what was sent will be sent again."""
        self._on_bytes(-self._sent)
