"""Segments that are asked for before they are made: the request waits as long as players do, and looks again then."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from werkzeug.test import EnvironBuilder, TestResponse

from mediaflow.api.http import awaiting as asking
from mediaflow.domain import keys
from mediaflow.domain.ids import job_id, segment_id
from mediaflow.domain.madesegments import MadeSegment
from mediaflow.domain.publication import Files, Publication
from mediaflow.domain.records import Asset
from mediaflow.services.delivery import awaiting
from mediaflow.services.delivery.awaiting import Awaited
from mediaflow.services.delivery.demand import Demand
from mediaflow.services.delivery.wanted import Wanted
from mediaflow.serving import Pause
from tests.api.site import Site, is_problem
from tests.services.records import a_job, an_asset

DATA = b"a segment"


@pytest.fixture
def asset(site: Site) -> Asset:
    """An asset whose track `360p` has two segments, which are not made yet, as the one of its sound."""
    files = Files(keys.tracks_path(1), {}, awaited={"360p": 2, "audio-96k": 1})
    opened = Publication(1, (), (files,), 8.0, sounds={"360p": "audio-96k"})
    made = an_asset(state="processing", playable=True, opened=opened, next_generation=1)
    database = site.world.runtime.database
    assert database.assets.insert(made)
    assert database.jobs.insert(a_job(made, id=job_id(made.id, 1)))
    return made


def make(site: Site, asset: Asset, number: int = 0, content_type: str = "video/mp4", *, track: str = "360p") -> None:
    """Make a segment: its object first, then its record."""
    path = f"g1/video-low.1/{track}/{number}.m4s"
    runtime = site.world.runtime
    runtime.storage.put(f"assets/{asset.id}/{path}", [DATA], size_bytes=len(DATA), content_type="video/mp4")
    record = MadeSegment(
        id=segment_id(asset.id, 1, track, number),
        asset_id=asset.id,
        generation=1,
        track=track,
        number=number,
        path=path,
        content_type=content_type,
        size_bytes=len(DATA),
        duration_seconds=4.0,
        created_at=0.0,
    )
    assert runtime.database.segments.insert(record)


def path_of(site: Site, asset: Asset, number: int = 0) -> str:
    token, _ = site.world.runtime.stream_tokens.mint(asset)
    return f"/stream/{token}/{asset.id}/{keys.segment_address(1, '360p', number, '.m4s')}"


def ask(site: Site, asset: Asset, number: int = 0, **headers: str) -> TestResponse:
    return site.client.get(path_of(site, asset, number), headers=headers)


def waits(site: Site) -> tuple[float, dict[str, Any]]:
    """How many requests were counted that met what was not made, and how long those waited that ended, by outcome."""
    found = site.world.runtime.metrics.registry.get_sample_value  # type: ignore[attr-defined]
    name, ended = "mediaflow_demand_wait_seconds", {}
    for outcome in awaiting.OUTCOMES:
        if (count := found(f"{name}_count", {"outcome": outcome})) > 0:
            assert count == 1
            ended[outcome] = found(f"{name}_sum", {"outcome": outcome})
    return found("mediaflow_demand_requests_total"), ended


@contextmanager
def meanwhile(act: Callable[[], object], seconds: float = 0.3) -> Iterator[None]:
    timer = threading.Timer(seconds, act)
    timer.start()
    try:
        yield
    finally:
        timer.join()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "LONGEST_SECONDS", 0.6)


def test_a_request_waits_for_its_segment_and_is_counted_once(site: Site, asset: Asset) -> None:
    began, before = time.monotonic(), _counted(site)
    with meanwhile(lambda: make(site, asset)):
        answer = ask(site, asset)
    assert waits(site) == (1, {"made": pytest.approx(0.35, abs=0.3)})
    assert (answer.status_code, answer.data, answer.mimetype) == (200, DATA, "video/mp4")
    assert 0.3 <= time.monotonic() - began < 5
    assert answer.headers["Cache-Control"].startswith("private, max-age=")
    assert _counted(site) == before + 1


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("number", "made", "wanted"),
    [
        pytest.param(0, False, ["360p", "audio-96k"], id="neither is there"),
        pytest.param(0, True, ["360p"], id="its sound is there"),
        pytest.param(1, False, ["360p"], id="the sound ends before"),
    ],
)
def test_the_sound_of_a_picture_is_begun_with_it(
    site: Site, asset: Asset, monkeypatch: pytest.MonkeyPatch, number: int, made: bool, wanted: list[str]
) -> None:
    seen: list[tuple[str, int]] = []
    real = Demand.want

    def want(demand: Demand, what: Wanted, may_begin: Callable[[], bool]) -> bool:
        seen.append((what.track, what.number))
        return real(demand, what, may_begin)

    monkeypatch.setattr(Demand, "want", want)
    if made:
        make(site, asset, track="audio-96k")
    is_problem(ask(site, asset, number), 503, "stream.not_made")
    once = list(dict.fromkeys(seen))
    assert once == [(track, number) for track in wanted]
    assert seen.count(("audio-96k", number)) <= 1, "asked again, the request looks after its picture alone"


def test_a_range_of_what_is_made_meanwhile(site: Site, asset: Asset) -> None:
    with meanwhile(lambda: make(site, asset)):
        answer = ask(site, asset, Range="bytes=2-4")
    assert (answer.status_code, answer.data) == (206, DATA[2:5])


@pytest.mark.usefixtures("impatient")
def test_who_waited_as_long_as_players_do_is_told_to_ask_again(site: Site, asset: Asset) -> None:
    began = time.monotonic()
    answer = ask(site, asset)
    is_problem(answer, 503, "stream.not_made")
    assert 0.5 <= time.monotonic() - began < 5
    assert (answer.headers["Retry-After"], answer.headers["Cache-Control"]) == ("2", "no-store")
    assert waits(site) == (1, {"refused": pytest.approx(0.65, abs=0.3)})


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"deleted_at": 1.0}, id="deleted"),
        pytest.param({"acl_epoch": 2}, id="made private"),
        pytest.param({"opened": None, "playable": False, "state": "failed"}, id="failed"),
    ],
)
def test_who_waits_is_judged_again(site: Site, asset: Asset, changes: dict[str, object]) -> None:
    def change() -> None:
        site.world.runtime.database.assets.change(asset.id, {}, changes)
        make(site, asset)

    with meanwhile(change):
        answer = ask(site, asset)
    is_problem(answer, 404, "asset.no_stream")
    assert waits(site) == (1, {"gone": pytest.approx(0.35, abs=0.3)})


def test_who_waits_for_what_is_gone_learns_it_soon(site: Site, asset: Asset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "AGAIN_SECONDS", 0.2)
    with meanwhile(lambda: site.world.runtime.database.assets.change(asset.id, {}, {"deleted_at": 1.0})):
        answer = ask(site, asset)
    is_problem(answer, 404, "asset.no_stream")
    assert waits(site) == (1, {"gone": pytest.approx(0.45, abs=0.4)})


def test_who_hangs_up_waits_no_more(site: Site, asset: Asset) -> None:
    environ = EnvironBuilder(path=path_of(site, asset)).get_environ()
    body = site.client.application.wsgi_app(environ, lambda *_: lambda _data: None)
    assert isinstance(next(iter(body)), Pause)
    assert waits(site) == (1, {})
    body.close()  # type: ignore[attr-defined]
    assert waits(site) == (1, {"left": pytest.approx(0.0, abs=0.3)})


def test_what_can_not_be_had_is_refused_at_once(site: Site, asset: Asset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Demand, "want", lambda *_: False)
    is_problem(ask(site, asset), 503, "stream.not_made")
    assert waits(site) == (1, {"refused": 0.0})


def test_no_more_are_waited_for_than_one_process_looks_for(
    site: Site, asset: Asset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(awaiting, "MOST", 0)
    began = time.monotonic()
    is_problem(ask(site, asset), 503, "stream.not_made")
    assert time.monotonic() - began < 0.5
    assert not site.world.runtime.awaiting.join(Awaited("x", asset.id, "ann"), lambda: None)


def test_many_who_wait_for_one_segment_cost_one_look(site: Site, asset: Asset, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[object] = []
    real = site.world.runtime.database.segments.find

    def counted(*arguments: object, **named: object) -> object:
        looks.append(arguments)
        return real(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(site.world.runtime.database.segments, "find", counted)
    woken = [threading.Event() for _ in range(100)]
    segment = segment_id(asset.id, 1, "360p", 0)
    for each in woken:
        assert site.world.runtime.awaiting.join(Awaited(segment, asset.id, "ann"), each.set)
    time.sleep(0.5)
    make(site, asset)
    assert all(each.wait(5) for each in woken)
    assert 1 <= len(looks) < 20


def test_who_waits_for_all_of_a_film_keeps_nobody_from_another(site: Site) -> None:
    waiting = site.world.runtime.awaiting

    def joined(asset: str, owner: str, first: int = 0) -> int:
        places = range(first, first + awaiting.MOST)
        return sum(waiting.join(Awaited(f"{asset}-{n}", asset, owner), lambda: None) for n in places)

    assert joined("film", "ann") == awaiting.MOST_OF_ONE
    assert waiting.join(Awaited("film-0", "film", "ann"), lambda: None), "what is waited for already costs nothing"
    assert not waiting.join(Awaited("one more", "film", "ann"), lambda: None)
    more = sum(joined(f"film {n}", "ann") for n in range(9))
    assert awaiting.MOST_OF_ONE + more == awaiting.MOST // 2, "of one owner a half"
    assert joined("another's", "bob") == awaiting.MOST_OF_ONE


def test_a_look_that_fails_is_not_the_last(site: Site, asset: Asset, monkeypatch: pytest.MonkeyPatch) -> None:
    segments, failed = site.world.runtime.database.segments, threading.Event()
    real = segments.find

    def failing(*arguments: object, **named: object) -> object:
        if failed.is_set():
            return real(*arguments, **named)  # type: ignore[arg-type]
        failed.set()
        raise ValueError("no")

    monkeypatch.setattr(segments, "find", failing)
    with meanwhile(lambda: make(site, asset)):
        began = time.monotonic()
        assert ask(site, asset).status_code == 200
    assert time.monotonic() - began < 5


def test_what_a_browser_could_run_it_keeps(site: Site, asset: Asset) -> None:
    make(site, asset, content_type="text/html")
    answer = ask(site, asset)
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="00000.m4s"'


def _counted(site: Site) -> float:
    registry = site.world.runtime.metrics.registry  # type: ignore[attr-defined]
    labels = {"method": "GET", "route": "/stream/<token>/<id:asset_id>/<path:path>", "status": "200"}
    return float(registry.get_sample_value("mediaflow_http_requests_total", labels) or 0)
