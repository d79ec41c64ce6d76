"""What a service answers while something that it depends on is away, slow or full, and whether it comes back."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin

import requests

from tests.chaos.shapes import Shape

BOUND_SECONDS: Final = 15.0
"""An answer that something is away comes within this time: the service's own bound is 10 s, on a busy machine more."""
CHUNK_SECONDS: Final = 40.0
"""A chunk waits 20 s for what stores it, and 10 s for what tells how it is."""
LIVE_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Told:
    """An answer: 0 is none, because the connection ended or too long passed."""

    name: str
    status: int
    seconds: float
    retry_after: bool
    text: str = ""

    @property
    def fault(self) -> str | None:
        """What may not be, as a sentence; None when all is well."""
        if self.status in (0, 500):
            return f"{self.name}: {self.status} after {self.seconds:.1f} s: {self.text}"
        if self.status in (503, 429) and not self.retry_after:
            return f"{self.name}: {self.status} without Retry-After"
        return None


@dataclass
class Asker:
    """Asks everything that clients ask, all at once."""

    shape: Shape
    played: str
    """The URL of a segment that was there before."""
    asset_id: str
    upload_id: str = ""
    patience_seconds: float = 60.0

    def requests(self) -> Mapping[str, tuple[str, str, dict[str, Any]]]:
        announced = {"json": {"filename": "a.mp4", "size_bytes": 10}}
        return {
            "livez": ("GET", "/livez", {}),
            "readyz": ("GET", "/readyz", {}),
            "list": ("GET", "/api/v1/assets", {}),
            "asset": ("GET", f"/api/v1/assets/{self.asset_id}", {}),
            "announce": ("POST", "/api/v1/uploads", announced),
            "announce, keyed": ("POST", "/api/v1/uploads", announced | {"headers": {"Idempotency-Key": _once()}}),
            "chunk": ("PUT", f"/api/v1/uploads/{self.upload_id}/chunks/0", {"data": b"0123456789"}),
            "edit": ("PATCH", f"/api/v1/assets/{self.asset_id}", {"json": {"title": "another"}}),
            "playback": ("POST", f"/api/v1/assets/{self.asset_id}/playback", {}),
            "segment": ("GET", self.played.removeprefix(self.shape.url), {}),
            "jobs": ("GET", f"/api/v1/jobs?asset_id={self.asset_id}", {}),
            "profiles": ("GET", "/api/v1/profiles", {}),
            "health": ("GET", "/api/v1/health", {}),
            "page": ("GET", "/", {}),
        }

    def announce(self) -> None:
        """Have an upload whose one chunk has not come."""
        document = {"filename": "a.mp4", "size_bytes": 10, "auto_complete": False}
        headers = {"Authorization": f"Bearer {self.shape.token}"}
        answer = requests.post(f"{self.shape.url}/api/v1/uploads", json=document, headers=headers, timeout=20)
        assert answer.status_code == 201, answer.text
        self.upload_id = answer.json()["upload_id"]

    def ask(self, times: int = 1) -> list[Told]:
        """Everything, all at the same time."""
        every = [(name, *request) for _ in range(times) for name, request in self.requests().items()]
        with ThreadPoolExecutor(len(every)) as pool:
            return list(pool.map(lambda request: self._ask(*request), every))

    def _ask(self, name: str, method: str, path: str, options: dict[str, Any]) -> Told:
        headers = {"Authorization": f"Bearer {self.shape.token}"} | options.get("headers", {})
        began = time.monotonic()
        try:
            answer = requests.request(
                method, self.shape.url + path, timeout=self.patience_seconds, **(options | {"headers": headers})
            )
        except requests.RequestException as error:
            return Told(name, 0, time.monotonic() - began, False, type(error).__name__)
        return Told(
            name, answer.status_code, time.monotonic() - began, "Retry-After" in answer.headers, answer.text[:200]
        )


def _once() -> str:
    return secrets.token_hex(8)


def segment_of(shape: Shape, asset_id: str) -> str:
    """The URL of the first segment of an asset."""
    headers = {"Authorization": f"Bearer {shape.token}"}
    played = requests.post(f"{shape.url}/api/v1/assets/{asset_id}/playback", headers=headers, timeout=20)
    url: str = played.json()["hls_url"]
    for _ in range(2):  # of the multivariant playlist, then of the media playlist
        text = requests.get(url, timeout=20).text
        url = urljoin(url, next(line for line in text.splitlines() if line and not line.startswith("#")))
    return url


def threads_of(shape: Shape) -> dict[int, int]:
    """Threads of web and worker processes, by pid."""
    found = shape.roles()
    pids = [pid for role in ("web", "worker") for pid in found.get(role, [])]
    return {pid: len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in pids}


def files_of(shape: Shape) -> dict[int, int]:
    """Open files and connections of web and worker processes, by pid."""
    found = shape.roles()
    pids = [pid for role in ("web", "worker") for pid in found.get(role, [])]
    return {pid: len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids}
