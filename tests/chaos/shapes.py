"""Services under test in their two shapes: `mediaflow up`, and gunicorn with workers over servers of production.

What ends is started again, as supervisord or systemd would; everything is stopped by number at the end.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

import requests

from mediaflow.embedded.addresses import free_port
from mediaflow.embedded.redis_server import configure_redis
from tests.chaos.faultpoints import plugged_in
from tests.chaos.processes import all_processes, family, kill, roles
from tests.contracts.nxserver import running_nx_server
from tests.contracts.s3server import running_s3_server
from tests.integration.service import clean_environ
from tests.programs import ROOT

ShapeName = Literal["embedded", "production"]
Through = Callable[[str, str], str]
KEY: Final = "a key of the chaos runs that is long enough for HS256"
PROFILE: Final = """name: tiny
description: As little work as an asset can be
segment_seconds: 2
frame_rate_max: 30
ladder:
  - {name: 144p, height: 144, video_bitrate_bps: 200000, audio_bitrate_bps: 64000}
steps:
  - step: video.h264
    params: {preset: ultrafast, crf: 30, keyframe_seconds: 2}
  - step: audio.aac
manifests: [hls]
"""
FILM: Final = """name: film
description: Of several parts, the larger size on demand
segment_seconds: 1
frame_rate_max: 30
ladder:
  - {name: 288p, height: 288, video_bitrate_bps: 900000, audio_bitrate_bps: 96000, when: on_demand}
  - {name: 216p, height: 216, video_bitrate_bps: 600000, audio_bitrate_bps: 64000}
  - {name: 144p, height: 144, video_bitrate_bps: 300000, audio_bitrate_bps: 48000}
steps:
  - step: video.h264
    params: {preset: veryfast, crf: 18, keyframe_seconds: 1}
  - step: audio.aac
manifests: [hls]
"""
READY_SECONDS: Final = 90.0


@dataclass
class Unit:
    """A program that is to run; `ensure` starts it again when it has ended."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str]
    directory: Path
    log: Path
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0

    def ensure(self) -> None:
        if self.process is not None and self.process.poll() is None:
            return
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env=dict(self.environ), cwd=self.directory,
            )  # fmt: skip
        self.starts += 1

    @property
    def pid(self) -> int:
        return 0 if self.process is None else self.process.pid

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass
class Shape:
    """A service that runs. `environ` is that of its processes; with it, commands reach its documents and objects."""

    name: ShapeName
    url: str
    token: str
    directory: Path
    environ: dict[str, str]
    units: list[Unit]
    points: Path
    seen: set[int] = field(default_factory=set)

    def ensure(self) -> None:
        """Start what has ended."""
        for unit in self.units:
            unit.ensure()

    def roles(self) -> dict[str, list[int]]:
        """What can be killed now, by role."""
        found = roles([unit.pid for unit in self.units])
        self.seen.update(pid for pids in found.values() for pid in pids)
        return found

    def redis_url(self) -> str | None:
        """Where the queue is: the embedded one tells its workers only."""
        if "MEDIAFLOW_REDIS_URL" in self.environ:
            return self.environ["MEDIAFLOW_REDIS_URL"]
        for pid in self.roles().get("worker_master", []):
            try:
                told = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            except OSError:
                continue  # it has just been killed
            for line in told:
                if line.startswith(b"MEDIAFLOW_REDIS_URL="):
                    return line.partition(b"=")[2].decode()
        return None

    def is_ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Return when it answers that it is ready; AssertionError with the end of its logs when it does not."""
        deadline = time.monotonic() + seconds
        while not self.is_ready():
            self.ensure()
            assert time.monotonic() < deadline, "\n".join(u.log.read_text()[-2000:] for u in self.units)
            time.sleep(0.2)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command of mediaflow on this service's documents and objects."""
        environ = {name: value for name, value in self.environ.items() if name != "PYTHONPATH"}
        return subprocess.run(
            [sys.executable, "-m", "mediaflow", *words], env=environ, capture_output=True, text=True, check=False
        )

    def left_over(self) -> list[str]:
        """What of its processes still runs, after it was stopped."""
        every = all_processes()
        return [every[pid].words[:100] for pid in sorted(self.seen) if pid in every and every[pid].state not in "ZX"]

    def files_left_over(self) -> list[str]:
        """What lies in the directory of running tasks although none runs, when `gc` has been through."""
        done = self.command("gc", "--json")
        work = Path(self.environ["MEDIAFLOW_DATA_DIR"]) / "work"
        left = [path for path in work.glob("*/*") if path.parent.name.partition("-")[0].isdigit()]
        told = [] if done.returncode == 0 else [f"gc ended with {done.returncode}: {done.stderr[-300:]}"]
        return [*told, *map(str, left)]


@contextmanager
def running_shape(
    name: ShapeName,
    directory: Path,
    *,
    workers: int = 3,
    environ: Mapping[str, str] | None = None,
    through: Through = lambda _name, address: address,
) -> Iterator[Shape]:
    """A service with fault points until the block ends; its files are below `directory`.

    `through` is asked by which address the production shape is to reach `mongo`, `redis` and `s3`.
    """
    with ExitStack() as stack:
        if name == "embedded":
            shape = _embedded(directory, workers, dict(environ or {}))
        else:
            shape = _production(directory, stack, workers, dict(environ or {}), through)
        try:
            shape.ensure()
            shape.wait_ready()
            if not shape.token:
                shape.token = shape.command("token", "--user", "chaos", "--role", "admin").stdout.strip()
            yield shape
        finally:
            shape.seen.update(process.pid for process in family([unit.pid for unit in shape.units]))
            for pid in shape.seen:
                kill(pid, signal.SIGCONT)
            for unit in shape.units:
                stack.callback(unit.stop)  # each of them, whatever becomes of another's end


def _common(directory: Path, workers: int) -> dict[str, str]:
    profiles = directory / "profiles"
    profiles.mkdir(parents=True)
    (profiles / "tiny.yaml").write_text(PROFILE)
    (profiles / "film.yaml").write_text(FILM)
    return clean_environ(
        **plugged_in(directory / "points"),
        MEDIAFLOW_DATA_DIR=str(directory / "data"),
        MEDIAFLOW_PROFILES_DIR=str(profiles),
        MEDIAFLOW_DEFAULT_PROFILE="tiny",
        MEDIAFLOW_JWT_KEY=KEY,
        MEDIAFLOW_PORT=str(free_port()),
        MEDIAFLOW_METRICS_BIND="off",
        MEDIAFLOW_MIN_FREE_BYTES="0",
        MEDIAFLOW_TRASH_SECONDS="1",
        MEDIAFLOW_RATE_LIMIT_PER_MINUTE="0",
        MEDIAFLOW_LOG_FORMAT="json",
        MEDIAFLOW_WEB_PROCESSES="2",
        MEDIAFLOW_WORKER_PROCESSES=str(workers),
    )


def _embedded(directory: Path, workers: int, more: dict[str, str]) -> Shape:
    environ = _common(directory, workers) | more
    command = [sys.executable, "-m", "mediaflow", "up", "--json"]
    up = Unit("up", command, environ, ROOT, directory / "up.log")
    url = f"http://127.0.0.1:{environ['MEDIAFLOW_PORT']}"
    return Shape("embedded", url, "", directory, environ, [up], directory / "points")


def _production(directory: Path, stack: ExitStack, workers: int, more: dict[str, str], through: Through) -> Shape:
    environ = _common(directory, workers)
    for name in ("s3", "mongo", "redis"):
        (directory / name).mkdir()
    s3 = stack.enter_context(running_s3_server(directory / "s3"))
    mongo = stack.enter_context(running_nx_server(directory / "mongo"))
    redis = configure_redis(directory / "redis", stack)
    server = [shutil.which("redis-server") or redis.program[0], *redis.program[1:]]
    environ |= {
        "MEDIAFLOW_DATABASE_URL": f"mongodb://{through('mongo', mongo)}/mediaflow",
        "MEDIAFLOW_REDIS_URL": _moved(redis.url, partial(through, "redis")),
        "MEDIAFLOW_WORKER_LOAD": "1",
        **s3.environment("mediaflow"),
        "MEDIAFLOW_STORAGE_URL": s3.url("mediaflow").replace(s3.endpoint, through("s3", s3.endpoint)),
        **more,
    }
    binaries = Path(sys.executable).parent
    gunicorn = [str(binaries / "gunicorn"), "-c", "gunicorn.conf.py", "wsgi:app"]
    dramatiq = [str(binaries / "dramatiq"), "mediaflow.worker", "--processes", "1", "--threads", "4"]
    names = [f"worker{number}" for number in range(workers)]
    units = [
        Unit("redis", server, dict(os.environ), directory / "redis", directory / "redis.log"),
        Unit("web", gunicorn, environ, ROOT, directory / "web.log"),
        # a Dramatiq whose worker dies ends with it, so each is a unit of its own
        *(Unit(name, dramatiq, environ, ROOT, directory / f"{name}.log") for name in names),
    ]
    url = f"http://127.0.0.1:{environ['MEDIAFLOW_PORT']}"
    return Shape("production", url, "", directory, environ, units, directory / "points")


def _moved(url: str, through: Callable[[str], str]) -> str:
    """A URL with the address in it changed."""
    parts = urlsplit(url)
    user, at, address = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user}{at}{through(address)}").geturl()
