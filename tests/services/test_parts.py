"""How planned tasks become parts."""

from __future__ import annotations

import pytest

from mediaflow.plugin import Part, PlannedTask
from mediaflow.services.pipeline.parts import divided, recipes_of


@pytest.mark.parametrize(
    ("segments", "weight", "parts"),
    [
        (0, 100.0, [None]),
        (15, 5.0, [(0, 15)]),
        (15, 20.0, [(0, 15)]),
        (15, 80.0, [(0, 3), (3, 4), (7, 4), (11, 4)]),
        (3, 100.0, [(0, 3)]),
        (1, 100.0, [(0, 1)]),
        (5, 1000.0, [(0, 2), (2, 3)]),
    ],
)
def test_parts_follow_each_other_and_take_about_the_same(
    segments: int, weight: float, parts: list[tuple[int, int] | None]
) -> None:
    task = PlannedTask("video", makes=("720p", "480p"), weight=weight, segments=segments, rank=1)
    found = [(None if p.part is None else (p.part.first, p.part.count)) for p in divided([("video.h264", task)])]
    assert found == parts


@pytest.mark.parametrize(
    ("segments", "weight", "counts"),
    [(15, 20.0, [15]), (15, 80.0, [3, 4, 4, 2, 1, 1]), (4, 40.0, [2, 1, 1]), (30, 40.0, [15, 8, 4, 3])],
)
def test_what_is_made_last_ends_in_small_parts(segments: int, weight: float, counts: list[int]) -> None:
    task = PlannedTask("video", makes=("720p",), weight=weight, segments=segments, rank=2)
    pieces = divided([("video.h264", task)])
    assert [piece.part.count for piece in pieces if piece.part] == counts
    assert sum(piece.task.weight for piece in pieces) == pytest.approx(weight, abs=0.01)


def test_a_film_has_so_many_parts_at_most() -> None:
    pieces = divided([("video.h264", PlannedTask("video", makes=("720p",), weight=1e6, segments=50_000))])
    assert len(pieces) == 200
    assert pieces[-1].part is not None
    assert sum(piece.part.count for piece in pieces if piece.part) == 50_000
    assert len({piece.task.name for piece in pieces}) == 200
    assert sum(piece.task.weight for piece in pieces) == pytest.approx(1e6)


def test_what_needs_a_task_needs_all_its_parts_and_of_what_is_on_demand_there_are_init_segments() -> None:
    planned = [
        ("video.h264", PlannedTask("video-0", makes=("360p",), weight=50.0, segments=6)),
        ("video.h264", PlannedTask("video-1080p", makes=("1080p",), weight=50.0, segments=6, when="on_demand")),
        ("mine.text", PlannedTask("text", needs=("video-0",), weight=1.0)),
    ]
    pieces = {piece.task.name: piece for piece in divided(planned)}
    assert list(pieces) == ["video-0_0", "video-0_2", "video-0_4", "video-0_5", "video-1080p_init", "text"]
    assert pieces["text"].task.needs == ("video-0_0", "video-0_2", "video-0_4", "video-0_5")
    inits = pieces["video-1080p_init"]
    assert (inits.part, inits.task.rank, inits.task.optional) == (Part(("1080p",), 0, 0), 0, False)
    assert [(r.task, r.tracks, r.when) for r in recipes_of(planned)] == [
        ("video-0", ("360p",), "eager"),
        ("video-1080p", ("1080p",), "on_demand"),
    ]
