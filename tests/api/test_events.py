"""Streams of events: none is missed, nobody hears what is not theirs, and they end when they must."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from mediaflow.api.http import eventstream
from mediaflow.api.http.eventstream import EventStream
from mediaflow.domain.errors import Unavailable
from mediaflow.domain.events import Event
from mediaflow.domain.records import Asset
from mediaflow.services.following import news as news_module
from mediaflow.services.following.news import Interest
from tests.api.site import Api, Site, is_problem
from tests.api.streams import Told, blocks, body_of, stream, told_so_far
from tests.services.records import a_job, a_task, an_asset

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def happens(site: Site, asset: Asset, name: str = "asset.ready", **data: Any) -> int:
    logged = site.world.runtime.events.append(Event(name, time.time(), asset.owner, asset.id, data=data))
    assert logged.number is not None
    return logged.number


def kept(site: Site, **fields: Any) -> Asset:
    asset = an_asset(**fields)
    site.world.runtime.database.assets.insert(asset)
    return asset


def names(events: list[Told]) -> list[str]:
    return [told.name for told in events]


def until(events: Iterator[Told], name: str) -> Told:
    return next(told for told in events if told.name == name)


def test_twenty_reconnections_miss_none_of_a_thousand_events(
    site: Site, ann: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    # some are read from memory, some from the log
    monkeypatch.setattr(news_module, "KEPT", 7)
    monkeypatch.setattr(news_module, "TURN_SECONDS", 0.02)
    asset, foreign = kept(site), kept(site, owner="bob")
    begin = str(happens(site, asset))

    def write() -> None:
        for index in range(1000):
            happens(site, asset, index=index)
            if index % 20 == 0:
                happens(site, foreign)

    writer = threading.Thread(target=write)
    writer.start()
    seen: list[Told] = []
    for _ in range(21):
        last = seen[-1].last_id if seen else begin
        with stream(ann, "/events?for_seconds=60", last) as events:
            for told in events:
                seen += [told] if told.name == "asset.ready" else []
                if told.name and (len(seen) % 48 == 0 or len(seen) == 1000):
                    break
    writer.join()
    assert [told.data["data"]["index"] for told in seen] == list(range(1000))
    numbers = [told.data["number"] for told in seen]
    assert numbers == [int(told.last_id or 0) for told in seen]
    assert numbers == sorted(set(numbers))


def test_each_hears_of_their_own(site: Site, ann: Api, bob: Api, admin: Api, stranger: Api) -> None:
    mine, his = kept(site, shared_with=["bob"]), kept(site, owner="bob")
    for asset in (mine, his):
        happens(site, asset, "asset.created", upload_id="u", filename="holiday.mp4")
        happens(site, asset, "asset.ready", generation=1)

    def heard(api: Api, path: str) -> list[tuple[str, str]]:
        return [
            (told.data["owner"], told.name)
            for told in told_so_far(api, path, "0")
            if told.last_id and "owner" in told.data
        ]

    made, ready = "asset.created", "asset.ready"
    assert heard(ann, "/events") == [("ann", made), ("ann", ready)]
    assert heard(ann, "/events?owner=ann") == heard(ann, "/events")
    is_problem(ann.get("/events?owner=bob&for_seconds=0"), 403)
    assert heard(admin, "/events") == [("ann", made), ("ann", ready), ("bob", made), ("bob", ready)]
    assert heard(admin, "/events?owner=bob") == [("bob", made), ("bob", ready)]
    assert heard(ann, f"/assets/{mine.id}/events") == [("ann", made), ("ann", ready)]
    # the owner shared a video, not its file's name
    assert heard(bob, f"/assets/{mine.id}/events") == [("ann", ready)]
    is_problem(ann.get(f"/assets/{his.id}/events"), 404)
    for path in ("/events", f"/assets/{mine.id}/events"):
        is_problem(stranger.get(path), 401)
        for sent in ({"headers": {"Last-Event-ID": "1e3"}}, {"query_string": {"last_event_id": "-1"}}):
            is_problem(ann.get(path, **sent), 422)
        head = ann.call("HEAD", path)
        assert (head.status_code, head.data, HEADERS.items() <= dict(head.headers).items()) == (200, b"", True)


def test_an_asset_is_told_as_it_is_and_then_what_happens(site: Site, ann: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(news_module, "TURN_SECONDS", 0.1)
    database = site.world.runtime.database
    asset = kept(site, state="processing", job_id="j" * 32)
    job = a_job(asset, id="j" * 32, state="running")
    running = a_task(job, "video-0", state="running", progress=0.25, weight=10.0)
    database.jobs.insert(job)
    for task in (running, a_task(job, "publish", stage="publish", weight=0.0)):
        database.tasks.insert(task)
    standing = {"asset_id": asset.id, "state": "processing", "eta_seconds": None, "playable": False}
    with stream(ann, f"/assets/{asset.id}/events") as one, stream(ann, "/events") as all_of_mine:
        assert until(one, "asset.progress").data == standing | {"progress": 0.25}
        assert until(all_of_mine, "asset.progress").data == standing | {"progress": 0.25}
        # when nothing changes, nothing is told: the next is the next change
        time.sleep(0.3)
        database.tasks.change(running.id, {}, {"progress": 0.5})
        for events in (one, all_of_mine):
            assert until(events, "asset.progress").data == standing | {"progress": 0.5}
        database.tasks.change(running.id, {}, {"state": "done"})
        database.assets.change(asset.id, {}, {"state": "ready", "playable": True})
        happens(site, asset, generation=1)
        for events in (one, all_of_mine):
            told = {told.name: told for told in (next(e for e in events if e.name) for _ in range(2))}
            assert told["asset.ready"].data["asset_id"] == asset.id
            assert told["asset.progress"].data["state"] == "ready"


def test_who_may_not_see_it_any_more_is_told_so_and_nothing_else(
    site: Site, ann: Api, bob: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eventstream, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(eventstream, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(news_module, "TURN_SECONDS", 0.05)
    made = ann.call("POST", "/api-keys", json={"name": "of a program"}).get_json()
    program = Api(site.client, made["key"])
    session = site.world.runtime.sessions.open(site.world.runtime.tokens.verify(ann.token or ""), 600)
    browser = Api(site.client)
    shared, deleted = kept(site, shared_with=["bob"]), kept(site)

    def ends(api: Api, path: str, act: Any, reason: str, **headers: str) -> None:
        answer = api.get(f"{path}?for_seconds=8", headers=headers)
        events = blocks(body_of(answer))
        next(events)
        act()
        happens(site, shared)
        told = [told for told in events if told.name]
        answer.close()
        assert (names(told[-1:]), told[-1].data["reason"]) == (["end"], reason)
        assert "asset.ready" not in names(told)

    ends(program, "/events", lambda: ann.call("DELETE", f"/api-keys/{made['id']}"), "auth.key_revoked")
    cookie = {"Cookie": f"mediaflow_session={session}"}
    ends(browser, "/events", lambda: site.world.runtime.sessions.close(session), "auth.session_ended", **cookie)
    path = f"/assets/{shared.id}/events"
    ends(bob, path, lambda: ann.call("PUT", f"/assets/{shared.id}/shares", json={"users": []}), "asset.not_found")
    path = f"/assets/{deleted.id}/events"
    ends(ann, path, lambda: ann.call("DELETE", f"/assets/{deleted.id}"), "asset.not_found")


def test_while_nobody_can_say_who_may_see_it_nothing_is_told_and_nothing_is_lost(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eventstream, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(eventstream, "LOOK_SECONDS", 0.1)
    away = threading.Event()

    def check() -> bool:
        if away.is_set():
            raise Unavailable("The database does not answer.")
        return True

    happens(site, kept(site))
    body = EventStream(site.world.runtime.news, Interest(), check, after=0, resumed=True, seconds=60)
    away.set()
    told = blocks(body)
    assert [next(told).name for _ in range(3)] == ["", "", ""]
    away.clear()
    assert next(told).name == "asset.ready"
    body.close()


def test_who_was_away_for_longer_than_the_log_begins_anew(site: Site, ann: Api) -> None:
    asset, events = kept(site), site.world.runtime.events
    numbers = [happens(site, asset) for _ in range(3)]
    assert names(told_so_far(ann, "/events", "1")) == ["asset.ready"] * 2 + ["end"]
    events.forget(before=time.time() + 1)  # the last stays
    for lost in ("1", str(numbers[-1] + 5)):
        told = told_so_far(ann, f"/events?last_event_id={lost}")
        assert (names(told), told[0].last_id) == (["reset", "end"], str(numbers[-1]))
    assert names(told_so_far(ann, "/events", str(numbers[-1] - 1))) == ["asset.ready", "end"]
    assert told_so_far(ann, "/events")[-1].data["reason"] == "stream.time"


def test_a_stream_that_nobody_reads_costs_nothing(site: Site, ann: Api) -> None:
    def threads() -> int:
        return sum(thread.name == "news" for thread in threading.enumerate())

    before = threads()
    with stream(ann, "/events") as first, stream(ann, "/events") as second:
        assert (next(first).name, next(second).name, threads()) == ("", "", before + 1)
    time.sleep(news_module.TURN_SECONDS * 2)
    assert threads() == before


def test_streams_have_their_places(site: Site, ann: Api, bob: Api) -> None:
    settings = site.world.runtime.settings
    open_now = [ann.get("/events") for _ in range(settings.event_streams_per_user)]
    refused = ann.get("/events")
    assert is_problem(refused, 429, "limit.event_streams")["limit"] == settings.event_streams_per_user
    assert int(refused.headers["Retry-After"]) > 0
    users = [site.as_user(f"user{number}") for number in range(4)]
    wanted = settings.event_streams_per_address - settings.event_streams_per_user
    open_now += [users[number % 4].get("/events") for number in range(wanted)]
    is_problem(bob.get("/events"), 429, "limit.event_streams")
    for answer in open_now:
        assert answer.status_code == 200
        answer.close()
    for api in (ann, bob):
        told_so_far(api, "/events")
