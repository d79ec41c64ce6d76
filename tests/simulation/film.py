"""How long single-core workers take for one film: the real plan, parts and claims, with measured times of tasks.

`python -m tests.simulation.film SECONDS...` prints the curve for films of such lengths.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from mediaflow import registry
from mediaflow.domain.records import Job, Task
from mediaflow.plugin import MediaInfo
from mediaflow.services.pipeline.claims import Claims
from mediaflow.services.pipeline.fitting import fitted
from mediaflow.services.pipeline.gate import LoadGate
from mediaflow.services.pipeline.jobs import Jobs
from mediaflow.services.pipeline.stepplans import plans_of
from tests.simulation.determined import determined
from tests.simulation.ports import MemoryDatabase
from tests.simulation.scheduler import START, Process, Scheduler
from tests.source_facts import AUDIO, VIDEO

WORKERS: Final = (1, 2, 4, 8, 16)


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds of one core (1080p25, `web-h264`, ffmpeg 5.1): of what happens once before the parts (looking at it,
    first pictures) and behind them, of beginning a task of a step, and of a second of what such a task makes.
    """

    before: float
    after: float
    begin: float
    seconds_of: dict[str, float]


MEASURED: Final = Measured(
    before=4.5, after=0.4, begin=0.9, seconds_of={"video-0": 1.65, "video-low": 0.26, "audio": 0.07}
)


@dataclass(frozen=True, slots=True)
class Film:
    """What so many workers take for a film of so many seconds."""

    seconds: float
    workers: int
    parts: int
    wall_seconds: float


def simulated(seconds: float, workers: int, measured: Measured) -> Film:
    """From the last byte until it is ready. One worker at a time does what comes before the parts and behind them."""
    scheduler = Scheduler(rng := Random(1))
    database = MemoryDatabase(scheduler.clock)
    times = _tasks(database, seconds, measured)
    process_of = [Process(f"w{number}", scheduler) for number in range(workers)]
    ended = START

    def work(process: Process) -> None:
        nonlocal ended
        claims = Claims(database, LoadGate(1, process.elapsed), process.name)
        while (task := claims.best()) is not None:
            process.sleep(times[task.name])
            claims.write(task, {"state": "done"})
            claims.done_with(task)
            ended = max(ended, scheduler.now)

    with determined(rng), scheduler.ended():
        for process in process_of:
            scheduler.spawn(process.name, process, lambda process=process: work(process))  # type: ignore[misc]
        scheduler.run(START + 1e9)
    return Film(seconds, workers, len(times), measured.before + (ended - START) + measured.after)


def _tasks(database: MemoryDatabase, seconds: float, measured: Measured) -> dict[str, float]:
    """The parts of the film among the documents, ready; how long each takes."""
    plugins = registry.load({})[1]
    profile = plugins.profiles["web-h264"]
    media = _media(seconds)
    planned = fitted([each for spec in profile.steps for each in plans_of(plugins, spec, media, profile)], profile)
    job = Job(
        id="j",
        asset_id="a",
        owner="ann",
        generation=1,
        profile=None,
        state="running",
        created_at=START,
        updated_at=START,
    )
    Jobs(database, None, None, None).add_steps(job, planned)  # type: ignore[arg-type]  # it only inserts
    times = {}
    for task in database.tasks.find({}):
        if task.stage == "step" and task.rank > 0:
            database.tasks.change(task.id, {}, {"ready": True})
            times[task.name] = _time(task, seconds, measured)
        else:
            database.tasks.remove(task.id)
    return times


def _time(task: Task, seconds: float, measured: Measured) -> float:
    segments = task.part["count"] if task.part else 0
    made = min(seconds, 4.0 * segments)
    return measured.begin + made * measured.seconds_of.get(task.whole or task.name, 0.0)


def _media(seconds: float) -> MediaInfo:
    """1080p25 with stereo sound in an MP4 file."""
    video = replace(VIDEO, width=1920, height=1080, frame_count=round(25 * seconds), duration_seconds=seconds)
    audio = replace(AUDIO, duration_seconds=seconds)
    return MediaInfo("video", "mov,mp4,m4a,3gp,3g2,mj2", 1, seconds, seconds, 0.0, 2, video, audio)


def main(lengths: list[str]) -> int:
    """Print a line for each length: what one worker takes, and how many times as fast more are."""
    for seconds in map(float, lengths):
        films = [simulated(seconds, workers, MEASURED) for workers in WORKERS]
        told = ", ".join(f"{each.workers}: {films[0].wall_seconds / each.wall_seconds:.2f}" for each in films)
        parts, alone = films[0].parts, films[0].wall_seconds
        sys.stdout.write(f"{seconds:6.0f} s, {parts:3} tasks, one worker {alone:7.0f} s; {told}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
