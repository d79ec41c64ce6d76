"""Jobs and their tasks: creation, unlocking what is ready, and how an end of a task moves its job and its asset.

Every method is idempotent: it looks at the documents and makes the next step that they allow. `advance` may run at any
time, on any host, as often as it likes; the reconciler does just that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mediaflow.domain.events import Event
from mediaflow.domain.ids import job_id, task_id
from mediaflow.domain.records import Asset, Job, Task
from mediaflow.domain.states import WORK_ENDED, Stage
from mediaflow.plugin import PlannedTask
from mediaflow.services.ports import Below, Database, Metrics, OneOf, Plugins, Wakeups


@dataclass(frozen=True, slots=True)
class Jobs:
    """Everything that changes jobs as a whole."""

    database: Database
    plugins: Plugins
    wakeups: Wakeups
    metrics: Metrics

    # --- creation

    def start(self, asset_id: str, *, generation: int, profile: str | None = None) -> Job | None:
        """The job of that generation, made if it is not there yet; None when the asset is gone."""
        asset, now = self.database.assets.get(asset_id), self.database.now()
        if asset is None:
            return None
        job = Job(
            id=job_id(asset_id, generation),
            asset_id=asset_id,
            owner=asset.owner,
            generation=generation,
            profile=profile or asset.profile,
            state="pending",
            created_at=now,
            updated_at=now,
        )
        if self.database.jobs.insert(job):
            self.metrics.count("mediaflow_jobs_total", state="pending")
        self._add(job, "probe", "probe", ready=True)
        self._add(job, "validate", "validate", needs=["probe"])
        self._add(job, "plan", "plan", needs=["validate"])
        changes = {"job_id": job.id, "next_generation": generation, "updated_at": now}
        self.database.assets.change(asset_id, {"next_generation": Below(generation)}, changes)
        self.database.assets.change(asset_id, {"state": "stored"}, {"state": "processing"})
        self.wakeups.wake("probe", task_id(job.id, "probe"))
        return job

    def add_steps(self, job: Job, planned: Iterable[tuple[str, PlannedTask]]) -> None:
        """The tasks that steps planned (with each one's step name), then packaging and publishing behind them."""
        names: list[str] = []
        for step, task in planned:
            names.append(task.name)
            self._add(
                job,
                task.name,
                "step",
                needs=["plan", *task.needs],
                step=step,
                params=dict(task.params),
                load_units=task.load_units,
                weight=task.weight,
                optional=task.optional,
            )
        self._add(job, "package", "package", needs=names)
        self._add(job, "publish", "publish", needs=["package"])

    def _add(self, job: Job, name: str, stage: Stage, **fields: Any) -> None:
        now = self.database.now()
        load = fields.pop("load_units", 0)  # bookkeeping stages never wait behind encodes
        task = Task(
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
            load_units=load,
            **fields,
        )
        self.database.tasks.insert(task)

    # --- progress

    def tasks(self, job: str) -> list[Task]:
        """The job's tasks, oldest first."""
        return self.database.tasks.find({"job_id": job}, sort=("created_at", "id"))

    def advance(self, job: str) -> None:
        """Unlock the tasks whose needs are met, and end the job when its last task ended or one failed."""
        document = self.database.jobs.get(job)
        if document is None or document.state in WORK_ENDED:
            return
        tasks = self.tasks(job)
        failed = next((task for task in tasks if task.state == "failed" and not task.optional), None)
        if failed is not None:
            self.end(document, "failed", failed.error)
            return
        settled = {task.name for task in tasks if task.state == "done" or (task.optional and task.state in WORK_ENDED)}
        for task in tasks:
            if task.state == "pending" and not task.ready and settled.issuperset(task.needs):
                changes = {"ready": True, "updated_at": self.database.now()}
                if self.database.tasks.change(task.id, {"state": "pending", "ready": False}, changes) is not None:
                    self.wakeups.wake(task.stage, task.id)
        if any(task.name == "publish" and task.state == "done" for task in tasks):
            self.end(document, "done", None)

    def end(self, job: Job, state: str, error: dict[str, Any] | None) -> None:
        """End a job: nothing of it runs or is published afterwards. An earlier generation of the asset stays."""
        now = self.database.now()
        changes = {"state": state, "error": error, "updated_at": now, "finished_at": now}
        ended = self.database.jobs.change(job.id, {"state": OneOf(("pending", "running"))}, changes)
        self._cancel_tasks(job.id, now)
        if state != "done":
            self._settle_asset(job, state, error, now)
        if ended is not None:
            self.metrics.count("mediaflow_jobs_total", state=state)
            self.plugins.publish_event(Event(f"job.{state}", now, job.owner, job.asset_id, job.id, data=error or {}))

    def _cancel_tasks(self, job: str, now: float) -> None:
        cancelled = {"state": "cancelled", "updated_at": now, "finished_at": now}
        for task in self.tasks(job):
            if task.state not in WORK_ENDED:
                self.database.tasks.change(task.id, {"state": OneOf(("pending", "running"))}, cancelled)

    def _settle_asset(self, job: Job, state: str, error: dict[str, Any] | None, now: float) -> None:
        rejected = error is not None and str(error.get("code", "")).startswith("media.")
        document = error or {"code": f"job.{state}", "detail": f"The job was {state}."}
        changes = {"state": "rejected" if rejected else "failed", "error": document, "updated_at": now}
        expect = {"job_id": job.id, "state": OneOf(("stored", "processing")), "generation": 0}
        settled = self.database.assets.change(job.asset_id, expect, changes)
        if settled is not None:
            self.plugins.publish_event(
                Event(f"asset.{settled.state}", now, job.owner, job.asset_id, job.id, data=document)
            )


def progress_of(asset: Asset, tasks: list[Task]) -> float:
    """How much of an asset's newest job is done, 0.0-1.0, by the tasks' expected costs."""
    if asset.state in ("ready", "failed", "rejected") or not tasks:
        return 1.0 if asset.state == "ready" else 0.0
    planned = any(task.name == "publish" for task in tasks)
    total = sum(task.weight for task in tasks)
    done = sum(task.weight * (1.0 if task.state in WORK_ENDED else task.progress) for task in tasks)
    return min(0.999, done / total) if planned and total else 0.01
