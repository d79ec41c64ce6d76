"""No string in a path parameter names a file: every route, a raw connection, and the server under strace."""

from __future__ import annotations

import itertools
import os
import re
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mediaflow.app import create_app
from mediaflow.services.access.tokens import Tokens
from tests.api.server import KEY, Server, gunicorn_command, running_server
from tests.integration import strace
from tests.integration.published import Published, publish
from tests.integration.traversal_strings import CANARY, PIPE, traversal_strings
from tests.programs import ROOT
from tests.services.world import make_world

pytestmark = pytest.mark.skipif(strace.why_not() is not None, reason=str(strace.why_not()))

SECRET = b"nobody may read this canary"
SLOWEST_SECONDS = 20.0
CLIENTS = 4
SEGMENT = "g1/video-0.1/360p/00000.m4s"
ABSENT = "0" * 32


@dataclass(frozen=True)
class Target:
    """A parameter of an operation; `before` and `after` stand around it in the path, `right` may stand in its place."""

    method: str
    rule: str
    before: str
    after: str
    right: str = ""

    @property
    def is_stream_path(self) -> bool:
        return self.rule.startswith("/stream/") and not self.after


@dataclass(frozen=True)
class Answer:
    target: Target
    text: bytes
    status: int | None
    seconds: float
    body: bytes


def targets(published: Published, directory: Path) -> list[Target]:
    """Each path parameter of each operation, with values that are right for the others; from the routing table."""
    world = make_world(directory)
    app = create_app(world.runtime.settings, world.runtime)
    known = {
        "asset_id": published.asset.id,
        "upload_id": published.asset.upload_id,
        "token": published.path(SEGMENT).split("/")[2],
        "path": SEGMENT,
        "index": "0",
        "language": "en",
        "filename": "base.css",
    }
    found = [Target("GET", "anything", "/", ""), Target("GET", "anything below", "/api/v1/", "")]
    for rule in app.url_map.iter_rules():
        parts = [(converter is not None, data) for converter, data in _parts(rule.rule)]
        filled = [known.get(data, ABSENT) if parameter else data for parameter, data in parts]
        for position, (is_parameter, _) in enumerate(parts):
            # a stream of events would go on for minutes
            query = "?for_seconds=0" if rule.rule.endswith("/events") else ""
            around = "".join(filled[:position]), "".join(filled[position + 1 :]) + query
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}) if is_parameter else ():
                found.append(Target(method, rule.rule, *around, filled[position] if method == "GET" else ABSENT))
    stream = next(target for target in found if target.is_stream_path)
    # what begins as a path of a published file does gets further
    for start in ("g1/", "g1/video-0.1/"):
        found.append(replace(stream, before=stream.before + start, right=stream.right.removeprefix(start)))
    world.runtime.close()
    return found


def _parts(rule: str) -> Iterator[tuple[str | None, str]]:
    """The rule's pieces: (None, text) and (converter, name of the parameter)."""
    while rule:
        text, _, rest = rule.partition("<")
        if text:
            yield None, text
        if rest:
            inside, _, rule = rest.partition(">")
            converter, _, name = inside.rpartition(":")
            yield converter or "default", name
        else:
            rule = ""


@dataclass(frozen=True)
class Hostile:
    """A client without a library between it and the connection."""

    server: Server
    token: str

    def ask(self, target: Target, text: bytes) -> Answer:
        path = target.before.encode() + text + target.after.encode()
        request = (
            target.method.encode() + b" " + path + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
            b"Authorization: Bearer " + self.token.encode() + b"\r\n"
            b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
        )
        began, answer = time.monotonic(), b""
        try:
            with self.server.connection() as connection:
                connection.sendall(request)
                while block := connection.recv(65536):
                    answer += block
        except (ConnectionError, TimeoutError) as error:
            answer = answer or repr(error).encode()
        head, _, body = answer.partition(b"\r\n\r\n")
        status = int(head.split(b" ")[1]) if head.startswith(b"HTTP/1.") else None
        return Answer(target, text, status, time.monotonic() - began, body)


def attack(client: Hostile, pairs: list[tuple[Target, bytes]]) -> list[Answer]:
    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(lambda pair: client.ask(*pair), pairs))


def canaries(directory: Path) -> list[Path]:
    """Files with a known name above and beside what may be opened, and named pipes; all under the tests' directory."""
    places = [directory, directory / "data", directory / "data" / "objects", directory / "data" / "objects" / "assets"]
    for place in places:
        (place / CANARY).write_bytes(SECRET)
        os.mkfifo(place / PIPE)
    return [place / name for place in places for name in (CANARY, PIPE)]


@dataclass(frozen=True)
class Allowed:
    """What may be named during the attack."""

    exact: frozenset[str]
    below: tuple[str, ...]

    def holds(self, path: str) -> bool:
        return path in self.exact or any(path == prefix or path.startswith(prefix + "/") for prefix in self.below)


@pytest.mark.parametrize(
    "share",
    [pytest.param(12, id="a-part"), pytest.param(1, id="all", marks=[pytest.mark.slow, pytest.mark.timeout(1800)])],
)
@pytest.mark.timeout(300)
def test_no_path_parameter_names_a_file(tmp_path: Path, share: int) -> None:
    record = tmp_path / "strace.log"
    command = strace.traced(gunicorn_command(), record)
    settings = {"rate_limit_per_minute": "0", "login_failures_per_minute": "0", "log_level": "warning"}
    with running_server(tmp_path, command, **settings) as server:
        published = publish(tmp_path / "data", owner="root")
        forbidden = canaries(tmp_path)
        everything = targets(published, tmp_path / "routes")
        client = Hostile(server, Tokens(KEY.encode(), "mediaflow", "mediaflow").mint("root", "admin", 3600))
        rightly = [(target, target.right.encode()) for target in everything]
        baseline = attack(client, rightly * CLIENTS)
        time.sleep(0.5)
        boundary = time.time()
        strings = traversal_strings(tmp_path)
        # in a part of it each parameter gets other strings, so that all of them are tried somewhere
        pairs = [
            (target, text)
            for number, target in enumerate(everything)
            for text in itertools.islice(strings, number % share, None, share)
        ]
        answers = attack(client, pairs)
        again = attack(client, rightly)
        process = server.process.pid
    _wait_for_the_end(record, process)
    named = list(strace.namings(record, ROOT))
    before = {naming.path for naming in named if naming.at < boundary}
    after = [naming for naming in named if naming.at >= boundary]
    objects = tmp_path / "data" / "objects"
    allowed = Allowed(
        frozenset(before - {str(path) for path in forbidden}),
        (
            str(objects / "assets" / published.asset.id),
            *(str(tmp_path / "data" / f"mediaflow.db{suffix}") for suffix in ("", "-wal", "-shm", "-journal")),
            str(ROOT / "mediaflow" / "web" / "static"),
        ),
    )
    astray = [naming for naming in after if not allowed.holds(naming.path)]
    statuses = Counter(answer.status for answer in answers)
    print(
        f"{len(strings)} strings, {len(everything)} parameters, {len(answers)} requests {dict(statuses)}, slowest "
        f"{max(answer.seconds for answer in answers):.2f} s; {len(after)} files named, {len(astray)} astray"
    )
    assert len(strings) >= 200
    assert astray == []
    assert not {naming.path for naming in named} & {str(path) for path in forbidden}
    assert [answer for answer in answers if answer.status is None or answer.status >= 500] == []
    assert [answer for answer in answers if answer.seconds > SLOWEST_SECONDS] == []
    assert [answer for answer in answers if SECRET in answer.body or b"root:" in answer.body] == []
    # the server was there all the time, and the record is of it
    assert [answer.status for answer in again] == [answer.status for answer in baseline[: len(again)]]
    assert {answer.status for answer in again} >= {200, 404}
    assert [naming for naming in after if naming.path.endswith(SEGMENT)] != []


def _wait_for_the_end(record: Path, process: int) -> None:
    """strace writes a little later than what it records happens."""
    deadline = time.monotonic() + 20
    while not re.search(rf"^{process} +\d+\.\d+ \+\+\+ ", record.read_text(errors="replace"), re.MULTILINE):
        assert time.monotonic() < deadline, "strace does not end"
        time.sleep(0.1)
