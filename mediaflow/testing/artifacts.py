"""What must hold for the files that a step made, whoever judges them."""

# ruff: noqa: S101
# assertions are what these functions are for

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pytest

from mediaflow.plugin import Artifact, PlannedTask


def check_opening(planned: list[PlannedTask], made: Mapping[str, list[Artifact]], root: Path) -> None:
    """Fail when what opens a presentation does not come true: `made` has the artifacts of each task, by name, which lie
    in a directory of that name below `root`.
    """
    rest = {task.name: made[task.name] for task in planned if task.rank > 0}
    for task in (task for task in planned if task.rank == 0):
        inits = [artifact for artifact in made[task.name] if artifact.role == "init"]
        assert inits, f"{task.name} has rank 0 and made no track"
        for init in inits:
            assert init.foretells is not None, f"{task.name} has rank 0; its init segments foretell their segments"
            assert init.describes is not None
            track, lengths = init.describes.name, [s for count, s in init.foretells.runs for _ in range(count)]
            first = [a.duration_seconds for a in made[task.name] if a.role == "segment" and a.track == track]
            assert first[:1] == pytest.approx(lengths[:1]), f"{task.name} made no first segment as long as foretold"
            whole = {name: [a for a in each if a.track == track] for name, each in rest.items()}
            assert any(whole.values()), f"{task.name} foretells {track}, which no task of a later rank makes"
            segments = {
                a.number or 0: a.duration_seconds for found in whole.values() for a in found if a.role == "segment"
            }
            told = f"{task.name} foretold segments of {track} that were made otherwise"
            assert [segments[number] for number in sorted(segments)] == pytest.approx(lengths), told
            begins = (root / task.name / init.path).read_bytes()
            for name, each in whole.items():
                others = {(root / name / a.path).read_bytes() for a in each if a.role == "init"}
                assert others <= {begins}, f"{task.name} and {name} made init segments of {track} that differ"


def check_told(told: list[Artifact], artifacts: list[Artifact]) -> None:
    """What was told of early is what was returned, each once, an init segment before what needs it."""
    assert len({artifact.path for artifact in told}) == len(told), "each file is told of once"
    assert [artifact for artifact in told if artifact not in artifacts] == [], "told of, and not returned like that"
    inits: set[str | None] = set()
    for artifact in told:
        if artifact.role == "init":
            inits.add(artifact.track)
        elif artifact.role == "segment":
            assert artifact.track in inits, f"{artifact.path} was told of before its init segment"


def check_file(artifact: Artifact, directory: Path) -> None:
    """The file is there, has the size that is told, and may be stored under its name."""
    path = PurePosixPath(artifact.path)
    assert not path.is_absolute()
    assert not any(part.startswith(".") for part in path.parts), "a storage key has no part that starts with a dot"
    assert (directory / path).stat().st_size == artifact.size_bytes > 0
    assert re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", artifact.content_type)


def check_segments(artifacts: list[Artifact]) -> None:
    """Tracks are whole: each has one init segment, and segments that are numbered without a gap."""
    inits = {a.describes.name for a in artifacts if a.role == "init" and a.describes is not None}
    assert len(inits) == sum(a.role == "init" for a in artifacts), "each init segment describes a track of its own"
    for track in {a.track for a in artifacts if a.role == "segment"}:
        assert track in inits, f"the segments of {track} have no init segment"
        mine = [a for a in artifacts if a.role == "segment" and a.track == track]
        numbers = [a.number for a in mine if a.number is not None]
        assert numbers == list(range(numbers[0], numbers[0] + len(mine)))
        assert all(a.duration_seconds is not None and a.duration_seconds > 0 for a in mine)
