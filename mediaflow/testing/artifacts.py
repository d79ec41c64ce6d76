"""What must hold for the files that a step made, whoever judges them."""

# ruff: noqa: S101
# assertions are what these functions are for

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

import pytest

from mediaflow.plugin import (
    MEDIA_OFFSET_SECONDS,
    Artifact,
    Foretold,
    Part,
    PlannedTask,
    TaskFiles,
    read_init,
    read_segment,
)

_DELAY_SECONDS: Final = 0.1
MOST_CAPTION_BYTES: Final = 512 * 1024
"""Captions of the asset have no more."""


def check_opening(planned: Iterable[PlannedTask], made: Mapping[str, TaskFiles]) -> None:
    """Fail when what opens a presentation does not come true. `planned` are all tasks of a step, `made` is what each of
    them made, by its name.
    """
    planned = list(planned)
    rest = [made[task.name] for task in planned if task.rank > 0]
    for name in (task.name for task in planned if task.rank == 0):
        inits = [artifact for artifact in made[name].artifacts if artifact.role == "init"]
        assert inits, f"{name} has rank 0 and made no track"
        for init in inits:
            _check_opened(name, made[name], init, rest)


def _check_opened(name: str, opening: TaskFiles, init: Artifact, rest: Iterable[TaskFiles]) -> None:
    """One track, whose init segment is the opening's."""
    told, track = init.foretells, init.describes and init.describes.name
    assert told is not None, f"{name} has rank 0; its init segments foretell their segments"
    lengths = [seconds for count, seconds in told.runs for _ in range(count)]
    first = [a.duration_seconds for a in opening.artifacts if a.role == "segment" and a.track == track]
    assert not first or first[:1] == pytest.approx(lengths[:1]), f"{name} made a first segment not as long as foretold"
    whole = [(files, artifact) for files in rest for artifact in files.artifacts if artifact.track == track]
    assert whole, f"{name} foretells {track}, which no task of a later rank makes"
    numbered = {artifact.number or 0: artifact for _, artifact in whole if artifact.role == "segment"}
    segments = [(numbered[number].duration_seconds or 0.0, numbered[number].size_bytes) for number in sorted(numbered)]
    assert [seconds for seconds, _ in segments] == pytest.approx(lengths), f"{name} foretold {track} otherwise"
    check_rates(told, [(seconds, 8 * size) for seconds, size in segments], name)
    begins = {opening.path(init).read_bytes()}
    others = {files.path(artifact).read_bytes() for files, artifact in whole if artifact.role == "init"}
    assert others <= begins, f"{name} made an init segment of {track} that differs from the whole track's"


def check_part(task: PlannedTask, part: Part, made: TaskFiles, inits: dict[str, bytes]) -> None:
    """Fail when what was made is not just the part of the task, with the numbers, lengths and times that it has in the
    whole. `inits` are the tracks' init segments of other parts; this one's are put in.
    """
    found = {artifact.track: artifact for artifact in made.artifacts if artifact.role == "init"}
    assert set(found) == set(part.tracks), f"{task.name} was asked for {part} and made {sorted(map(str, found))}"
    for track, init in found.items():
        assert init.describes is not None
        assert init.describes.name == track
        assert init.foretells is not None, f"{task.name} is made in parts; its init segments foretell their segments"
        assert init.foretells.segment_count == task.segments, f"{task.name} foretold {track} otherwise"
        begins = made.path(init).read_bytes()
        assert inits.setdefault(init.describes.name, begins) == begins, f"the init segment of {track} differs by part"
        lengths = [seconds for count, seconds in init.foretells.runs for _ in range(count)]
        mine = [artifact for artifact in made.artifacts if artifact.role == "segment" and artifact.track == track]
        numbers = list(range(part.first, part.first + part.count))
        assert [artifact.number for artifact in mine] == numbers, f"{task.name} was asked for {part}"
        for number, artifact in zip(numbers, mine, strict=True):
            assert artifact.duration_seconds == pytest.approx(lengths[number]), f"{artifact.path} is not as foretold"
            head = read_init(made.path(init))
            time = read_segment(made.path(artifact), head).decode_time / head.timescale
            off = time - MEDIA_OFFSET_SECONDS - sum(lengths[:number])
            # an encoder's delay lies before the presentation
            assert abs(off) < _DELAY_SECONDS, f"{artifact.path} begins {off:+.3f} s off its place in the whole"


def check_rates(told: Foretold, segments: list[tuple[float, int]], who: str) -> None:
    """No run of segments (seconds and bits of each) of half to one and a half target durations, and not all of them
    together, have more bits a second than was foretold (RFC 8216, 4.1).
    """
    target = max(1, int(max(seconds for seconds, _ in segments) + 0.5))
    for begin in range(len(segments)):
        length, bits = 0.0, 0
        for seconds, more in segments[begin:]:
            length, bits = length + seconds, bits + more
            if length > 1.5 * target:
                break
            rate = round(bits / length)
            assert 2 * length < target or rate <= told.peak_bps, f"{who} foretold less than {rate} bit/s"
    average = round(sum(bits for _, bits in segments) / sum(seconds for seconds, _ in segments))
    assert average <= told.average_bps, f"{who} foretold less than {average} bit/s on average"


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
    if artifact.role == "captions" and artifact.language is not None:
        text = (directory / path).read_bytes().decode()
        assert len(text.encode()) <= MOST_CAPTION_BYTES, f"{path} has more than {MOST_CAPTION_BYTES} bytes"
        assert re.match(r"WEBVTT[ \t\r\n]|\s*[0-9]", text), f"{path} is neither WebVTT nor SubRip"


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
