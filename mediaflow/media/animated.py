"""Images that move and that ffmpeg does not read as they are: WebP (5.1 sees a stream of no size) and PNG (of what is
transparent it tells no colour). They are unpacked before anything else looks at them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from mediaflow.domain.errors import MediaRejected, TaskFailed
from mediaflow.sandbox.process import Limits, ProcessRunner

MOST_PIXELS: Final = 1 << 24
"""Of one image: reading some WebPs takes twelve bytes for each, several times."""
MOST_FRAMES: Final = 10_000
MOST_BYTES: Final = 4 << 30
"""Of all of them, unpacked."""
_SECONDS: Final = 300.0
_PROGRAM: Final = Path(__file__).with_name("unpacking.py")
_REFUSED: Final = 2
_HEAD_BYTES: Final = 4096
UNPACKING: Final = ".unpacking"
"""The ending of a directory that somebody unpacks in at the moment, or died in."""


def is_animated(head: bytes) -> bool:
    """By the first bytes of a file: the flag of WebP's extended header, the control chunk of an animated PNG."""
    webp = head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and len(head) > 20 and bool(head[20] & 2)
    return webp or (head.startswith(b"\x89PNG\r\n") and b"acTL" in head.partition(b"IDAT")[0])


def has_to_be_unpacked(source: Path) -> bool:
    """Whether the file is one of them."""
    with source.open("rb") as file:
        return is_animated(file.read(_HEAD_BYTES))


def unpack(source: Path, target: Path, processes: ProcessRunner) -> None:
    """Make the target, a PNG, of one that has to be unpacked; it is there as a whole or not at all. MediaRejected
    (`media.undecodable`) for what can't be; what the runner raises passes through.
    """
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f"{target.stem}.", suffix=UNPACKING, dir=target.parent) as room:
        made = Path(room, "unpacked.png")
        _unpack(source, made, processes)
        made.replace(target)


@contextmanager
def readable(source: Path, processes: ProcessRunner) -> Iterator[Path]:
    """The file, or what was unpacked of it, as long as the `with` block lasts."""
    if not has_to_be_unpacked(source):
        yield source
        return
    with TemporaryDirectory() as directory:
        unpack(source, target := Path(directory, "unpacked.png"), processes)
        yield target


def _unpack(source: Path, target: Path, processes: ProcessRunner) -> None:
    argv = [sys.executable, "-I", "-B", str(_PROGRAM), str(source.absolute()), str(target.absolute())]
    reads = [source, _PROGRAM, *{Path(sys.prefix), Path(sys.base_prefix)}]
    limits = Limits(_SECONDS, file_bytes=MOST_BYTES)
    done = processes.run([*argv, str(MOST_PIXELS), str(MOST_FRAMES)], reads=reads, writes=target.parent, limits=limits)
    if done.returncode == _REFUSED:
        raise MediaRejected(f"The images of the file can't be shown: {done.stderr.strip()}", code="media.undecodable")
    if done.returncode:
        raise TaskFailed(f"Unpacking images that move ended with {done.returncode}: {done.stderr.strip()[-300:]}")
