"""Starts and talks to a real service; shared by the integration tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests


@dataclass
class Service:
    """A running service as `up --json` describes it."""

    url: str
    token: str
    login_url: str
    metrics_url: str
    data_dir: Path
    pid: int

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """One request to the API; nothing is raised for a status."""
        headers = self.headers | options.pop("headers", {})
        return requests.request(method, f"{self.url}/api/v1{path}", headers=headers, timeout=60, **options)

    def upload(self, path: Path, name: str | None = None, **fields: Any) -> requests.Response:
        """Announce and send a file as a client does; the answer to the announcement, or the first that was not 2xx."""
        document = {"filename": name or path.name, "size_bytes": path.stat().st_size} | fields
        answer = self.call("POST", "/uploads", json=document)
        if answer.status_code != 201:
            return answer
        upload = answer.json()
        with path.open("rb") as file:
            for index in range(upload["chunk_count"]):
                block = file.read(upload["chunk_size_bytes"])
                sent = self.call("PUT", f"/uploads/{upload['upload_id']}/chunks/{index}", data=block)
                if sent.status_code != 200:
                    return sent
        return answer

    def asset(self, asset_id: str) -> dict[str, Any]:
        answer = self.call("GET", f"/assets/{asset_id}")
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def playable(self, asset_id: str, timeout_seconds: float = 100) -> dict[str, Any]:
        """The asset as soon as it can be watched, which it will be."""
        deadline = time.monotonic() + timeout_seconds
        while not (asset := self.asset(asset_id))["playable"]:
            assert asset["state"] not in ("failed", "rejected"), asset["error"]
            assert time.monotonic() < deadline, f"not playable after {timeout_seconds} s: {asset}"
            time.sleep(0.05)
        return asset

    def settled(self, asset_id: str, timeout_seconds: float = 100) -> dict[str, Any]:
        """The asset once it is ready, failed or rejected."""
        deadline = time.monotonic() + timeout_seconds
        while (asset := self.asset(asset_id))["state"] not in ("ready", "failed", "rejected"):
            assert time.monotonic() < deadline, f"still {asset['state']} after {timeout_seconds} s: {asset}"
            time.sleep(0.2)
        return asset

    def playback(self, asset_id: str) -> dict[str, Any]:
        answer = self.call("POST", f"/assets/{asset_id}/playback")
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document


def clean_environ(**more: str) -> dict[str, str]:
    """This process's environment without mediaflow's own variables, plus `more`."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MEDIAFLOW_")} | more


@contextmanager
def running_service(data_dir: Path, *arguments: str, **environ: str) -> Iterator[Service]:
    """`mediaflow up --json` on a free port until the block ends; its logs are in `data_dir` with the suffix `.log`."""
    log = data_dir.with_suffix(".log")
    command = [
        sys.executable,
        "-m",
        "mediaflow",
        "up",
        "--json",
        "--port",
        "0",
        "--data-dir",
        str(data_dir),
        *arguments,
    ]
    defaults = {"MEDIAFLOW_MIN_FREE_BYTES": "0", "MEDIAFLOW_LOG_FORMAT": "json"}
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=stderr, env=clean_environ(**(defaults | environ))
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, f"up ended with {process.wait()}: {log.read_text()[-3000:]}"
            facts = json.loads(line)
            yield Service(
                facts["url"],
                facts["token"],
                facts["login_url"],
                facts["metrics_url"],
                Path(facts["data_dir"]),
                process.pid,
            )
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
