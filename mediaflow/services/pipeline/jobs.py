"""Jobs and their tasks: creation, unlocking what is ready, and how an end of a task moves its job and its asset.

Every method is idempotent: it looks at the documents and makes the next step that they allow. `advance` may run at any
time, on any host, as often as it likes; the reconciler does just that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from mediaflow.domain import keys
from mediaflow.domain.events import Event
from mediaflow.domain.ids import job_id, task_id
from mediaflow.domain.records import Asset, Job, Task
from mediaflow.domain.states import BRIEF_SECONDS, LONG_SECONDS, WORK_ENDED, JobKind, Lane, Stage, WorkState
from mediaflow.plugin import PlannedTask
from mediaflow.plugin.wire import dump, load
from mediaflow.services.pipeline.parts import REST, Piece, divided
from mediaflow.services.pipeline.tenure import Tenure
from mediaflow.services.ports import Database, Metrics, OneOf, Outbox, Wakeups

_AFTER: Final = 0.001
"""Parts follow each other by this much of a turn."""
LAST: Final[dict[JobKind, str]] = {"process": "publish", "poster": "poster"}
"""The task that a job is done with."""
ALONE: Final[tuple[JobKind, ...]] = ("demand", "original")
"""These have one task, which is in the plan."""
MOST_UNLOCKED: Final = 64
"""More than workers take before one of them ends, when there are more: two hours in 434 parts took 0.2 s to unlock."""
MOST_WOKEN: Final = 16
"""So many hints are sent at once: a worker that is awake goes on while there is anything to do."""
UNWANTED: Final = {"code": "job.unwanted", "detail": "Nobody waits for it any more."}
SUPERSEDED: Final = {"code": "job.superseded", "detail": "The asset was deleted, or another job took over."}


@dataclass(frozen=True, slots=True)
class Jobs:
    """Everything that changes jobs as a whole."""

    database: Database
    outbox: Outbox
    wakeups: Wakeups
    metrics: Metrics

    @property
    def tenure(self) -> Tenure:
        """Which job may work on which asset."""
        return Tenure(self.database, self.outbox)

    # --- creation

    def start(self, asset_id: str, *, generation: int, priority: int = 0) -> Job | None:
        """The job of that generation, made if it is not there yet; None when the asset is gone or deleted."""
        asset = self.database.assets.get(asset_id)
        if asset is None or asset.deleted_at is not None:
            return None
        job = self._process(asset, generation, None, priority)
        self.add(job)
        self.advance(job.id)
        return self.database.jobs.get(job.id)

    def restart(self, asset: Asset, profile: str | None) -> Job | None:
        """A job for the asset's next generation; None when somebody else has just begun one."""
        generation = asset.next_generation + 1
        while not self.add(job := self._process(asset, generation, profile)):
            known = self.database.jobs.get(job.id)
            if known is None or known.state not in WORK_ENDED:
                return None
            generation += 1  # that one was ended before it could begin
        self.advance(job.id)
        return job

    def _process(self, asset: Asset, generation: int, profile: str | None, priority: int = 0) -> Job:
        now = self.database.now()
        return Job(
            id=job_id(asset.id, generation),
            asset_id=asset.id,
            owner=asset.owner,
            generation=generation,
            profile=profile or asset.profile,
            state="pending",
            priority=priority,
            created_at=now,
            updated_at=now,
        )

    def add(self, job: Job) -> bool:
        """Keep a new job; False when it is there already. `advance` begins it."""
        inserted = self.database.jobs.insert(job)
        if inserted:
            self.metrics.count("mediaflow_jobs_total", state="pending")
        return inserted

    def _add_first(self, job: Job) -> None:
        first = self._settles_first(job)
        tasks = [
            *([self._task(job, "settle", "settle")] if first else []),
            self._task(job, "probe", "probe", load_units=1, needs=["settle"] if first else []),
            self._task(job, "validate", "validate", needs=["probe"]),
        ]
        self.database.tasks.insert_all(tasks)
        # the last one: where it is, the others are
        self.database.tasks.insert(self._task(job, "plan", "plan", needs=["validate"]))

    def _settles_first(self, job: Job) -> bool:
        """True when a job before this one has hashed the original, and ended before it was settled."""
        asset = self.database.assets.peek(job.asset_id, ("sha256", "original_key", "upload_id"))
        return (
            asset is not None
            and asset["sha256"] is not None
            and asset["original_key"] == keys.upload_key(asset["upload_id"])
        )

    def _add_poster(self, job: Job) -> None:
        """The tasks of a new picture: its step as `services/pipeline/posters.py` planned it, and what shows it."""
        plan = job.plan or {}
        step = load(PlannedTask, plan["task"])
        lane = "short" if step.load_units else "bookkeeping"
        fields = {"params": dict(step.params), "load_units": step.load_units, "lane": lane, "reads": dump(step.reads)}
        self.database.tasks.insert(self._task(job, step.name, "step", step=plan["step"], **fields))
        shown = {"needs": [step.name], "params": {"time_seconds": plan["time_seconds"], "picture": plan.get("picture")}}
        # the last one: where it is, the other is
        self.database.tasks.insert(self._task(job, LAST["poster"], "poster", **shown))

    def add_steps(self, job: Job, planned: Iterable[tuple[str, PlannedTask]], *, hashes: bool = False) -> None:
        """The tasks that steps planned (with each one's step name), in parts, then packaging and publishing behind
        them; what lets viewers begin behind those that make it. With `hashes`, the original is hashed beside them
        (`long`: gigabytes), behind the first picture, and settled when none of them reads it any more.
        """
        pieces = divided(planned)
        opening = [piece.task.name for piece in pieces if piece.task.rank == 0]
        cost = round(sum(piece.task.weight for piece in pieces), 3)
        first = [p.task.name for p in pieces if p.task.rank == 0 and not p.task.needs]  # others may wait for these
        tasks = [self._step_task(job, piece, first, cost) for piece in pieces]
        if opening:
            tasks.append(self._task(job, "open", "open", needs=opening, optional=True))
        tasks.append(self._task(job, "package", "package", needs=[piece.task.name for piece in pieces]))
        if hashes:
            tasks.append(self._task(job, "digest", "digest", needs=["plan", *opening], load_units=1, lane="long"))
            tasks.append(self._task(job, "settle", "settle", needs=["package", "digest"]))
        last = ["package", "settle"] if hashes else ["package"]
        self.database.tasks.insert_all([*tasks, self._task(job, "publish", "publish", needs=last)])

    def _step_task(self, job: Job, piece: Piece, opening: list[str], cost: float) -> Task:
        task = piece.task
        return self._task(
            job,
            task.name,
            "step",
            # nothing takes cores from what viewers begin with
            needs=["plan", *task.needs, *(opening if task.rank else ())],
            step=piece.step,
            params=dict(task.params),
            load_units=task.load_units,
            weight=task.weight,
            # what is watched first does not wait for what comes after it
            turn=job.created_at + _turn(piece, cost),
            lane="first" if task.rank == 0 and task.load_units else _lane(task.load_units, piece.whole_weight, cost),
            optional=task.optional,
            rank=task.rank,
            part=None if piece.part is None else dump(piece.part),
            reads=dump(task.reads),
            whole=piece.whole,
            watched=bool(opening) or task.when == "on_demand",
            eager=task.when == "eager",
        )

    def _task(self, job: Job, name: str, stage: Stage, **fields: Any) -> Task:
        now = self.database.now()
        defaults: dict[str, Any] = {"load_units": 0, "turn": job.created_at, "lane": "bookkeeping"}
        return Task(
            id=task_id(job.id, name),
            job_id=job.id,
            asset_id=job.asset_id,
            owner=job.owner,
            generation=job.generation,
            name=name,
            stage=stage,
            state="pending",
            created_at=now,
            updated_at=now,
            **defaults | fields,
        )

    # --- progress

    def tasks(self, job: str) -> list[Task]:
        """The job's tasks, oldest first."""
        return self.database.tasks.find({"job_id": job}, sort=("created_at", "id"))

    def advance(self, job: str) -> None:
        """Unlock the tasks whose needs are met, and end the job when its last task ended or one failed."""
        document = self.database.jobs.get(job)
        if document is None or document.state in WORK_ENDED:
            return
        standing = self.tenure.standing(document)
        if standing == "lost":
            self.end(document, "cancelled", SUPERSEDED)
        if standing != "held":
            return
        tasks = self.tasks(job)
        if document.kind == "process" and not any(task.name == "plan" for task in tasks):
            self._add_first(document)
            tasks = self.tasks(job)
        if document.kind == "poster" and not any(task.name == LAST["poster"] for task in tasks):
            self._add_poster(document)
            tasks = self.tasks(job)
        if document.kind in ALONE and not tasks:
            self.database.tasks.insert(self._task(document, **(document.plan or {})["task"]))
            tasks = self.tasks(job)
        failed = next((task for task in tasks if task.state == "failed" and not task.optional), None)
        if failed is not None:
            self.end(document, "failed", failed.error)
            return
        settled = {task.name for task in tasks if task.state == "done" or (task.optional and task.state in WORK_ENDED)}
        self._unlock_some(document, [task for task in tasks if task.state == "pending"], settled)
        last = next((t for t in tasks if document.kind in ALONE or t.name == LAST[document.kind]), None)
        if last is not None and last.state == "done":
            self.end(document, "done", None)
        elif last is not None and last.state == "cancelled":
            self.end(document, "cancelled", UNWANTED)

    def _unlock_some(self, job: Job, waiting: list[Task], settled: set[str]) -> None:
        """Make tasks ready, those first that are done in no time, then as they are claimed: nothing waits for a film's
        hundreds of parts to be written. There is a next time whenever one of them ends.
        """
        unlocked = 0
        for task in sorted(waiting, key=lambda task: (not task.ready, task.load_units > 0, task.turn, -task.weight)):
            if self._unlock(job, task, settled):
                unlocked += 1
                if unlocked <= MOST_WOKEN:
                    self.wakeups.wake(task.stage, task.id)
                if unlocked == MOST_UNLOCKED:
                    break

    def _unlock(self, job: Job, task: Task, settled: set[str]) -> bool:
        """Make a task ready when what it needs is settled, True when it has become so; its priority is the job's."""
        if not task.ready and settled.issuperset(task.needs):
            changes = {"ready": True, "priority": job.priority, "updated_at": self.database.now()}
            return self.database.tasks.change(task.id, {"state": "pending", "ready": False}, changes) is not None
        if task.priority != job.priority:
            self.database.tasks.change(task.id, {"state": "pending"}, {"priority": job.priority})
        return False

    def end(self, job: Job, state: WorkState, error: dict[str, Any] | None) -> Job | None:
        """End a job: nothing of it runs or is published afterwards. An earlier generation of the asset stays.

        The asset is freed first: when the job has published by then, it is done, whatever else was meant. The answer
        is the ended job, or None when it had ended before.
        """
        now = self.database.now()
        if state != "done":
            error = error or {"code": f"job.{state}", "detail": f"The job was {state}."}
            if self.tenure.give_back(job, error) is None and self.tenure.published(job):
                state, error = "done", None
        if job.kind != "process":
            self.tenure.leave(job)
        changes = {"state": state, "error": error, "updated_at": now, "finished_at": now}
        # nobody follows the pieces that players ask for
        told = (Event(f"job.{state}", now, job.owner, job.asset_id, job.id, data=error or {}),)
        running = {"state": OneOf(("pending", "running"))}
        ended = self.outbox.change(self.database.jobs, job.id, running, changes, *told[: job.kind != "demand"])
        if error is not None:
            self.tenure.give_back(job, error)  # it may have taken the asset in between, see there
        self.cancel_tasks(job.id)
        if ended is not None:
            self.metrics.count("mediaflow_jobs_total", state=state)
        return ended

    def halt(self, asset_id: str, error: dict[str, Any]) -> None:
        """Cancel whatever is done for an asset."""
        for job in self.database.jobs.find({"asset_id": asset_id, "state": OneOf(("pending", "running"))}):
            self.end(job, "cancelled", error)

    def cancel_tasks(self, job: str) -> None:
        """End what waits or runs of a job that has ended."""
        now = self.database.now()
        cancelled = {"state": "cancelled", "updated_at": now, "finished_at": now}
        for task in self.tasks(job):
            if task.state not in WORK_ENDED:
                self.database.tasks.change(task.id, {"state": OneOf(("pending", "running"))}, cancelled)


def _turn(piece: Piece, job_weight: float) -> float:
    """After whose work of the owner's it comes, in core seconds. What opens a video is begun together: all of it is
    needed, and the longest of it goes first.
    """
    if piece.task.rank == 0:
        return 0.0
    return (job_weight if piece.task.rank == REST else piece.weight_so_far) + piece.place * _AFTER


def _lane(load_units: int, weight: float, job_weight: float) -> Lane:
    if load_units == 0:
        return "bookkeeping"
    return "long" if job_weight > LONG_SECONDS and weight > BRIEF_SECONDS else "short"
