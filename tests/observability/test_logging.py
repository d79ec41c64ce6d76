"""Logs: one structured line an event, with ids, without secrets, the libraries' lines too."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

import pytest
import structlog

from mediaflow.observability.logging import BRIDGED, bind_ids, configure_logging
from mediaflow.observability.scrubbing import Scrubber
from mediaflow.plugin import SettingSpec
from mediaflow.settings import MASK, Settings

KEY = "a-key-of-thirty-two-bytes-or-more"


@pytest.fixture
def restored() -> Iterator[None]:
    """The process's logging as it was before the test."""
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    yield
    root.setLevel(before[0])
    root.handlers[:] = before[1]
    structlog.reset_defaults()


@pytest.fixture
def lines(restored: None) -> Lines:
    return Lines()


class Lines:
    """Logs to memory."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    def configure(self, *, log_format: str = "json", **settings: Any) -> None:
        specs = [("example", SettingSpec("example_pin", str, "", "", secret=True))]
        configure_logging(Settings(log_format=log_format, **settings), specs, stream=self.stream)

    def read(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


def test_a_line_of_ours_is_json_with_level_time_and_name(lines: Lines) -> None:
    lines.configure()

    structlog.get_logger("mediaflow.test").info("asset ready", seconds=1.5)

    (line,) = lines.read()
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "asset ready", "level": "info", "logger": "mediaflow.test", "seconds": 1.5}


@pytest.mark.parametrize("name", ["dramatiq.worker", "gunicorn.error", "gunicorn.access", "werkzeug", "anything"])
def test_the_libraries_lines_look_the_same_and_come_once(lines: Lines, name: str) -> None:
    # given: gunicorn and dramatiq come with handlers of their own
    own = logging.StreamHandler(lines.stream)
    logger = logging.getLogger(name)
    if name in BRIDGED:
        logger.addHandler(own)
        logger.propagate = False
    lines.configure()

    # when
    logger.warning("%s of %d", "one", 2)

    # then
    (line,) = lines.read()
    assert (line["event"], line["logger"], line["level"]) == ("one of 2", name, "warning")


def test_bound_ids_are_on_every_line_until_the_block_ends(lines: Lines) -> None:
    lines.configure()

    with bind_ids(request_id="r1", asset_id=None), bind_ids(task_id="t1"):
        structlog.get_logger("mediaflow").info("ours")
        logging.getLogger("dramatiq").info("theirs")
    structlog.get_logger("mediaflow").info("after")

    ours, theirs, after = lines.read()
    for line in (ours, theirs):
        assert (line["request_id"], line["task_id"]) == ("r1", "t1")
        assert "asset_id" not in line
    assert not {"request_id", "task_id"} & set(after)


def test_less_severe_lines_than_wanted_are_left_out(lines: Lines) -> None:
    lines.configure(log_level="warning")

    structlog.get_logger("mediaflow").info("left out")
    structlog.get_logger("mediaflow").error("kept")

    assert [line["event"] for line in lines.read()] == ["kept"]


def test_configuring_again_writes_each_line_once(lines: Lines) -> None:
    lines.configure()
    lines.configure()

    structlog.get_logger("mediaflow").info("once")

    assert len(lines.read()) == 1


def test_console_lines_are_for_people(lines: Lines) -> None:
    lines.configure(log_format="console")

    structlog.get_logger("mediaflow").info("asset ready", asset_id="a1")

    assert "asset ready" in lines.stream.getvalue()
    assert "asset_id=a1" in lines.stream.getvalue()


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_an_exception_is_shown_without_secrets_or_local_values(lines: Lines, log_format: str) -> None:
    # given
    lines.configure(log_format=log_format, jwt_key=KEY)
    local = "value-of-a-local"

    # when
    try:
        raise ValueError(f"bad key {KEY[:]} and {len(local)}")
    except ValueError:
        structlog.get_logger("mediaflow").exception("failed")

    # then
    said = lines.stream.getvalue()
    assert "Traceback" in said
    assert f"bad key {MASK} and 16" in said
    assert KEY not in said


def test_secret_settings_are_masked_wherever_they_appear(lines: Lines) -> None:
    lines.configure(
        jwt_key=KEY,
        redis_url="redis://:hunter2hunter2@host/0",
        plugins=MappingProxyType({"example_pin": "pin-of-plugin"}),
    )

    logging.getLogger("redis").warning("%s and %s", "redis://:hunter2hunter2@host/0", f"x{KEY}y")
    structlog.get_logger("mediaflow").info("plugin", nested={"list": ["pin-of-plugin", 1]})

    said = lines.stream.getvalue()
    assert not any(secret in said for secret in (KEY, "hunter2", "pin-of-plugin"))


TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("GET /stream/abc.DEF-1/a1/g1/master.m3u8 200", f"GET /stream/{MASK}/a1/g1/master.m3u8 200"),
        ("Authorization: Bearer abcdefgh12345678", f"Authorization: {MASK}"),
        ("{'Authorization': 'Basic dXNlcjpwYXNz', 'Host': 'x'}", f"{{'Authorization': '{MASK}', 'Host': 'x'}}"),
        ("Cookie: a=1; session=2", f"Cookie: {MASK}"),
        ("sent bearer abcdefgh12345678 to x", f"sent bearer {MASK} to x"),
        (f"token {TOKEN}.", f"token {MASK}."),
        ("mongodb://u:p@host/db", f"mongodb://u:{MASK}@host/db"),
        ("GET /login?code=abc&next=/", f"GET /login?code={MASK}&next=/"),
        ("?X-Amz-Signature=ab12&X-Amz-Date=3", f"?X-Amz-Signature={MASK}&X-Amz-Date=3"),
        ("the bearer of news, a basic thing", "the bearer of news, a basic thing"),
        ("/streams/x/y", "/streams/x/y"),
        ("http://host:8080/a@b", "http://host:8080/a@b"),
    ],
)
def test_what_looks_like_a_secret_is_scrubbed(text: str, scrubbed: str) -> None:
    assert Scrubber().text(text) == scrubbed


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("authorization", True),
        ("Set-Cookie", True),
        ("stream_token", True),
        ("jwt_key", True),
        ("password", True),
        ("storage_key", False),
        ("code", False),
        ("attempt", False),
    ],
)
def test_members_that_are_called_like_secrets_are_masked(name: str, masked: bool) -> None:
    assert Scrubber()(None, "info", {name: "value", "event": "e"})[name] == (MASK if masked else "value")


def test_a_line_stays_small_whatever_somebody_says(lines: Lines) -> None:
    lines.configure()
    log = structlog.get_logger("mediaflow.test")
    try:
        raise RuntimeError("x" * 1_000_000)
    except RuntimeError:
        log.exception("task failed", detail="y" * 1_000_000)

    (line,) = lines.read()
    assert len(lines.stream.getvalue()) < 20_000
    assert line["exception"].startswith("Traceback (most recent")
