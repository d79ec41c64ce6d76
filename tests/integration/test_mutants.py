"""Files that are nearly right, by the hundred: each is played or refused in a sentence, within its budget."""

from __future__ import annotations

import os
import random
import re
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from mediaflow.sandbox.usage import ProcessTable
from mediaflow.services.pipeline.budgets import memory_ceiling
from mediaflow.testing.clips import make_clip
from tests.corpus import samples
from tests.integration.service import Service, running_service

SEED: Final = int(os.environ.get("MUTANTS_SEED", "8"))
LARGEST_BYTES: Final = 300_000
SLACK_BYTES: Final = 256 * 1024**2
SENTENCE: Final = re.compile(r"[A-Z0-9'].{15,600}[.)]", re.DOTALL)
LEAKS: Final = ("Traceback", "/tmp/", "/work/", " @ 0x")
EXTREMES: Final = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)

Mutation = Callable[[bytearray, random.Random], None]


def flip(data: bytearray, dice: random.Random) -> None:
    for _ in range(dice.choice((1, 4, 32))):
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)


def noise(data: bytearray, dice: random.Random) -> None:
    start, size = dice.randrange(len(data)), dice.choice((16, 512, 8192))
    data[start : start + size] = dice.randbytes(len(data[start : start + size]))


def cut(data: bytearray, dice: random.Random) -> None:
    del data[dice.randrange(1, len(data)) :]


def lose(data: bytearray, dice: random.Random) -> None:
    start = dice.randrange(len(data))
    del data[start : start + dice.choice((1, 188, 4096))]


def repeat(data: bytearray, dice: random.Random) -> None:
    start, size = dice.randrange(len(data)), dice.choice((64, 4096))
    data[start:start] = data[start : start + size] * dice.choice((1, 50))


def extreme(data: bytearray, dice: random.Random) -> None:
    """Numbers of headers, which stand at the beginning or the end."""
    for _ in range(dice.choice((1, 3, 10))):
        near = dice.randrange(min(len(data) - 4, 4096))
        start = near if dice.random() < 0.6 else len(data) - 4 - near
        data[start : start + 4] = struct.pack(">I", dice.choice(EXTREMES))


MUTATIONS: Final[tuple[Mutation, ...]] = (flip, noise, cut, lose, repeat, extreme)


def mutants(directory: Path, count: int) -> Iterator[Path]:
    """The same files for the same seed."""
    directory.mkdir(exist_ok=True)
    own = [make_clip(directory / name, seconds=2, width=320, height=180) for name in ("own.mp4", "own.mkv", "own.ts")]
    small = sorted(sample.path for sample in samples() if 100 < sample.path.stat().st_size <= LARGEST_BYTES)
    dice = random.Random(SEED)
    for number in range(count):
        origin = dice.choice([*own, *small])
        data = bytearray(origin.read_bytes())
        for mutation in dice.choices(MUTATIONS, k=dice.choice((1, 1, 2, 4))):
            if len(data) > 8:
                mutation(data, dice)
        target = directory / f"{number:04d}-{origin.name}"
        target.write_bytes(data or b"x")
        yield target


@contextmanager
def watched_memory(service: Service) -> Iterator[list[str]]:
    """What was over its budget by more than the slack, looked at ten times a second until the block ends."""
    table, ended, over = ProcessTable(), threading.Event(), list[str]()
    ceiling = memory_ceiling(0)

    def look() -> None:
        while not ended.wait(0.1):
            for pid in table.members(service.pid):
                try:
                    command = Path("/proc", str(pid), "cmdline").read_bytes().replace(b"\0", b" ").decode()
                except OSError:
                    continue
                if "bwrap" in command[:40] or "ffmpeg" in command[:40] or "ffprobe" in command[:40]:
                    used = table.tree(pid).memory_bytes
                    if used > (ceiling if "ffmpeg " in command else ceiling // 2) + SLACK_BYTES:
                        over.append(f"{used} bytes: {command[:300]}")

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield over
    finally:
        ended.set()
        thread.join()


def outcome(service: Service, file: Path) -> tuple[str, str]:
    """What became of it: a state, and the reason where there is one."""
    answer = service.upload(file)
    assert answer.status_code < 500, (file.name, answer.text)
    if answer.status_code != 201:
        return "refused", "; ".join(error["detail"] for error in answer.json()["errors"]) or answer.json()["detail"]
    asset = service.settled(answer.json()["asset_id"], timeout_seconds=300)
    error = asset["error"] or {}
    return asset["state"], f"{error.get('code')}: {error.get('detail')}" if error else ""


def check(service: Service, directory: Path, count: int) -> Counter[str]:
    states: Counter[str] = Counter()
    with watched_memory(service) as over, ThreadPoolExecutor(6) as pool:
        files = mutants(directory, count)

        def one(file: Path) -> tuple[str, str, str]:
            state, reason = outcome(service, file)
            return file.name, state, reason

        bad = []
        for name, state, reason in pool.map(one, files):
            states[state] += 1
            detail = reason.partition(": ")[2]
            unclear = state == "rejected" and not SENTENCE.fullmatch(detail)
            unclear |= any(leak in reason for leak in LEAKS) or (state == "refused" and not reason)
            if state == "failed" or unclear:
                bad.append((name, state, reason))
    assert over == []
    assert bad == []
    good = make_clip(directory / "good.mp4", seconds=2, width=320, height=180)
    assert outcome(service, good) == ("ready", "")
    assert nothing_runs(service, 20)
    return states


def nothing_runs(service: Service, seconds: float) -> bool:
    """Whether that is so within the time: an asset is ready a moment before its job has ended."""
    until = time.monotonic() + seconds
    while service.call("GET", "/jobs", params={"state": "running"}).json()["items"]:
        if time.monotonic() > until:
            return False
        time.sleep(0.2)
    return True


def test_a_few_mutants_are_played_or_refused(service: Service, tmp_path: Path) -> None:
    states = check(service, tmp_path / "mutants", 12)
    assert states.total() == 12


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_thousand_mutants_are_played_or_refused(tmp_path: Path) -> None:
    with running_service(tmp_path / "data") as service:
        states = check(service, tmp_path / "mutants", int(os.environ.get("MUTANTS", "1000")))
    print(states)
    assert states["ready"] > 0 < states["rejected"]
