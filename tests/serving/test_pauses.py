"""Answers that wait: woken, or after their time; and how fast a body has to arrive."""

from __future__ import annotations

import threading
import time

import pytest

from mediaflow.serving import Pace, Pause, wire


def test_a_pause_is_no_bytes() -> None:
    assert b"".join([b"a", Pause(1), b"b"]) == b"ab"
    assert len({Pause(1), Pause(1)}) == 2


def test_where_nothing_parks_it_waits_until_it_is_woken() -> None:
    pause = Pause(20)
    threading.Timer(0.05, pause.wake).start()

    began = time.monotonic()
    pause.wait()
    assert 0.04 < time.monotonic() - began < 10


def test_where_nothing_parks_its_time_ends() -> None:
    began = time.monotonic()
    Pause(0.05).wait()
    assert 0.04 < time.monotonic() - began < 10


def test_whoever_parked_it_is_told_once() -> None:
    told: list[str] = []
    pause = Pause(20)
    pause.park(lambda: told.append("parked"))
    assert told == []
    pause.wake()
    pause.wake()
    assert told == ["parked"]
    pause.wait()  # returns at once


def test_who_is_woken_before_it_is_parked_goes_on_at_once() -> None:
    told: list[str] = []
    pause = Pause(20)
    pause.wake()
    pause.park(lambda: told.append("parked"))
    assert told == ["parked"]


def test_a_body_has_its_time_in_all() -> None:
    pace = Pace(0.05)
    pace.took(10**9)
    assert 0 < pace.left() <= 0.05
    time.sleep(0.06)
    with pytest.raises(TimeoutError):
        pace.left()


def test_or_a_least_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "WINDOW_SECONDS", 0.1)
    pace = Pace(0.01)
    pace.by_rate(1000)
    for _ in range(4):  # 100 bytes in each 0.1 s
        time.sleep(0.06)
        pace.took(100)
        assert pace.left() > 0
    pace.took(99)
    time.sleep(0.11)
    with pytest.raises(TimeoutError):
        pace.left()
