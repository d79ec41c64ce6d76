"""Who begins to watch while more is waited for than can be made."""

from __future__ import annotations

from pathlib import Path

import pytest

from mediaflow.services.delivery import crowding
from tests.services.test_opening import addresses
from tests.services.working import LARGE, SECONDS, SMALL, ask, published_file, ready, small_world, watched_clip, work
from tests.services.world import World

BEGINNER = crowding.Beginner("ann", "10.0.0.1")
source, world = watched_clip, small_world


def wait_too_long(world: World) -> None:
    """The pieces that wait for a worker have waited for 10 s."""
    for task in world.runtime.database.tasks.find({"state": "pending", "stage": "step"}):
        world.runtime.database.tasks.change(task.id, {}, {"created_at": task.created_at - 10})


def test_while_more_is_waited_for_than_is_made_who_begins_is_offered_what_is_made_in_any_case(
    world: World, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asset = ready(world, source)
    assert asset.published is not None
    entry = asset.published.outputs[0].path
    assert f"{LARGE}.m3u8".encode() in published_file(world, asset, entry)
    monkeypatch.setattr(crowding, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(crowding, "OFFERED_SECONDS", 0.0)
    assert ask(world, asset, addresses(world, asset, LARGE)[1])
    assert f"{LARGE}.m3u8".encode() in published_file(world, asset, entry), "it has only just been asked for"
    wait_too_long(world)
    fewer = published_file(world, asset, entry)
    assert f"{LARGE}.m3u8".encode() not in fewer
    assert f"{SMALL}.m3u8".encode() in fewer
    work(world)
    assert f"{LARGE}.m3u8".encode() in published_file(world, asset, entry)


def test_who_begins_together_is_not_offered_more_than_can_be_made(world: World, source: Path) -> None:
    now, asset = 100.0, ready(world, source)
    shown = asset.published
    assert shown is not None
    crowd = crowding.Crowding(world.runtime.database, 2, lambda: now)
    assert [crowd.may_offer(asset.id, shown, BEGINNER) for _ in range(5)] == [True, True, False, False, False]
    now += crowding.OFFERED_SECONDS
    assert crowd.may_offer(asset.id, shown, BEGINNER), "those of before are gone, or wait for pieces"
    addressed = addresses(world, asset, LARGE)
    assert ask(world, asset, addressed[1])
    assert ask(world, asset, addressed[-1])
    now += crowding.OFFERED_SECONDS
    assert not crowd.may_offer(asset.id, shown, BEGINNER), "two are under way"
    work(world)
    now += crowding.LOOK_SECONDS
    assert crowd.may_offer(asset.id, shown, BEGINNER)
    for number in range(SECONDS):
        if not world.runtime.database.segments.count({"track": LARGE, "number": number}):
            assert ask(world, asset, addressed[1 + number])
            work(world)
    now += crowding.LOOK_SECONDS
    assert all(crowd.may_offer(asset.id, shown, BEGINNER) for _ in range(9)), "nothing has to be made any more"


def test_who_fills_the_room_keeps_no_others_from_theirs(world: World, source: Path) -> None:
    now, asset = 100.0, ready(world, source)
    shown = asset.published
    assert shown is not None
    crowd = crowding.Crowding(world.runtime.database, 6, lambda: now)
    loud, other = crowding.Beginner("eve", "10.0.0.1"), crowding.Beginner("ann", "10.0.0.2")

    def offered(who: crowding.Beginner, times: int) -> int:
        return sum(crowd.may_offer(asset.id, shown, who) for _ in range(times))

    assert all(crowd.may_offer(asset.id, shown, loud, begins=False) for _ in range(9)), "to look is not to begin"
    assert offered(loud, 20) == 6, "alone it may fill the room"
    assert offered(other, 20) == 3, "two have a half each"
    assert offered(crowding.Beginner("ann", "10.0.0.3"), 20) == 2, "of one owner, from elsewhere"
    # pieces of one owner that wait too long are no lateness of another's
    addressed = addresses(world, asset, LARGE)
    assert ask(world, asset, addressed[1])
    wait_too_long(world)
    now += crowding.OFFERED_SECONDS
    assert not crowd.may_offer(asset.id, shown, crowding.Beginner(asset.owner, "10.0.0.1"))
    assert crowd.may_offer(asset.id, shown, crowding.Beginner("somebody else", "10.0.0.1"))
