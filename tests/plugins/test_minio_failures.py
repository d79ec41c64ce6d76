"""What `s3:` does when the server, or the way to it, fails."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from mediaflow.plugin import MediaflowError, Unavailable
from mediaflow.testing.bodies import MIB, content
from mediaflow_minio.location import location_of
from mediaflow_minio.plugin import open_s3
from mediaflow_minio.storage import S3Storage
from tests.contracts.s3server import S3Server
from tests.plugins.storages import KIND, S3_SETTINGS, put


@pytest.fixture
def storage(s3_server: S3Server, bucket: str) -> S3Storage:
    """With small pieces, so that a test of large objects is small."""
    location = location_of(s3_server.url(bucket), s3_server.settings)
    return S3Storage(location, part_bytes=5 * MIB, copy_bytes=5 * MIB)


# --- servers that fail

OPERATIONS: dict[str, Callable[[S3Storage], Any]] = {
    "put": lambda storage: put(storage, "key", b"x"),
    "read": lambda storage: storage.read("key"),
    "stat": lambda storage: storage.stat("key"),
    "delete": lambda storage: storage.delete("key"),
    "list": lambda storage: list(storage.list("")),
    "begin": lambda storage: storage.begin_parts("key", size_bytes=1, part_bytes=1, content_type=KIND),
    "part": lambda storage: storage.put_part("key", "handle", 0, [b"x"], offset=0, length=1),
    "complete": lambda storage: storage.complete_parts("key", "handle", ["x"], size_bytes=1),
    "move": lambda storage: storage.move("key", "other"),
}


def refused(storage: S3Storage, operation: str) -> MediaflowError:
    began = time.monotonic()
    with pytest.raises(Unavailable) as caught:
        OPERATIONS[operation](storage)
    assert time.monotonic() - began < 10
    return caught.value


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("region", ["", "us-east-1"])
def test_a_server_that_is_down_is_unavailable_soon(operation: str, region: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"s3:http://127.0.0.1:{free.getsockname()[1]}/bucket"
    settings = S3_SETTINGS | {"s3_region": region, "s3_create_bucket": region == ""}
    refused(S3Storage(location_of(url, settings)), operation)


@pytest.mark.parametrize("operation", ["read", "stat", "delete", "list", "begin", "put", "part"])
def test_a_server_that_accepts_and_is_silent_is_unavailable_soon(
    operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen: requests waited for two minutes. What takes a server long, such as to copy, still may."""
    monkeypatch.setattr("mediaflow_minio.connection.ANSWER_SECONDS", 0.2)
    monkeypatch.setattr("mediaflow_minio.connection.STORE_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0), backlog=8) as silent:
        url = f"s3:http://127.0.0.1:{silent.getsockname()[1]}/bucket"
        settings = S3_SETTINGS | {"s3_region": "us-east-1", "s3_create_bucket": False}
        refused(S3Storage(location_of(url, settings)), operation)


@pytest.mark.slow
@pytest.mark.parametrize("operation", ["put", "stat"])
def test_a_server_that_does_not_even_refuse_is_unavailable_within_10_seconds(operation: str) -> None:
    # given: a full queue of connections, where further ones get no answer at all
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        url = f"s3:http://127.0.0.1:{full.getsockname()[1]}/bucket"
        refused(S3Storage(location_of(url, S3_SETTINGS)), operation)
        for client in waiting:
            client.close()


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("change", [{"s3_secret_key": "wrong"}, {"s3_access_key": "nobody"}])
@pytest.mark.parametrize("create_bucket", [True, False])
def test_wrong_credentials_are_named(
    s3_server: S3Server, operation: str, change: dict[str, str], create_bucket: bool
) -> None:
    settings = dict(s3_server.settings) | change | {"s3_region": "us-east-1", "s3_create_bucket": create_bucket}
    error = refused(S3Storage(location_of(s3_server.url("contract"), settings)), operation)
    assert "MEDIAFLOW_S3_SECRET_KEY" in error.detail


@pytest.mark.parametrize("operation", ["put", "read", "list", "begin"])
def test_a_missing_bucket_is_named_when_it_may_not_be_made(s3_server: S3Server, operation: str) -> None:
    settings = dict(s3_server.settings) | {"s3_create_bucket": False}
    error = refused(S3Storage(location_of(s3_server.url("nobodys-bucket"), settings)), operation)
    assert "MEDIAFLOW_S3_CREATE_BUCKET" in error.detail


def test_something_else_than_an_s3_server_is_told(tmp_path: Path) -> None:
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Type: text/html\r\n\r\nhi!") as port:
        storage = open_s3(f"s3:http://127.0.0.1:{port}/bucket", S3_SETTINGS)
        with pytest.raises(Unavailable):
            storage.put("key", [b"x"], size_bytes=1, content_type=KIND)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_https_to_a_server_without_tls_is_told(s3_server: S3Server, operation: str) -> None:
    url = s3_server.url("contract").replace("http:", "https:")
    settings = dict(s3_server.settings) | {"s3_region": "us-east-1", "s3_create_bucket": False}
    assert "SSL_CERT_FILE" in refused(S3Storage(location_of(url, settings)), operation).detail


def test_a_full_server_is_told() -> None:
    body = b"<Error><Code>XMinioStorageFull</Code><Message>full</Message></Error>"
    head = f"HTTP/1.1 507 x\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with answering(head + body) as port:
        settings = S3_SETTINGS | {"s3_region": "us-east-1", "s3_create_bucket": False}
        storage = open_s3(f"s3:http://127.0.0.1:{port}/bucket", settings)
        with pytest.raises(MediaflowError) as caught:
            storage.put("key", [b"x"], size_bytes=1, content_type=KIND)
        assert caught.value.code == "storage.full"


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """A server that reads a request's first packets and gives one answer to all."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client:
                    client.settimeout(0.3)
                    try:
                        while client.recv(65536):
                            pass
                    except TimeoutError:
                        pass
                    client.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


# --- a way that breaks


@contextmanager
def cutting_proxy(target: tuple[str, int], answers: list[int]) -> Iterator[int]:
    """A TCP proxy. Connection i is cut after `answers[i]` bytes of answers; the ones after the list never."""
    budgets, open_sockets = iter(answers), list[socket.socket]()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def pump(source: socket.socket, sink: socket.socket, budget: int | None) -> None:
            try:
                while data := source.recv(65536 if budget is None else min(65536, max(budget, 1))):
                    sink.sendall(data)
                    if budget is not None:
                        budget -= len(data)
                        if budget <= 0:
                            break
            except OSError:
                pass
            for side in (source, sink):
                with suppress(OSError):
                    side.shutdown(socket.SHUT_RDWR)

        def connection(client: socket.socket, budget: int | None) -> None:
            with client, socket.create_connection(target) as upstream:
                up = threading.Thread(target=pump, args=(client, upstream, None))
                up.start()
                pump(upstream, client, budget)
                up.join()

        def serve() -> None:
            with ThreadPoolExecutor(16) as pool:
                while True:
                    try:
                        client, _ = server.accept()
                    except OSError:
                        return
                    open_sockets.append(client)
                    pool.submit(connection, client, next(budgets, None))

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            for client in open_sockets:  # connections that the client keeps
                with suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)
            thread.join()


def behind(proxy_port: int, bucket: str, server: S3Server) -> S3Storage:
    settings = dict(server.settings) | {"s3_region": "us-east-1", "s3_create_bucket": False}
    return S3Storage(location_of(f"s3:http://127.0.0.1:{proxy_port}/{bucket}", settings))


def test_a_read_that_breaks_off_goes_on_where_it_stopped(storage: S3Storage, s3_server: S3Server) -> None:
    data = content(6 * MIB)
    put(storage, "key", data)
    target = ("127.0.0.1", s3_server.ports["s3"])
    with cutting_proxy(target, [MIB + 5000, 2 * MIB]) as port:
        broken = behind(port, storage.location.bucket, s3_server)
        blocks = list(broken.read("key", offset=100, length=5 * MIB))
        assert b"".join(blocks) == data[100 : 100 + 5 * MIB]
        assert max(len(block) for block in blocks) <= MIB


def test_a_read_that_breaks_off_again_and_again_is_unavailable(storage: S3Storage, s3_server: S3Server) -> None:
    put(storage, "key", content(6 * MIB))
    with cutting_proxy(("127.0.0.1", s3_server.ports["s3"]), [MIB // 2] * 20) as port:
        broken = behind(port, storage.location.bucket, s3_server)
        with pytest.raises(Unavailable):
            b"".join(broken.read("key"))


def test_a_read_does_not_go_on_in_another_version(storage: S3Storage, s3_server: S3Server) -> None:
    put(storage, "key", content(6 * MIB, seed=1))
    with cutting_proxy(("127.0.0.1", s3_server.ports["s3"]), [3 * MIB]) as port:
        broken = behind(port, storage.location.bucket, s3_server)
        reader = broken.read("key")
        next(reader)
        put(storage, "key", content(6 * MIB, seed=2))
        with pytest.raises(Unavailable):
            list(reader)
