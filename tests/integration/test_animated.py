"""Animated WebP and PNG become videos as browsers show them: each frame for its time, over white."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import pytest
from PIL import Image

from mediaflow.media.animated import readable, unpack
from mediaflow.plugin import MediaRejected
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow.testing.steps import probed
from tests.services.working import asset_of, ingest, track, work, working_world
from tests.services.world import World

PROCESSES: Final = SandboxedRunner("bwrap")
SIZE: Final = (320, 180)
COLOURS: Final = ((220, 40, 40), (40, 180, 60), (50, 60, 220), (200, 200, 40))


def animation(path: Path, delays: list[int], *, holes: bool = False, **options: Any) -> Path:
    """A frame of its own colour for each delay (ms); with `holes`, the left half shows what is behind it."""
    frames = []
    for number in range(len(delays)):
        frame = Image.new("RGBA", SIZE, (*COLOURS[number % len(COLOURS)], 255))
        if holes:
            frame.paste((0, 0, 0, 0), (0, 0, SIZE[0] // 2, SIZE[1]))
        frames.append(frame)
    # one pixel differs, or a writer puts alike frames together
    for number, frame in enumerate(frames):
        frame.putpixel((SIZE[0] - 1, 0), (number, 0, 0, 255))
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=delays, loop=0, **options)
    return path


def colours(path: Path, at: tuple[int, int]) -> list[tuple[int, ...]]:
    """Of one pixel in every frame of a video."""
    crop = f"format=rgb24,crop=2:2:{at[0]}:{at[1]}"
    argv = ["ffmpeg", "-v", "error", "-i", str(path), "-vf", crop, "-f", "rawvideo", "-"]
    raw = subprocess.run(argv, capture_output=True, check=True).stdout
    return [tuple(raw[start : start + 3]) for start in range(0, len(raw), 12)]


def near(one: tuple[int, ...], other: tuple[int, ...], levels: int = 12) -> bool:
    return all(abs(a - b) <= levels for a, b in zip(one, other, strict=True))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with working_world(tmp_path_factory.mktemp("world")) as world:
        yield world


@pytest.mark.parametrize(("name", "options"), [("a.webp", {"lossless": True}), ("a.apng", {"format": "PNG"})])
def test_it_is_played_as_a_browser_shows_it(name: str, options: dict[str, Any], world: World, tmp_path: Path) -> None:
    # given frames of 400, 100, 300 and 200 ms that are transparent on the left
    file = animation(tmp_path / name, [400, 100, 300, 200], holes=True, **options)

    # when
    asset_id = ingest(world, file)
    work(world)
    asset = asset_of(world, asset_id)

    # then
    assert asset.state == "ready", asset.error
    assert asset.published is not None
    assert asset.original_key is not None
    assert b"".join(world.runtime.storage.read(asset.original_key)) == file.read_bytes()
    video = track(world, asset, asset.published.renditions[0]["name"], tmp_path)
    seen = colours(video, (SIZE[0] * 3 // 4, 90))
    each = len(seen) // 10
    shown = [COLOURS[0]] * 4 + [COLOURS[1]] + [COLOURS[2]] * 3 + [COLOURS[3]] * 2
    assert len(seen) == 10 * each
    assert all(near(seen[number], shown[number // each]) for number in range(len(seen)))
    assert all(near(colour, (255, 255, 255)) for colour in colours(video, (20, 90)))


@pytest.mark.parametrize(
    ("delays", "rate", "seconds"),
    [
        ([40] * 25, Fraction(25), 1.0),
        ([33, 33, 34] * 10, Fraction(30), 1.0),
        # nobody shows frames that quickly
        ([0, 10], Fraction(10), 0.2),
        ([500, 500], Fraction(6), 1.0),
    ],
)
def test_each_frame_has_its_time(delays: list[int], rate: Fraction, seconds: float, tmp_path: Path) -> None:
    with readable(animation(tmp_path / "a.webp", delays), PROCESSES) as source:
        media = probed(source, PROCESSES)

    assert media.video is not None
    assert (media.video.display_size, media.video.frame_rate) == (SIZE, rate)
    assert media.duration_seconds == pytest.approx(seconds, abs=0.002)


def _flagged(data: bytes) -> bytes:
    """A still image that says it moves."""
    body = struct.pack("<4s4sI4B6B", b"WEBP", b"VP8X", 10, 2, 0, 0, 0, 63, 0, 0, 63, 0, 0) + data[12:]
    return struct.pack("<4sI", b"RIFF", len(body)) + body


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _large(data: bytes) -> bytes:
    """It says that it is 16,384 pixels wide and high."""
    place = data.index(b"VP8X") + 12
    return data[:place] + b"\xff\x3f\0\xff\x3f\0" + data[place + 6 :]


def _often(data: bytes) -> bytes:
    """A small file of very many images of 4000x4000."""
    begin = data.index(b"ANMF")
    place = data.index(b"VP8X") + 12
    head = data[:place] + b"\x9f\x0f\0\x9f\x0f\0" + data[place + 6 : begin]
    size = 8 + int.from_bytes(data[begin + 4 : begin + 8], "little")
    body = head[8:] + data[begin : begin + size + size % 2] * 5000
    return struct.pack("<4sI", b"RIFF", len(body)) + body


@pytest.mark.parametrize("broken", [_cut, _large, _often, lambda data: data[:200] + bytes(len(data) - 200)])
def test_what_is_damaged_is_refused_in_a_sentence(broken: Any, world: World, tmp_path: Path) -> None:
    file = animation(tmp_path / "a.webp", [100] * 8)
    file.write_bytes(broken(file.read_bytes()))

    asset_id = ingest(world, file)
    work(world)
    asset = asset_of(world, asset_id)

    assert asset.state == "rejected"
    assert asset.error is not None
    assert asset.error["detail"].startswith("The images of the file can't be shown: ")


def test_one_image_that_says_it_moves_does_not(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "red").save(tmp_path / "still.webp")
    (tmp_path / "a.webp").write_bytes(_flagged((tmp_path / "still.webp").read_bytes()))

    with pytest.raises(MediaRejected, match="can't be shown"):
        unpack(tmp_path / "a.webp", tmp_path / "out" / "a.unpacked", PROCESSES)
    assert list((tmp_path / "out").iterdir()) == []
