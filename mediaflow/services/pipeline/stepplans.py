"""What the steps of a profile plan: whatever goes wrong in its `plan` names the step and its plugin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from mediaflow.domain.containment import contained
from mediaflow.domain.errors import MediaflowError, MediaRejected, TaskFailed
from mediaflow.domain.ladder import plan_encode
from mediaflow.domain.media import MediaInfo
from mediaflow.domain.plan import EncodePlan
from mediaflow.domain.profile import Profile, StepSpec
from mediaflow.domain.readymade import ReadyMade, ready_made
from mediaflow.domain.telling import cause, error_document
from mediaflow.services.pipeline.fitting import Planned
from mediaflow.services.pipeline.plannedtasks import MOST_TASKS, unfit_task
from mediaflow.services.ports import Plugins


def plans_of(plugins: Plugins, spec: StepSpec, media: MediaInfo, profile: Profile) -> list[Planned]:
    """The step's tasks, each behind the step's name.

    MediaRejected when the step says so. TaskFailed for everything else that is raised, and (`job.bad_plan`) for what is
    no task and for parameters that are no JSON.
    """
    name = f"The step {spec.step!r} of the plugin {plugins.entry_point_of_step(spec.step)!r}"
    try:
        with contained():
            planned = plugins.steps[spec.step].plan(media, spec, profile)
            tasks = None if planned is None else list(islice(planned, MOST_TASKS + 1))
            problem = next(filter(None, map(unfit_task, tasks or ())), None)
    except MediaRejected:
        raise
    except MediaflowError as error:
        told = error_document(error)
        raise TaskFailed(f"{name} failed to plan: {told['detail']}", code=told["code"]) from error
    except Exception as error:  # a plugin may raise anything
        raise TaskFailed(f"{name} failed to plan: {cause(error)}", code="job.bad_plan") from error
    if tasks is None:
        raise TaskFailed(f"{name} planned None; it must return PlannedTasks, perhaps none.", code="job.bad_plan")
    if problem is not None:
        raise TaskFailed(f"{name} {problem}.", code="job.bad_plan")
    if len(tasks) > MOST_TASKS:
        raise TaskFailed(f"{name} planned more than {MOST_TASKS} tasks; plan fewer, larger ones.", code="job.bad_plan")
    return [(spec.step, task) for task in tasks]


def encode_plan(media: MediaInfo, profile: Profile, planned: Sequence[Planned]) -> EncodePlan:
    """The plan that a profile's steps kept to: with segments of different lengths where one of them told of such, and
    with sizes that are there already where these are what they make.
    """
    uneven = any(task.reads is not None and task.reads.begins for _, task in planned)
    encode = plan_encode(media, profile, uneven=uneven)
    makes = {name for _, task in planned for name in task.makes}
    ready = None if encode.video else ready_made(media, profile.segment_seconds)
    if isinstance(ready, ReadyMade) and makes.issuperset(each.name for each in ready.renditions):
        return replace(encode, video=ready.renditions, grid=ready.grid)
    return encode
