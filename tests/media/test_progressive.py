"""Downloads of segments that are not as they were made: an error in a sentence, at a small cost."""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from mediaflow.domain.downloads import Download, DownloadSegment, DownloadTrack
from mediaflow.domain.errors import NotFound
from mediaflow.media.boxes import BadBoxes
from mediaflow.media.progressive import samples_of
from mediaflow.plugin.wire import dump
from mediaflow.services.delivery.composing import BeingMade, Composing
from mediaflow.testing.clips import run_ffmpeg
from mediaflow_local.storage import LocalStorage

KEY = "a/360p.mp4"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """An init segment and a segment of eight frames."""
    directory = tmp_path_factory.mktemp("made")
    whole = directory / "whole.mp4"
    flags = "+frag_keyframe+empty_moov+default_base_moof"
    graph = "testsrc2=size=64x36:rate=8:duration=1"
    run_ffmpeg(["-f", "lavfi", "-i", graph, "-c:v", "libx264", "-movflags", flags, "-f", "mp4", str(whole)])
    data = whole.read_bytes()
    begin = data.index(b"moof") - 4
    end = data.index(b"mdat") - 4
    end += struct.unpack_from(">I", data, end)[0]
    return data[:begin], data[begin:end]


def composed(root: Path, init: bytes, segment: bytes, recipe: bytes | None = None) -> tuple[Composing, LocalStorage]:
    storage = LocalStorage(root / "objects")
    track = DownloadTrack("init.mp4", (DownloadSegment("0.m4s", len(segment), 1.0),))
    told = json.dumps(dump(Download((track,), 0))).encode() if recipe is None else recipe
    for key, data in ((KEY, told), ("a/init.mp4", init), ("a/0.m4s", segment)):
        storage.put(key, [data], size_bytes=len(data), content_type="video/mp4")
    return Composing(storage), storage


def lie(segment: bytes) -> bytes:
    """With a run of two thousand million samples, none of which has a field of its own."""
    at = segment.index(b"trun") + 4
    return segment[:at] + struct.pack(">II", 1, 2_000_000_000) + segment[at + 8 :]


def test_a_download_is_put_together_and_plays(tmp_path: Path, made: tuple[bytes, bytes]) -> None:
    composing, _ = composed(tmp_path, *made)
    file = tmp_path / "kept.mp4"
    size = composing.size_bytes(KEY, "a/")
    file.write_bytes(b"".join(composing.read(KEY, "a/", offset=0, length=size)))

    assert file.stat().st_size == size
    run_ffmpeg(["-xerror", "-i", str(file), "-frames:v", "8", "-f", "null", "-"])


@pytest.mark.parametrize(
    "broken",
    [
        lie,
        lambda segment: segment[:20],
        lambda segment: bytes(len(segment)),
        lambda segment: segment.replace(b"tfdt", b"free"),
        lambda segment: segment[:4] + b"moof" + bytes(len(segment) - 8),
        lambda segment: struct.pack(">I", 7) + segment[4:],
    ],
    ids=["a lie", "cut off", "zeros", "no time", "empty boxes", "a box of seven bytes"],
)
def test_a_segment_that_is_broken_is_an_error_in_a_sentence(
    tmp_path: Path, made: tuple[bytes, bytes], broken: Callable[[bytes], bytes]
) -> None:
    init, segment = made
    composing, storage = composed(tmp_path, init, broken(segment))

    with pytest.raises(NotFound, match="not as they were made"):
        composing.size_bytes(KEY, "a/")
    assert storage.stat(f"{KEY}.head") is None


@pytest.mark.parametrize("recipe", [b"", b"{", b"[]", b"{}", b'{"tracks": [], "offset_seconds": 0}', b"\xff"])
def test_a_recipe_that_is_broken_is_too(tmp_path: Path, made: tuple[bytes, bytes], recipe: bytes) -> None:
    composing, _ = composed(tmp_path, *made, recipe=recipe)

    with pytest.raises(NotFound, match="not as they were made"):
        composing.size_bytes(KEY, "a/")


def test_no_more_samples_are_believed_than_there_are_bytes(made: tuple[bytes, bytes]) -> None:
    init, segment = made
    told = lie(segment)

    with pytest.raises(BadBoxes, match="claims 2000000000 samples in"):
        samples_of(len(told), lambda offset, length: told[offset : offset + length], init)


class Slow(LocalStorage):
    """Reads nothing until it may."""

    go_on: threading.Event

    def read(self, *args: Any, **options: Any) -> Iterator[bytes]:
        assert self.go_on.wait(20)
        return super().read(*args, **options)


def test_few_wait_for_one_that_is_being_made(tmp_path: Path, made: tuple[bytes, bytes]) -> None:
    composed(tmp_path, *made)
    storage = Slow(tmp_path / "objects")
    storage.go_on = threading.Event()
    composing, told = Composing(storage), Queue[str]()

    def ask() -> None:
        try:
            told.put(str(composing.size_bytes(KEY, "a/") > 0))
        except BeingMade as error:
            told.put(error.code)

    askers = [threading.Thread(target=ask) for _ in range(12)]
    for asker in askers:
        asker.start()
    assert [told.get(timeout=20) for _ in range(8)] == ["download.being_made"] * 8
    storage.go_on.set()
    for asker in askers:
        asker.join(20)

    assert [told.get(timeout=1) for _ in range(4)] == ["True"] * 4
    assert composing.size_bytes(KEY, "a/") > 0
