"""The outbox: what a write tells is told at least once, whoever dies when, and is in the log once and in its place."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from mediaflow.domain.errors import Unavailable
from mediaflow.domain.eventlog import Tombstone
from mediaflow.domain.events import Event
from mediaflow.domain.records import Asset
from mediaflow.services.events.log import EventLog
from mediaflow.services.events.relay import OVERDUE_SECONDS
from mediaflow.services.events.telling import telling, with_told
from mediaflow.services.ports import Below, Database, Put
from mediaflow.services.upkeep.cleanup import DAY_SECONDS
from tests.services.pipeline import Pipeline
from tests.services.records import an_asset
from tests.services.world import Heard, World, a_relay


class Died(BaseException):
    """What a process that is killed leaves behind, without the process."""


class Frail:
    """A database or repository whose n-th call raises; the calls before are made."""

    def __init__(self, inner: Any, count: Callable[[], None]) -> None:
        self._inner, self._count = inner, count

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found):
            return Frail(found, self._count)

        def called(*args: Any, **named: Any) -> Any:
            self._count()
            return found(*args, **named)

        return called


def dying(inner: Any, at: int, error: BaseException) -> Any:
    """The database, whose call number `at` raises instead, and each one after it."""
    calls = iter(range(at))

    def count() -> None:
        if next(calls, None) is None:
            raise error

    return Frail(inner, count)


@pytest.fixture
def asset(database: Database) -> Asset:
    made = an_asset()
    database.assets.insert(made)
    return made


def an_event(asset: Asset, title: str, at: float = 1.0) -> Event:
    return Event("asset.updated", at, "ann", asset.id, data={"changes": {"title": title}})


def told(heard: Heard) -> list[str]:
    return [event.data["changes"]["title"] for event in heard.events]


def logged(database: Database) -> list[tuple[int | None, str]]:
    return [(event.number, event.data["changes"]["title"]) for event in EventLog(database).after(0)]


def outbox_of(database: Database, asset: Asset) -> tuple[dict[str, Any], float | None]:
    found = database.assets.get(asset.id)
    assert found is not None
    return found.outbox, found.tell_at


# --- at once


def test_a_change_is_told_at_once_with_its_place_in_the_log(database: Database, asset: Asset) -> None:
    heard, events = Heard(), [an_event(asset, "a"), an_event(asset, "b")]
    relay = a_relay(database, heard)
    for number, event in enumerate(events, 1):
        changed = relay.change(database.assets, asset.id, {"deleted_at": None}, {"title": "x"}, event)
        assert changed == database.assets.get(asset.id)
        assert heard.events[-1] == replace(event, number=number)
    assert outbox_of(database, asset) == ({}, None)
    assert EventLog(database).after(0) == heard.events


def test_a_change_that_is_not_made_tells_nothing(database: Database, asset: Asset) -> None:
    heard, event = Heard(), an_event(asset, "x")
    missed = a_relay(database, heard).change(database.assets, asset.id, {"rev": 9}, {"title": "x"}, event)
    assert (missed, heard.events, logged(database), outbox_of(database, asset)) == (None, [], [], ({}, None))


# --- what dies


def test_an_event_is_told_whenever_its_process_dies(database: Database) -> None:
    """Each call of the database is the last one of the process once, then a sweep comes."""
    for at in range(1, 30):
        asset, first, second = an_asset(), Heard(), Heard()
        database.assets.insert(asset)
        before = EventLog(database).last()
        frail = dying(database, at, Died())
        relay, event = a_relay(frail, first), an_event(asset, str(at))
        try:
            changed = relay.change(frail.assets, asset.id, {}, {"title": str(at)}, event)
        except Died:
            changed = None
        overdue(database, asset)
        a_relay(database, second).sweep()
        written = database.assets.get(asset.id)
        assert written is not None
        was_made = written.title == str(at)
        assert set(told(first) + told(second)) == ({str(at)} if was_made else set()), at
        assert [e.id for e in EventLog(database).after(before)] == [event.id] * was_made, at
        assert outbox_of(database, asset) == ({}, None)
        if changed is not None:
            return
    raise AssertionError("it never came through")


def test_a_database_that_goes_away_harms_no_change(database: Database, asset: Asset) -> None:
    """From the second call on it is away: the change is made, and told by the next sweep."""
    heard = Heard()
    frail = dying(database, 1, Unavailable("Gone."))
    changed = a_relay(frail, heard).change(frail.assets, asset.id, {}, {"title": "New"}, an_event(asset, "New"))
    assert changed is not None
    assert (changed.title, heard.events) == ("New", [])
    a_relay(frail, heard).tell(frail.assets, asset.id)
    overdue(database, asset)
    a_relay(database, heard).sweep()
    assert (told(heard), logged(database)) == (["New"], [(1, "New")])


def overdue(database: Database, asset: Asset) -> None:
    """Time passes, if anything waits."""
    found = database.assets.get(asset.id)
    if found is not None and found.tell_at is not None:
        database.assets.change(asset.id, {}, {"tell_at": database.now() - OVERDUE_SECONDS - 1})


def test_what_somebody_tells_right_now_is_not_swept(database: Database, asset: Asset) -> None:
    heard = Heard()
    database.assets.change(asset.id, {}, telling(an_event(asset, "mine", at=database.now())))
    a_relay(database, heard).sweep()
    assert heard.events == []


def test_two_changes_before_anybody_tells_lose_none(database: Database, asset: Asset) -> None:
    """The second one tells its own event only: the first one's process may be about to."""
    heard, first, second = Heard(), an_event(asset, "first"), an_event(asset, "second", at=2.0)
    relay = a_relay(database, heard)
    database.assets.change(asset.id, {}, telling(first))
    relay.change(database.assets, asset.id, {}, {}, second)
    assert (told(heard), outbox_of(database, asset)) == (["second"], ({first.id: first.document()}, 2.0))
    overdue(database, asset)
    relay.sweep()
    assert (told(heard), outbox_of(database, asset)) == (["second", "first"], ({}, None))


def test_what_comes_while_it_is_told_stays_to_be_told(database: Database, asset: Asset) -> None:
    late = an_event(asset, "late", at=7.0)

    class Meanwhile(Heard):
        def publish_event(self, event: Event) -> None:
            super().publish_event(event)
            database.assets.change(asset.id, {}, telling(late))

    a_relay(database, Meanwhile()).change(database.assets, asset.id, {}, {}, an_event(asset, "early"))
    assert outbox_of(database, asset) == ({late.id: late.document()}, 7.0)


def test_a_waiting_event_goes_before_its_record_does(database: Database, asset: Asset) -> None:
    heard = Heard()
    database.assets.change(asset.id, {}, telling(an_event(asset, "last words")))
    assert not a_relay(database, heard).remove(database.assets, asset.id, {"state": "ready"})
    assert a_relay(database, heard).remove(database.assets, asset.id, {"state": asset.state})
    assert (told(heard), database.assets.get(asset.id)) == (["last words"], None)
    assert not a_relay(database).remove(database.assets, asset.id)


def test_an_event_of_a_newer_version_is_left_to_it_and_stops_nothing(database: Database, asset: Asset) -> None:
    heard, newer = Heard(), {"name": "asset.dreamed", "at": 1.0, "owner": "ann", "asset_id": asset.id}
    changes = telling(an_event(asset, "known"))
    database.assets.change(asset.id, {}, {**changes, "outbox": Put({**changes["outbox"].members, "later": newer})})
    a_relay(database, heard).sweep()
    found = database.assets.get(asset.id)
    assert found is not None
    assert (told(heard), found.outbox, found.tell_at is not None) == (["known"], {"later": newer}, True)


def test_a_record_whose_words_can_not_be_told_stays(database: Database, asset: Asset) -> None:
    database.assets.change(asset.id, {}, telling(an_event(asset, "last words")))
    frail = dying(database, 2, Unavailable("Gone."))
    with pytest.raises(Unavailable):
        a_relay(frail).remove(frail.assets, asset.id)
    assert database.assets.get(asset.id) is not None


# --- the log


def test_numbers_are_consecutive_and_seen_in_order_however_many_append(database: Database) -> None:
    """A reader who goes on after the last number that it saw misses none."""
    log, assets, seen, done = EventLog(database), [an_asset() for _ in range(4)], list[int](), threading.Event()

    def append(asset: Asset) -> None:
        for title in range(25):
            log.append(an_event(asset, str(title)))

    def read() -> None:
        while True:
            ended = done.is_set()
            seen.extend(event.number or 0 for event in log.after(seen[-1] if seen else 0, limit=7))
            if ended and seen[-1:] == [log.last()]:
                return

    writers = [threading.Thread(target=append, args=(asset,)) for asset in assets]
    with running(threading.Thread(target=read)):
        for thread in writers:
            thread.start()
        for thread in writers:
            thread.join()
        done.set()
    assert seen == list(range(1, 101))
    assert [event.data["changes"]["title"] for event in log.after(0, asset_id=assets[0].id)] == [*map(str, range(25))]


@contextmanager
def running(thread: threading.Thread) -> Iterator[None]:
    thread.start()
    yield
    thread.join(30)
    assert not thread.is_alive()


def test_an_event_that_is_there_is_not_appended_again(database: Database, asset: Asset) -> None:
    log, event = EventLog(database), an_event(asset, "once")
    assert [log.append(event).number, log.append(an_event(asset, "x")).number, log.append(event).number] == [1, 2, 1]


def test_old_events_go_and_numbers_go_on(database: Database, asset: Asset) -> None:
    log = EventLog(database)
    for at in (1.0, 2.0, 3.0):
        log.append(an_event(asset, "old", at))
    # it happened long ago, and nobody could read it before
    log.forget(database.now() - 60)
    assert (log.first(), log.last()) == (1, 3)
    for logged in database.events.find({"number": Below(3)}):
        database.events.change(logged.id, {}, {"logged_at": 1.0})
    log.forget(database.now() - 60)
    assert (log.first(), log.last()) == (3, 3)
    # the last one of all tells where the numbers are
    log.forget(1e12)
    assert log.append(an_event(asset, "new", 4.0)).number == 4
    log.forget(1e12)
    assert [event.number for event in log.after(0)] == [4]


def test_readers_get_what_they_ask_for(database: Database) -> None:
    log, mine, other = EventLog(database), an_asset(), an_asset()
    for asset in (mine, other, mine):
        log.append(an_event(asset, "x"))
    log.append(Event("asset.purged", 1.0, "bob", "b"))
    assert [event.number for event in log.after(0, asset_id=mine.id)] == [1, 3]
    assert [event.number for event in log.after(1, owner="ann", limit=1)] == [2]
    assert [event.number for event in log.after(3)] == [4]


# --- purges


def test_a_purge_is_told_when_everything_is_gone_and_leaves_a_stone(world: World) -> None:
    pipeline, database = Pipeline(world), world.runtime.database
    asset_id = pipeline.stored()
    heard = Heard()
    relay, event = replace(world.runtime.relay, listeners=heard), Event("asset.purged", 1.0, "ann", asset_id)
    # the stone is set, and the process dies before the document goes
    database.tombstones.insert(Tombstone(id=asset_id, owner="ann", purged_at=1.0, **with_told(event)))
    relay.sweep()
    assert heard.events == []
    database.assets.remove(asset_id)
    database.tombstones.change(asset_id, {}, {"tell_at": 1.0})
    relay.sweep()
    assert [(event.name, event.asset_id, event.number is not None) for event in heard.events] == [
        ("asset.purged", asset_id, True)
    ]
    relay.sweep()
    assert len(heard.events) == 1
    (cleanup,) = (each for each in world.runtime.reconciler.sweepers if hasattr(each, "event_days"))
    stone = database.tombstones.get(asset_id)
    assert (stone and stone.tell_at, stone and stone.outbox) == (None, {})
    database.tombstones.change(asset_id, {}, {"purged_at": database.now() - 29 * DAY_SECONDS})
    cleanup.sweep()
    assert database.tombstones.get(asset_id) is not None
    database.tombstones.change(asset_id, {}, {"purged_at": database.now() - 31 * DAY_SECONDS})
    cleanup.sweep()
    assert database.tombstones.get(asset_id) is None
