"""What one step of a profile plans: whatever goes wrong in its `plan` names the step and its plugin."""

from __future__ import annotations

from mediaflow.domain.errors import MediaflowError, MediaRejected, TaskFailed
from mediaflow.domain.media import MediaInfo
from mediaflow.domain.profile import Profile, StepSpec
from mediaflow.plugin import PlannedTask
from mediaflow.plugin.wire import unfit_params
from mediaflow.services.pipeline.fitting import Planned
from mediaflow.services.ports import Plugins


def plans_of(plugins: Plugins, spec: StepSpec, media: MediaInfo, profile: Profile) -> list[Planned]:
    """The step's tasks, each behind the step's name.

    MediaRejected when the step says so. TaskFailed for everything else that is raised, and (`job.bad_plan`) for what is
    no task and for parameters that are no JSON.
    """
    name = f"The step {spec.step!r} of the plugin {plugins.entry_point_of_step(spec.step)!r}"
    try:
        planned = plugins.steps[spec.step].plan(media, spec, profile)
        tasks = None if planned is None else list(planned)
    except MediaRejected:
        raise
    except MediaflowError as error:
        raise TaskFailed(f"{name} failed to plan: {error.detail}", code=error.code) from error
    except Exception as error:  # a plugin may raise anything
        text = " ".join(str(error).split())[:300]
        raise TaskFailed(f"{name} failed to plan: {type(error).__name__}: {text}", code="job.bad_plan") from error
    if tasks is None:
        raise TaskFailed(f"{name} planned None; it must return PlannedTasks, perhaps none.", code="job.bad_plan")
    for task in tasks:
        if not isinstance(task, PlannedTask):
            raise TaskFailed(f"{name} planned {task!r:.100}; it must be a PlannedTask.", code="job.bad_plan")
        if (problem := unfit_params(task.name, task.params)) is not None:
            raise TaskFailed(f"{name} {problem}.", code="job.bad_plan")
    return [(spec.step, task) for task in tasks]
