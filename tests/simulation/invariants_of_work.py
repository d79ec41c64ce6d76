"""What always holds of jobs and tasks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from mediaflow.domain.ids import job_id
from mediaflow.domain.records import Job, Task
from mediaflow.domain.states import MAX_ATTEMPTS, WORK_ENDED
from tests.simulation.places import seen
from tests.simulation.scheduler import FOREVER
from tests.simulation.world import World

QUIET_SECONDS: Final = 60.0
REASONS: Final = (
    "asset.deleted",
    "job.no_original",  # begun again just when its file was found to be another than declared
    "job.poison",
    "job.step_failed",
    "media.undecodable",
    "media.unsupported",
    "storage.unavailable",
)


def ended_tasks_stay(_world: World, before: Task | None, after: Task | None) -> str | None:
    """An ended task does not change."""
    if before is None or after is None or before.state not in WORK_ENDED or _only_told(before, after):
        return None
    return f"the {before.state} task {before.name} changed to {after.state} (attempt {after.attempt})"


def attempts_are_fenced(world: World, before: Task | None, after: Task | None) -> str | None:
    """An attempt begins with a claim of a waiting task, one at a time, and with nothing else."""
    if before is None or after is None:
        return None
    claimed = (before.state, after.state) == ("pending", "running")
    if after.attempt != before.attempt + claimed:
        return f"task {after.name} went from attempt {before.attempt} ({before.state}) to {after.attempt}"
    if claimed and after.lease_until <= world.scheduler.now - 200:
        return f"task {after.name} was claimed without a lease"
    return None


def claimed_when_ready(world: World, before: Task | None, after: Task | None) -> str | None:
    """What is claimed has all that it needs."""
    if before is None or after is None or (before.state, after.state) != ("pending", "running"):
        return None
    others = {each.name: each for each in _tasks(world, after.job_id)}
    for need in after.needs:
        other = others.get(need)
        if other is None or not (other.state == "done" or (other.optional and other.state in WORK_ENDED)):
            return f"task {after.name} runs, and {need} is {'nowhere' if other is None else other.state}"
    return None


def results_are_of_one_attempt(world: World, before: Task | None, after: Task | None) -> str | None:
    """Only who claimed the attempt ends it with a result, and what it made lies under that attempt's own path."""
    if before is None or after is None or after.state not in ("done", "failed") or before.state == after.state:
        return None
    if before.state != "running":
        return f"task {after.name} is {after.state} and was {before.state}"
    actor = world.scheduler.current
    if actor is not None and actor.process.name != before.worker:
        return f"task {after.name} of {before.worker} is {after.state} by {actor.process.name}"
    path = (after.result or {}).get("path")
    if after.stage == "step" and after.state == "done" and not str(path).endswith(f".{after.attempt}"):
        return f"task {after.name} ended its attempt {after.attempt} with {path}"
    return None


def lease_is_taken_from_the_dead_only(world: World, before: Task | None, after: Task | None) -> str | None:
    """A running task goes back to wait by its worker's own will, or when its lease has run out, or when who takes it
    sees that its worker is dead.
    """
    if before is None or after is None or (before.state, after.state) != ("running", "pending"):
        return None
    actor = world.scheduler.current
    if actor is None or actor.process.name == before.worker or before.lease_until <= world.scheduler.now:
        return None
    own = seen(actor.process.name, world.processes)
    if own is not None and own.sees_the_end_of(before.worker):
        return None
    return (
        f"task {after.name} was taken from {before.worker} {before.lease_until - world.scheduler.now:.1f} s too early"
    )


def held_while_alive(world: World, before: Task | None, after: Task | None) -> str | None:
    """A worker that lives, and that nothing disturbed lately, keeps what it runs."""
    if before is None or after is None or (before.state, after.state) != ("running", "pending"):
        return None
    actor, holder = world.scheduler.current, world.processes.get(before.worker or "")
    if holder is None or holder.dead or actor is None or actor.process is holder:
        return None
    quiet = world.scheduler.now - holder.disturbed_at > QUIET_SECONDS
    return f"{before.worker} lives, and {after.name} was taken from it" if quiet else None


def written_by_its_worker(world: World, before: Task | None, after: Task | None) -> str | None:
    """While a task runs, nobody writes its lease and progress but its worker."""
    if before is None or after is None or (before.state, after.state) != ("running", "running"):
        return None
    actor = world.scheduler.current
    if actor is None or actor.process.name == before.worker:
        return None
    same = (before.lease_until, before.progress, before.seconds) == (after.lease_until, after.progress, after.seconds)
    return None if same else f"{actor.process.name} wrote to {after.name}, which {before.worker} runs"


def charges_only_grow(_world: World, before: Task | None, after: Task | None) -> str | None:
    """What was spent on a task, and how often it failed, is never forgotten."""
    if before is None or after is None:
        return None
    if after.seconds < before.seconds or after.failures < before.failures:
        return f"task {after.name} was charged {before.seconds}, now {after.seconds}"
    return f"task {after.name} failed {after.failures} times" if after.failures > MAX_ATTEMPTS else None


def what_fails_has_a_reason(_world: World, before: Task | None, after: Task | None) -> str | None:
    """Nothing fails but what a history makes fail: no work of ours finds another's incomplete, twice or elsewhere."""
    if before is None or after is None or after.state != "failed" or before.state == "failed":
        return None
    code = str((after.error or {}).get("code"))
    return None if code in REASONS else f"task {after.name} failed: {after.error}"


def ended_jobs_stay(_world: World, before: Job | None, after: Job | None) -> str | None:
    """An ended job does not change."""
    if before is None or after is None or before.state not in WORK_ENDED or _only_told(before, after):
        return None
    return f"the {before.state} job {before.id} changed to {after.state}"


def one_job_a_generation(world: World, before: Job | None, after: Job | None) -> str | None:
    """A generation has one job, whose id tells which."""
    if before is not None or after is None or after.kind != "process":
        return None
    if after.id != job_id(after.asset_id, after.generation):
        return f"a job of {after.asset_id}'s generation {after.generation} has another id"
    same = [each for each in _jobs(world, after.asset_id) if each.generation == after.generation]
    return f"{len(same)} jobs of {after.asset_id}'s generation {after.generation}" if len(same) > 1 else None


def done_is_published(world: World, before: Job | None, after: Job | None) -> str | None:
    """A job that is done has published, and one that failed says why."""
    if after is None or after.state not in WORK_ENDED or (before is not None and before.state == after.state):
        return None
    asset = world.database.assets.records.get(after.asset_id)
    if after.state == "done":
        missing = asset is not None and after.kind == "process" and asset.generation < after.generation
        return f"job {after.id} is done, and its generation {after.generation} is not published" if missing else None
    return None if after.error is not None else f"job {after.id} is {after.state} and does not say why"


def on_their_way(world: World) -> str | None:
    """A job that has not ended, and whose asset is there for it."""
    for job in world.database.jobs.records.values():
        asset = world.database.assets.records.get(job.asset_id)
        if job.state not in WORK_ENDED and asset is not None:
            tasks = ", ".join(f"{t.name} {t.state} {t.attempt}" for t in _tasks(world, job.id) if t.state != "done")
            return f"job {job.id} of generation {job.generation} is {job.state} ({tasks})"
    return None


def nothing_is_held(world: World) -> str | None:
    """No lease is held, nothing runs, nothing waits.

    A chunk that somebody claimed who stood still while its upload was removed is for `gc`.
    """
    for task in world.database.tasks.records.values():
        if task.state not in WORK_ENDED:
            return f"task {task.name} of {task.job_id} is {task.state} for ever"
    for job in world.database.jobs.records.values():
        if job.state not in WORK_ENDED:
            return f"job {job.id} is {job.state} for ever"
    for chunk in world.database.chunks.records.values():
        late = world.written[chunk.id] >= world.forgotten.get(chunk.upload_id, FOREVER)
        if chunk.state == "writing" and not late:
            return f"chunk {chunk.index} of {chunk.upload_id} is being written for ever"
    return None


def jobs_and_assets_agree(world: World) -> str | None:
    """Work belongs to an asset; a published generation's job is done; what failed published nothing.

    What somebody wrote who stood still while the asset was purged is for `gc`, as its files are.
    """
    for job in world.database.jobs.records.values():
        asset = world.database.assets.records.get(job.asset_id)
        if asset is None:
            if world.written[job.id] < world.purged.get(job.asset_id, 0.0):
                return f"job {job.id} is of {job.asset_id}, which is gone"
            continue
        if job.kind == "process" and job.generation == asset.generation and job.state != "done":
            return f"job {job.id} is {job.state}, and its generation is published"
    for task in world.database.tasks.records.values():
        late = world.written[task.id] >= world.purged.get(task.asset_id, FOREVER)
        if task.job_id not in world.database.jobs.records and not late:
            return f"task {task.name} is of a job that is gone"
    return None


def _only_told(before: Any, after: Any) -> bool:
    """True when nothing changed but what the record has to tell yet."""
    return bool(replace(after, outbox=before.outbox, tell_at=before.tell_at, rev=before.rev) == before)


def _tasks(world: World, job: str) -> list[Any]:
    return [task for task in world.database.tasks.records.values() if task.job_id == job]


def _jobs(world: World, asset: str) -> list[Any]:
    return [job for job in world.database.jobs.records.values() if job.asset_id == asset and job.kind == "process"]
