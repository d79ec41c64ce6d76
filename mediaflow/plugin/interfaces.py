"""The interfaces that plugins implement: steps and manifest formats; storages are in `storages.py`.

Each is a Protocol of at most five methods. An ability that not every implementation has is a Protocol of its own,
asked for with isinstance. `mediaflow.testing` ships a contract test class for each: subclass it in your package's
tests.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from mediaflow.domain.errors import TaskFailed
from mediaflow.domain.media import MediaInfo
from mediaflow.domain.plan import Part, Reads
from mediaflow.domain.presentation import Artifact, Manifest, Presentation
from mediaflow.domain.profile import Profile, StepSpec, When
from mediaflow.plugin.metrics import Metrics, Uncounted
from mediaflow.plugin.records import EventReader, Records, no_database
from mediaflow.sandbox.process import ProcessRunner


@dataclass(frozen=True, slots=True)
class SettingSpec:
    """A setting, read from the environment variable `MEDIAFLOW_<NAME IN UPPER CASE>`.

    `type` is str, int, float or bool (`true` / `false`); `default` has that type. A `secret` is masked wherever
    settings are shown. With `choices` any other value stops the start; `minimum` and `maximum` are the least and the
    greatest number.
    """

    name: str
    type: type
    default: Any
    help: str
    secret: bool = False
    choices: tuple[Any, ...] = ()
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class MediaContext:
    """What a hook may look at, count and keep: settings by name, typed; the metrics that were declared; the plugin's
    records; the log of events. `plugin` is its name (None: nobody's).
    """

    settings: Mapping[str, Any]
    metrics: Metrics = field(default_factory=Uncounted, compare=False)
    records: Records = field(default_factory=no_database, compare=False)
    events: EventReader = field(default_factory=no_database, compare=False)
    plugin: str | None = None


@dataclass(frozen=True, slots=True)
class UploadDraft:
    """An upload as announced: nothing of it was received yet. `content_type` and `sha256` are the client's claims."""

    owner: str
    filename: str
    size_bytes: int
    content_type: str | None = None
    sha256: str | None = None
    profile: str | None = None


# --- steps


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """A task that a step wants run. `name` matches `[a-z0-9-]{1,40}` and is unique within the job.

    `needs` are names of other planned tasks of the profile, or of steps (`video.h264`: all of its tasks): it runs after
    them and finds what they made in `Workspace.inputs`. `load_units` is the number of cores it keeps busy; `weight` its
    expected cost in seconds of one core (progress bars use it); an `optional` task may fail without failing the job.

    `makes` are the tracks that it will make, by name, and its other outputs, by path. What two steps of a profile say
    that they make is refused at planning; a clash that no `makes` told of is refused after the work.

    `rank` says when people need it: 0 opens the presentation, 1 is what they watch first (the smallest rendition, the
    sound), 2 the rest. When all tasks of rank 0 are done, or can't be, viewers may begin with the tracks whose `init`
    artifacts of these tasks foretell their segments. Two tasks of a step may make the same segment of a track: the one
    that was made first is kept, so that a task of rank 0 makes a track's first segment, and another all of them.

    With `segments`, each of the tracks that it `makes` has so many, and any run of them can be made by itself, of any
    of these tracks (`StepTask.part`): the task is then run in parts, by several workers at once, and where viewers are
    before the rest. The init segment comes out the same, byte for byte, each time. What is made `on_demand` can be made
    so; its init segments, which foretell, are made at once, and no segment before it is asked for.

    `reads` are the seconds of the source that it decodes, or all its equally long `segments` together: where the
    storage is elsewhere, no more than that is fetched of a long MP4 (`Workspace.partial`). None: anything of it.
    """

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    load_units: int = 1
    weight: float = 1.0
    optional: bool = False
    makes: tuple[str, ...] = ()
    rank: int = 2
    segments: int = 0
    when: When = "eager"
    reads: Reads | None = None


@dataclass(frozen=True, slots=True)
class StepTask:
    """A task as a step's `run` gets it. `part` is what it makes of a task that was planned with `segments`; it has the
    numbers and the times that it has in the whole. None: all. Of what is `awaited`, somebody waits in front of a player
    for the part's first segment: that it is there soon is worth more than that it is small.

    `findings` are what tasks of the same generation that were done before found out (artifacts of that role), by task.
    Those of a task that it `needs` are there; what is made on demand may be asked for before any are.
    """

    name: str
    params: Mapping[str, Any]
    media: MediaInfo
    part: Part | None = None
    awaited: bool = False
    findings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TaskFiles:
    """What another task made, to be read only: its artifacts, and the directory that their paths are relative to."""

    directory: Path
    artifacts: tuple[Artifact, ...]

    def path(self, artifact: Artifact) -> Path:
        """The artifact's file."""
        return self.directory / artifact.path

    def joined(self, track: str, target: Path) -> Path:
        """Write what the task made of a track into one file, the init segment and its segments by number, and return
        it: a fragmented MP4, as programs read it. TaskFailed (`job.incomplete`) when the init segment or all segments
        are missing. (A track that several tasks made parts of has its parts in several `TaskFiles`.)
        """
        inits = [a for a in self.artifacts if a.describes is not None and a.describes.name == track]
        mine = (a for a in self.artifacts if a.role == "segment" and a.track == track)
        segments = sorted(mine, key=lambda segment: segment.number or 0)
        if not inits or not segments:
            tracks = ", ".join(sorted({a.describes.name for a in self.artifacts if a.describes is not None})) or "none"
            raise TaskFailed(f"There is no track {track!r} to join; the task made: {tracks}.", code="job.incomplete")
        with target.open("wb") as file:
            for artifact in (inits[0], *segments):
                with self.path(artifact).open("rb") as part:
                    shutil.copyfileobj(part, file)
        return target


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where a step works. `source` is the original, to be read only; everything in `directory` is the step's own and
    gone afterwards, except the artifacts that it returns. `progress(fraction)` reports 0.0-1.0; call it as often as
    you like. `processes` runs programs in the sandbox: use it for every program that touches the source.

    `inputs` has what the task's `needs` made, by the task's name. A needed task that was optional and could not be done
    is not there.

    `warn(sentence)` tells the asset's owner what is left out of an output that is made all the same: it is among the
    asset's warnings when that is published. Of a task 20 sentences are kept, each of at most 300 characters.

    `made(artifact)` says that a file is whole and verified while others are still being made: it is kept at once, and
    watched where the presentation is open. Init segments come before the segments of their track. The same artifacts
    are among those that `run` returns in the end.

    Of a `partial` source only what the task `reads` is there; where the rest should be, there are zeros. A step that
    finds that it needs more raises NeedsWholeSource, and is run again with all of it; so is one that raises
    MediaRejected. Programs must not go on after an error there (ffmpeg: `-xerror`).
    """

    directory: Path
    source: Path
    progress: Callable[[float], None]
    processes: ProcessRunner
    settings: Mapping[str, Any]
    inputs: Mapping[str, TaskFiles] = field(default_factory=dict)
    made: Callable[[Artifact], None] = lambda _artifact: None
    partial: bool = False
    warn: Callable[[str], None] = lambda _sentence: None


@runtime_checkable
class Step(Protocol):
    """Work on a source that profiles name. `name` is `area.variant` (`video.h264`).

    `check` and `plan` are pure and run in the service; `run` runs in a child process with a time limit, where it can
    write to its own directory only.
    """

    @property
    def name(self) -> str: ...

    def check(self, params: Mapping[str, Any]) -> Iterable[str]:
        """What is wrong with a profile's parameters: a sentence each, beginning with the parameter's name and `:`."""
        ...

    def plan(self, media: MediaInfo, spec: StepSpec, profile: Profile) -> Sequence[PlannedTask]:
        """The tasks for this source; none when there is nothing to do (a video step for an audio file)."""
        ...

    def run(self, task: StepTask, workspace: Workspace) -> Sequence[Artifact]:
        """Do one planned task and return what it made, verified. MediaRejected (`media.*`): the source is at fault,
        no retry. Anything else that is raised is tried again.
        """
        ...


@runtime_checkable
class UsesNetwork(Protocol):
    """A step whose `run` speaks with other machines, and says so: `uses_network = True`. Without it there is no network
    where it runs, not even the machine's own services. The programs that it runs by `Workspace.processes` never have
    one.
    """

    @property
    def uses_network(self) -> bool: ...


@runtime_checkable
class UsesDevices(Protocol):
    """A step whose programs use devices of the machine, as a hardware encoder's. They are let into the sandbox of these
    programs and of no others; `run` itself does not see them.
    """

    def devices(self, params: Mapping[str, Any]) -> Sequence[str]:
        """Patterns of device files (`/dev/dri/renderD*`) for these parameters: a profile's, or those of a task that was
        planned from one. None: no devices.
        """
        ...


@runtime_checkable
class ChecksMachine(Protocol):
    """A step that can do what not every machine can. A worker refuses to start when the default profile, or one of the
    operator's own, needs what its machine lacks; `mediaflow doctor` tells of all.
    """

    def abilities(self) -> Mapping[str, Mapping[str, Any]]:
        """What some machines can do, by a name for people (`h264_vaapi`): the parameters that ask for it."""
        ...

    def lacks(self, params: Mapping[str, Any], processes: ProcessRunner) -> str | None:
        """What this machine lacks for a profile's parameters, in a sentence that names it and the way out; None:
        nothing. It is tried: `processes` runs programs in the sandbox, with the step's devices.
        """
        ...


# --- manifests


@runtime_checkable
class ManifestFormat(Protocol):
    """Writes manifests over the packaged segments. `name` is how profiles call it (`hls`)."""

    @property
    def name(self) -> str: ...

    def render(self, presentation: Presentation) -> Sequence[Manifest]:
        """The manifests, exactly one of them the `entry`. Pure: the same presentation gives the same text."""
        ...
