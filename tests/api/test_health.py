"""Alive and ready: quick, honest, without details."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from mediaflow.api.http.readiness import PATIENCE_SECONDS, Readiness
from tests.api.site import Site, is_problem


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """Set at the end, for checks that hang until then."""
    event = threading.Event()
    yield event
    event.set()


def fail() -> None:
    raise OSError("the password is hunter2")


def test_a_service_with_all_it_needs_is_ready(site: Site) -> None:
    for path in ("/livez", "/readyz"):
        answer = site.client.get(path)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"


def test_a_dependency_that_is_down_makes_it_not_ready_without_details(site: Site) -> None:
    site.client.application.extensions["mediaflow"].readiness.checks["database"] = fail
    answer = site.client.get("/readyz")
    is_problem(answer, 503, "health.not_ready")
    assert "Retry-After" in answer.headers
    assert "hunter2" not in answer.text
    assert "database" not in answer.text
    assert site.client.get("/livez").status_code == 200


def test_a_dependency_that_hangs_holds_up_no_answer(released: threading.Event) -> None:

    def hang() -> None:
        released.wait()

    readiness = Readiness({"storage": hang, "database": lambda: None})
    began = time.monotonic()
    assert not readiness.ready()
    assert time.monotonic() - began < PATIENCE_SECONDS + 1
    asked = threading.active_count()
    assert not readiness.ready()
    assert threading.active_count() <= asked


def test_an_answer_is_kept_for_a_moment(site: Site) -> None:
    calls: list[None] = []
    readiness = Readiness({"database": lambda: calls.append(None)})
    assert all(readiness.ready() for _ in range(20))
    assert len(calls) == 1


def test_what_recovers_is_ready_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mediaflow.api.http.readiness.FRESH_SECONDS", 0.0)
    checks = {"database": fail}
    readiness = Readiness(checks)
    assert not readiness.ready()
    checks["database"] = lambda: None
    assert readiness.ready()
