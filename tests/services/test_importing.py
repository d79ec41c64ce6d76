"""Files that are fetched: from servers that break off, change their mind, lead elsewhere or never end."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

import pytest

from mediaflow.domain.errors import InvalidInput, LimitReached
from mediaflow.domain.imports import Import
from mediaflow.domain.reach import Reach, reach
from mediaflow.domain.records import Upload
from mediaflow.services.access.principals import Principal
from mediaflow.services.imports.fetching import Fetcher
from mediaflow.services.imports.importer import MOST_ATTEMPTS, Importer
from mediaflow.services.imports.imports import Imports, name_of
from tests.plugins.test_webhook_posting import a_certificate
from tests.services.world import World, make_world

FILE: Final = bytes(range(256)) * 20_000
HERE: Final = (ip_network("127.0.0.0/8"),)


@dataclass
class Site:
    """A server, what it was asked, and how it answers: `acts` has a function for each path."""

    server: ThreadingHTTPServer
    acts: dict[str, Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server.server_port}{path}"


@pytest.fixture
def site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            found.asked.append((self.path, self.headers.get("Range")))
            found.acts[self.path.partition("?")[0]](self)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Site(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield found
        server.shutdown()


def sends(
    data: bytes = FILE, *, most: int | None = None, etag: str | None = '"1"', ranges: bool = True, status: int = 200
) -> Callable[[BaseHTTPRequestHandler], None]:
    """The file, of which one request gets at most so many bytes."""

    def act(asked: BaseHTTPRequestHandler) -> None:
        begin = 0
        if ranges and (wanted := asked.headers.get("Range")) and asked.headers.get("If-Range") == etag:
            begin = int(wanted.removeprefix("bytes=").removesuffix("-"))
            asked.send_response(206)
            asked.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        else:
            asked.send_response(status)
        if etag:
            asked.send_header("ETag", etag)
        asked.send_header("Content-Length", str(len(data) - begin))
        asked.end_headers()
        asked.wfile.write(data[begin:] if most is None else data[begin : begin + most])
        asked.close_connection = most is not None

    return act


def answers(status: int, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def act(asked: BaseHTTPRequestHandler) -> None:
        asked.send_response(status)
        for name, value in headers.items():
            asked.send_header(name.replace("_", "-"), value)
        asked.send_header("Content-Length", "0")
        asked.end_headers()

    return act


@dataclass
class Bench:
    """One worker's importing, whose time goes on when it is told to."""

    world: World
    importer: Importer
    imports: Imports

    def begin(self, url: str, **said: Any) -> Import:
        return self.imports.begin("ann", url, said)

    def run(self, asked: Import, attempts: int = 20) -> None:
        """Until it has ended, without waiting in between."""
        for _ in range(attempts):
            self.attempt(asked)
            if self.now(asked).state in ("done", "failed"):
                return

    def attempt(self, asked: Import) -> None:
        self.world.runtime.database.imports.change(asked.id, {"state": "waiting"}, {"not_before": 0.0})
        self.importer.look()
        self.importer.wait(20)

    def now(self, asked: Import) -> Import:
        found = self.world.runtime.database.imports.get(asked.id)
        assert found is not None
        return found

    def upload(self, asked: Import) -> Upload:
        found = self.world.runtime.database.uploads.get(asked.upload_id)
        assert found is not None
        return found

    def original(self, asked: Import) -> bytes:
        runtime = self.world.runtime
        runtime.assembly.finish(asked.upload_id)
        asset = runtime.database.assets.get(asked.asset_id)
        assert asset is not None
        assert asset.original_key is not None, asset
        assert asset.size_bytes == runtime.storage.stat(asset.original_key).size_bytes  # type: ignore[union-attr]
        return b"".join(runtime.storage.read(asset.original_key))

    def error(self, asked: Import) -> tuple[str, str]:
        assert self.now(asked).state == "failed"
        error = self.upload(asked).error
        assert error is not None
        asset = self.world.runtime.database.assets.get(asked.asset_id)
        assert asset is not None
        assert (asset.state, asset.error) == ("failed", error)
        assert list(self.world.runtime.storage.list("pieces/")) == []
        return str(error["code"]), str(error["detail"])


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with_room = make_world(tmp_path, quota_open_uploads="50")
    runtime = with_room.runtime
    importer = Importer(runtime.database, runtime.transfers, Fetcher(HERE), lambda: False)
    yield Bench(with_room, importer, replace(runtime.imports, allowed=HERE))
    importer.wait(20)
    runtime.close()


def without_length(asked: BaseHTTPRequestHandler) -> None:
    asked.send_response(200)
    asked.send_header("Transfer-Encoding", "chunked")
    asked.end_headers()
    for begin in range(0, len(FILE), 1_000_000):
        part = FILE[begin : begin + 1_000_000]
        asked.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
    asked.wfile.write(b"0\r\n\r\n")


@pytest.mark.parametrize("act", [sends(), sends(etag=None), without_length], ids=["plain", "no etag", "no length"])
def test_a_file_comes(bench: Bench, site: Site, act: Any) -> None:
    site.acts["/a%20film.mp4"] = act
    asked = bench.begin(site.url("/a%20film.mp4?x=1"), title="Film")
    assert bench.upload(asked).state == "initialized"

    bench.run(asked)

    assert bench.now(asked).state == "done"
    assert bench.original(asked) == FILE
    assert bench.upload(asked).filename == "a film.mp4"
    progress = bench.imports.progress(Principal("ann", "user"), asked.id)
    assert (progress.received_bytes, progress.size_bytes, progress.state) == (len(FILE), len(FILE), "done")


@pytest.mark.parametrize(
    ("how", "resumes"),
    [({}, True), ({"etag": None}, False), ({"ranges": False}, False)],
    ids=["by range", "no etag", "no range"],
)
def test_what_breaks_off_goes_on_where_it_was(bench: Bench, site: Site, how: dict[str, Any], resumes: bool) -> None:
    site.acts["/film.mp4"] = sends(most=2_000_000, **how)
    asked = bench.begin(site.url("/film.mp4"))
    bench.attempt(asked)
    assert bench.now(asked).state == "waiting"
    assert bench.imports.progress(Principal("ann", "user"), asked.id).received_bytes == 2_000_000
    site.acts["/film.mp4"] = sends(**how)

    bench.run(asked)

    assert bench.original(asked) == FILE
    assert [bool(wanted) for _, wanted in site.asked] == [False, bool(how.get("etag", "x"))]
    assert (site.asked[1][1] == "bytes=2000000-") == (resumes or "ranges" in how)


def test_a_file_that_changes_meanwhile_is_not_put_together(bench: Bench, site: Site) -> None:
    site.acts["/film.mp4"] = sends(most=2_000_000)
    asked = bench.begin(site.url("/film.mp4"))
    bench.attempt(asked)
    site.acts["/film.mp4"] = sends(FILE[::-1], etag='"2"')
    bench.run(asked)
    assert bench.error(asked)[0] == "import.changed"


def test_a_server_that_gives_nothing_is_not_asked_for_ever(bench: Bench, site: Site) -> None:
    site.acts["/film.mp4"] = answers(503, Retry_After="70")
    asked = bench.begin(site.url("/film.mp4"))
    bench.attempt(asked)
    assert bench.now(asked).not_before - bench.world.runtime.database.now() > 60
    bench.run(asked)
    assert bench.error(asked) == ("import.unreachable", "It answered 503.")
    assert len(site.asked) == MOST_ATTEMPTS


def test_each_byte_is_a_reason_to_go_on(bench: Bench, site: Site) -> None:
    site.acts["/film.mp4"] = sends(most=len(FILE) // 12)
    asked = bench.begin(site.url("/film.mp4"))
    bench.run(asked, attempts=30)
    assert bench.original(asked) == FILE


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (answers(404), "import.refused"),
        (answers(401), "import.refused"),
        (answers(302), "import.refused"),
        (answers(302, Location="/film.mp4"), "import.refused"),
        (answers(302, Location="http://169.254.169.254/latest/meta-data/"), "url.refused"),
        (answers(302, Location="http://[::1]/"), "url.refused"),
        (answers(302, Location="file:///etc/passwd"), "url.refused"),
        (answers(302, Location="http://user:secret@127.0.0.1/"), "url.refused"),
        (answers(200), "import.empty"),
        (answers(200, Content_Encoding="gzip"), "import.refused"),
        (answers(206), "import.refused"),
    ],
)
def test_what_can_t_be_had_is_said(bench: Bench, site: Site, act: Any, code: str) -> None:
    site.acts["/film.mp4"] = act
    asked = bench.begin(site.url("/film.mp4"))
    bench.attempt(asked)
    assert bench.error(asked)[0] == code


def test_redirects_are_followed(bench: Bench, site: Site) -> None:
    site.acts["/old"] = answers(301, Location="/new/film.mp4")
    site.acts["/new/film.mp4"] = sends()
    asked = bench.begin(site.url("/old"))
    bench.run(asked)
    assert bench.original(asked) == FILE


def test_one_that_is_too_large_is_refused_before_it_comes(tmp_path: Path, site: Site) -> None:
    world = make_world(tmp_path, max_upload_bytes="1000000")
    importer = Importer(world.runtime.database, world.runtime.transfers, Fetcher(HERE), lambda: False)
    bench = Bench(world, importer, replace(world.runtime.imports, allowed=HERE))
    for act in (sends(), without_length):
        site.acts["/film.mp4"] = act
        asked = bench.begin(site.url("/film.mp4"))
        bench.attempt(asked)
        assert bench.error(asked)[0] in ("upload.too_large", "limit.too_large")
    world.runtime.close()


def test_a_head_that_trickles_holds_nobody_for_long(bench: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def trickle() -> None:
            with server.accept()[0] as client, contextlib.suppress(OSError):
                client.sendall(b"HTTP/1.1 200 OK\r\n")
                while True:
                    client.sendall(b"X-Slow: yes\r\n")
                    time.sleep(0.1)

        threading.Thread(target=trickle, daemon=True).start()
        asked = bench.begin(f"http://127.0.0.1:{server.getsockname()[1]}/film.mp4")
        bench.importer = replace(bench.importer, fetcher=Fetcher(HERE, head_seconds=0.5))
        began = time.monotonic()
        bench.attempt(asked)
    assert time.monotonic() - began < 5
    assert (bench.now(asked).state, bench.now(asked).attempts) == ("waiting", 1)


def test_a_file_that_trickles_is_left_for_later(bench: Bench, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def trickle(asked: BaseHTTPRequestHandler) -> None:
        asked.send_response(200)
        asked.send_header("Content-Length", str(len(FILE)))
        asked.end_headers()
        with contextlib.suppress(OSError):
            for at in range(100):
                asked.wfile.write(FILE[at : at + 1])
                time.sleep(0.05)

    monkeypatch.setattr("mediaflow.services.imports.importer.RENEW_SECONDS", 0.5)
    site.acts["/film.mp4"] = trickle
    asked = bench.begin(site.url("/film.mp4"))
    began = time.monotonic()
    bench.attempt(asked)
    assert time.monotonic() - began < 4
    assert bench.now(asked).state == "waiting"


@pytest.mark.parametrize(("name", "state"), [("localhost", "done"), ("elsewhere.example", "failed")])
def test_a_certificate_has_to_be_that_of_the_host(
    bench: Bench, site: Site, tmp_path: Path, name: str, state: str
) -> None:
    served, trusting = a_certificate(tmp_path, name)
    site.server.socket = served.wrap_socket(site.server.socket, server_side=True)
    site.acts["/film.mp4"] = sends()
    bench.importer = replace(bench.importer, fetcher=Fetcher(HERE, tls=lambda: trusting, find=by_four))
    asked = bench.begin(f"https://localhost:{site.server.server_port}/film.mp4")
    bench.attempt(asked)
    assert bench.now(asked).state == state
    if state == "done":
        assert bench.original(asked) == FILE
    else:
        assert "certificate is not valid for localhost" in bench.error(asked)[1]


def by_four(url: str, allowed: Any) -> Reach:
    """`localhost` may be an address of IPv6 first, where nobody listens."""
    return reach(url, allowed, lambda _host, port, **_: [(0, 0, 0, "", ("127.0.0.1", port))])


def test_who_gives_it_up_has_it_stopped(bench: Bench, site: Site) -> None:
    site.acts["/film.mp4"] = sends(most=2_000_000)
    asked = bench.begin(site.url("/film.mp4"))
    bench.attempt(asked)
    bench.world.runtime.ingest.abort("ann", asked.upload_id)
    bench.attempt(asked)
    assert (bench.now(asked).state, len(site.asked)) == ("done", 1)
    assert bench.world.runtime.database.assets.get(asked.asset_id) is None


def test_a_worker_that_stops_leaves_it_to_others(bench: Bench, site: Site) -> None:
    site.acts["/film.mp4"] = sends()
    asked = bench.begin(site.url("/film.mp4"))
    runtime = bench.world.runtime
    stopping = Importer(runtime.database, runtime.transfers, Fetcher(HERE), lambda: True)
    stopping.look()
    stopping.wait(20)
    assert bench.now(asked).state == "waiting"

    bench.run(asked)

    assert bench.original(asked) == FILE


def test_what_a_dead_worker_fetched_is_gone_on_with(bench: Bench, site: Site) -> None:
    site.acts["/film.mp4"] = sends(most=2_000_000)
    asked = bench.begin(site.url("/film.mp4"))
    bench.attempt(asked)
    imports = bench.world.runtime.database.imports
    imports.change(asked.id, {}, {"state": "running", "token": "dead", "lease_until": 1.0})
    site.acts["/film.mp4"] = sends()
    bench.attempt(asked)
    assert bench.original(asked) == FILE
    assert site.asked[-1][1] == "bytes=2000000-"


def test_known_bytes_are_not_fetched(bench: Bench, site: Site) -> None:
    site.acts["/film.mp4"] = sends()
    first = bench.begin(site.url("/film.mp4"))
    bench.run(first)
    assert bench.original(first) == FILE
    again = bench.begin(site.url("/film.mp4"), sha256=hashlib.sha256(FILE).hexdigest())
    bench.run(again)
    assert bench.original(again) == FILE
    assert bench.now(again).state == "done"


def test_one_owner_has_not_all_of_it(bench: Bench, site: Site) -> None:
    gate = threading.Event()

    def slow(asked: BaseHTTPRequestHandler) -> None:
        gate.wait(20)
        sends(FILE[:1000])(asked)

    site.acts["/slow"], site.acts["/film.mp4"] = slow, sends()
    for _ in range(5):
        bench.begin(site.url("/slow"))
    other = bench.imports.begin("bob", site.url("/film.mp4"), {})
    bench.importer.look()
    for _ in range(200):
        if bench.now(other).state == "done":
            break
        threading.Event().wait(0.05)
    assert bench.now(other).state == "done"
    gate.set()
    bench.importer.wait(20)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/film.mp4",
        "http://[::1]:8080/film.mp4",
        "http://169.254.169.254/latest/meta-data/",
        "http://localhost/film.mp4",
        "http://db.internal/film.mp4",
        "ftp://example.org/film.mp4",
        "file:///etc/passwd",
        "http://user:secret@example.org/",
        "http://example.org:22/",
        "https://",
        "film.mp4",
    ],
)
def test_where_nobody_may_be_sent_is_refused_at_once(bench: Bench, url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        bench.world.runtime.imports.begin("ann", url, {})
    assert [problem.pointer for problem in caught.value.problems] == ["/url"]
    assert bench.world.runtime.database.uploads.count({}) == 0


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1"])
def test_other_spellings_are_refused_when_they_are_looked_up(bench: Bench, host: str) -> None:
    runtime = bench.world.runtime
    asked = runtime.imports.begin("ann", f"http://{host}:8080/film.mp4", {})
    bench.importer = Importer(runtime.database, runtime.transfers, Fetcher(), lambda: False)
    bench.attempt(asked)
    assert bench.error(asked)[0] == "url.refused"


def test_somebody_s_open_uploads_are_bounded(tmp_path: Path) -> None:
    world = make_world(tmp_path, quota_open_uploads="3")
    imports = world.runtime.imports
    for _ in range(3):
        imports.begin("ann", "https://example.org/film.mp4", {})
    with pytest.raises(LimitReached):
        imports.begin("ann", "https://example.org/film.mp4", {})
    world.runtime.close()


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.org/a/b.mp4?c=d", "b.mp4"),
        ("https://example.org/%C3%A4%20%00b.mp4", "ä b.mp4"),
        ("https://example.org/..%2F..%2Fetc%2Fpasswd", "passwd"),
        ("https://example.org/", "import"),
        ("https://example.org", "import"),
    ],
)
def test_a_file_is_called_as_its_address_has_it(url: str, name: str) -> None:
    assert name_of(url) == name
