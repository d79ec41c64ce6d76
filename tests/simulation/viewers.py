"""Viewers: they ask for any segment that an asset promises, at any moment, and go on while it changes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from mediaflow.domain import keys
from mediaflow.domain.errors import MediaflowError
from mediaflow.domain.ids import segment_id
from mediaflow.domain.records import Asset
from mediaflow.services.delivery.awaiting import LONGEST_SECONDS, NotMade
from mediaflow.services.delivery.delivery import Place
from mediaflow.services.delivery.wanted import Wanted
from tests.simulation.actors import Client, Fleet, NoAnswer
from tests.simulation.scheduler import Process
from tests.simulation.world import Node, World

LOOK_SECONDS: Final = 1.0
PATIENCE_SECONDS: Final = 600.0
"""So long somebody who asks again and again waits for a piece that fails again and again."""
LOOKED_AT: Final = 2
"""So many segments of each asset are asked for at the end."""


@dataclass(frozen=True)
class Seat:
    """Somebody's place in a track: all that a player knows."""

    token: str
    asset_id: str
    generation: int
    track: str
    count: int

    def path(self, number: int) -> str:
        return keys.segment_address(self.generation, self.track, number, ".m4s")


def audience(world: World, fleet: Fleet) -> None:
    """In histories in which films are made in parts: a few who watch whatever there is."""
    if not world.parts:
        return
    outside = Process("outside", world.scheduler)
    for number in range(world.rng.choice((1, 2, 4))):
        viewer = Client(world, fleet, f"viewer{number}")
        world.scheduler.spawn(viewer.name, outside, partial(_evening, viewer), world.rng.uniform(0, 20))
    if world.rng.random() < 0.7:
        world.scheduler.spawn("owner", outside, lambda: _changes(world, fleet), world.rng.uniform(10, 60))


def _changes(world: World, fleet: Fleet) -> None:
    """Owners change what is watched at this very moment."""
    rng = world.rng
    while not world.calm:
        world.scheduler.pause(rng.choice((1.0, 5.0, 20.0)))
        ready = [asset for asset in world.database.records("assets") if asset.state == "ready"]
        if ready:
            asset = rng.choice(ready)
            for what, act in rng.choice(_acts(Client(world, fleet, asset.owner), asset.id)):
                Client(world, fleet, asset.owner).surely(what, act, 3)
                world.scheduler.pause(rng.choice((0.0, 1.0, 30.0)))


def _acts(me: Client, asset_id: str) -> list[list[tuple[str, Callable[[Node], Any]]]]:
    owner, profile = me.principal, me.world.rng.choice(("one", "one", "two", None))
    vtt, at = b"WEBVTT\n\n00:00.000 --> 00:01.000\nHi\n", me.world.rng.choice((None, 0.5, 1.0))
    caption = {"label": None, "default": False}
    return [
        [("reprocess", lambda node: node.reprocess.asset(owner, asset_id, profile))],
        [("reprocess", lambda node: node.reprocess.asset(owner, asset_id, profile))],
        [("caption", lambda node: node.captions.put(owner, asset_id, "en", [vtt], **caption))],
        [("uncaption", lambda node: node.captions.remove(owner, asset_id, "en"))],
        [("picture", lambda node: node.posters.choose(owner, asset_id, at))],
        [
            ("delete", lambda node: node.trash.delete(owner, asset_id)),
            ("restore", lambda node: node.trash.restore(owner, asset_id)),
        ],
        [("show", lambda node: node.editing.change(owner, asset_id, {"visibility": "public"}))],
    ]


def _evening(me: Client) -> None:
    world, rng = me.world, me.world.rng
    known: list[Seat] = []
    while not world.calm:
        world.scheduler.pause(rng.choice((0.2, 2.0, 10.0)))
        there = [asset for asset in world.database.records("assets") if asset.shown and asset.deleted_at is None]
        if there:
            with suppress(MediaflowError, NoAnswer):
                if not known or rng.random() < 0.6:  # else on with what it learned a while ago
                    known = _seats(me, rng.choice(there)) or known
                if known and rng.random() < 0.2:
                    _greedy(me, [seat for seat in known if seat.count > 10])
                elif known:
                    _film(me, rng.choice(known))


def _film(me: Client, seat: Seat) -> None:
    """Watch from somewhere on for a while, and seek."""
    world, rng = me.world, me.world.rng
    number = rng.randrange(-1, seat.count)
    for _ in range(rng.choice((1, 3, 6))):
        _once(me, seat, number)
        number = (number + 1 if rng.random() < 0.8 else rng.randrange(seat.count)) % seat.count
        world.scheduler.pause(rng.choice((0.1, 2.0, 2.0, 15.0)))


def _greedy(me: Client, seats: list[Seat]) -> None:
    """A bad player, or twenty at once: all that there is, within seconds."""
    outside = Process("outside", me.world.scheduler)
    for seat in seats:
        for each in range(0, seat.count, 2):
            after = me.world.rng.uniform(0, 12)
            me.world.scheduler.spawn(me.name, outside, partial(_once, me, seat, each), after)


def _seats(me: Client, asset: Asset) -> list[Seat]:
    """What a player learns when it begins."""
    found = me.ask("play", lambda node: node.delivery.addresses(asset))
    shown = found.asset.shown
    return [Seat(found.token, asset.id, shown.generation, track, count) for track, count in shown.awaited.items()]


def _once(me: Client, seat: Seat, number: int) -> bool:
    with suppress(MediaflowError, NoAnswer):
        me.ask(f"send segment {number} of {seat.track}", lambda node: _sent(node, seat, number))
        return True
    return False


def _sent(node: Node, seat: Seat, number: int) -> Place:
    """A request: at once when the segment is there, else somebody sees to it and this waits."""
    world, path = node.world, seat.path(number)
    try:
        place = _admitted(node, seat, path)
    except NotMade as error:
        node.process.sleep(world.rng.choice((0.0, 0.0, 0.0, 0.5, 5.0)))
        if not _is_wanted(node, error.wanted):
            raise
        waited = 0.0
        while waited < LONGEST_SECONDS and node.database.segments.get(error.wanted.id) is None:
            node.process.sleep(LOOK_SECONDS)
            waited += LOOK_SECONDS
        place = _admitted(node, seat, path)
    _look_at(world, seat, number, place)
    return place


def _admitted(node: Node, seat: Seat, path: str) -> Place:
    """Where it lies; NotMade and this both say that it is watched."""
    began = node.database.now()
    try:
        place = node.delivery.admit(seat.token, seat.asset_id, path)
    except NotMade:
        _note(node.world, seat, began)
        raise
    _note(node.world, seat, began)
    return place


def _note(world: World, seat: Seat, began: float) -> None:
    observed = world.observed
    if observed.watched.get(seat.asset_id, 0.0) < began - world.longest_watch:
        observed.found_cold[seat.asset_id] = began
    observed.watched[seat.asset_id] = began


def _is_wanted(node: Node, wanted: Wanted) -> bool:
    observed = node.world.observed
    observed.asking += 1
    observed.most_asking = max(observed.most_asking, observed.asking)
    try:
        return node.demand.want(wanted)
    finally:
        observed.asking -= 1


def _look_at(world: World, seat: Seat, number: int, place: Place) -> None:
    """What is sent is there, and is what was sent before."""
    asset = world.database.assets.records.get(seat.asset_id)
    shown = asset and asset.shown
    if asset is None or shown is None or asset.deleted_at is not None:
        return  # by now
    if shown.awaits(seat.path(number), world.scheduler.now) and place.key not in world.storage.objects:
        world.breaks("what is sent is there", f"{place.key} is not")
    segment = segment_id(seat.asset_id, seat.generation, seat.track, number)
    if world.observed.sent.setdefault(segment, place.key) != place.key:
        world.breaks("what is sent stays", f"{place.key} was {world.observed.sent[segment]} before")


# --- at the end


def ask_for_what_is_promised(world: World, fleet: Fleet) -> None:
    """When nothing goes wrong any more, whatever a published asset promises is made for who asks for it."""
    outside = Process("outside", world.scheduler)
    for asset in world.database.records("assets"):
        if asset.published is None or asset.deleted_at is not None:
            continue
        for track, count in asset.published.awaited.items():
            for number in (-1, *(world.rng.randrange(count) for _ in range(LOOKED_AT))):
                me = Client(world, fleet, f"client{number}")
                world.scheduler.spawn(me.name, outside, partial(_patiently, me, asset, track, number))


def _patiently(me: Client, asset: Asset, track: str, number: int) -> None:
    world = me.world
    until = world.scheduler.now + PATIENCE_SECONDS
    while world.scheduler.now < until:
        now = world.database.assets.records.get(asset.id)
        if now is None or now.deleted_at is not None or now.generation != asset.generation:
            return
        with suppress(MediaflowError, NoAnswer):
            seat = next(seat for seat in _seats(me, now) if seat.track == track)
            if _once(me, seat, number):
                return
        world.scheduler.pause(2.0)
    world.breaks("what is promised is made", f"segment {number} of {track} of {asset.id} is not")
