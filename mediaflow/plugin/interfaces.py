"""The interfaces that plugins implement: storages, steps and manifest formats.

Each is a Protocol of at most five methods. An ability that not every implementation has is a Protocol of its own,
asked for with isinstance. `mediaflow.testing` ships a contract test class for each: subclass it in your package's
tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from mediaflow.domain.media import MediaInfo
from mediaflow.domain.presentation import Artifact, Manifest, Presentation
from mediaflow.domain.profile import Profile, StepSpec
from mediaflow.plugin.metrics import Metrics, Uncounted
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
    """What a hook may look at and count: settings by name, typed; and the metrics that were declared."""

    settings: Mapping[str, Any]
    metrics: Metrics = field(default_factory=Uncounted, compare=False)


@dataclass(frozen=True, slots=True)
class UploadDraft:
    """An upload as announced: nothing of it was received yet. `content_type` and `sha256` are the client's claims."""

    owner: str
    filename: str
    size_bytes: int
    content_type: str | None = None
    sha256: str | None = None
    profile: str | None = None


# --- storage


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """A stored object. `modified_at` is seconds since the epoch (UTC)."""

    key: str
    size_bytes: int
    modified_at: float


@runtime_checkable
class Storage(Protocol):
    """Objects by key. An object appears whole or not at all, and is durable when `put` returns.

    Keys are `/`-joined parts of `[A-Za-z0-9._%=@+-]`, none starting with a dot. A failing backend raises
    `mediaflow.plugin.Unavailable`; a full one `InsufficientStorage`. No key may be a directory of another (`a` and
    `a/b`): a storage may refuse it with Conflict (`storage.key_in_the_way`).
    """

    def put(self, key: str, blocks: Iterable[bytes], *, size_bytes: int, content_type: str) -> ObjectInfo:
        """Store an object of exactly `size_bytes`, replacing one of that key. When `blocks` raises or has another
        length (then InvalidInput, code `storage.wrong_length`), nothing is left behind and an older object stays.
        """
        ...

    def read(self, key: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The bytes from `offset` (all, or `length` of them), in blocks of at most 1 MiB. A missing key raises
        NotFound (code `storage.no_object`) from this call itself, not from the first block. An offset at or beyond
        the end gives no bytes, a length that reaches beyond it what there is; a negative one is InvalidInput
        (`storage.bad_range`). A reader may stop early.
        """
        ...

    def stat(self, key: str) -> ObjectInfo | None:
        """The object's size and time, or None."""
        ...

    def delete(self, key: str) -> None:
        """Remove the object; one that is not there is no error."""
        ...

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Every object whose key starts with `prefix`, sorted by key."""
        ...


@runtime_checkable
class ReceivesParts(Protocol):
    """An object received in parts: in any order, in parallel, from several processes. Uploads need this.

    Part i (0-based) lies at byte i * part_bytes; all but the last have `part_bytes`. Nothing is visible at `key` before
    `complete_parts`. `min_part_bytes` is the smallest part that the storage takes (the last may be smaller).
    """

    @property
    def min_part_bytes(self) -> int: ...

    def begin_parts(self, key: str, *, size_bytes: int, part_bytes: int, content_type: str) -> str:
        """Make room; the answer is a handle that the other calls take, valid in every process and after restarts."""
        ...

    def put_part(self, key: str, handle: str, index: int, blocks: Iterable[bytes], *, offset: int, length: int) -> str:
        """Write one part durably and return its receipt (an ETag, or ""). The same part may be written again. When
        `blocks` raises, the error passes through and the part counts as not written. Another length than `length`
        raises InvalidInput (`storage.wrong_length`); an unknown handle NotFound (`storage.no_parts`).
        """
        ...

    def complete_parts(self, key: str, handle: str, receipts: Sequence[str], *, size_bytes: int) -> ObjectInfo:
        """Turn the parts into the object; `receipts` are all parts' receipts in the order of the parts. Calling it
        again after it succeeded returns the same object. A part that is missing, or another size, raises InvalidInput
        (`storage.wrong_parts`) and nothing is visible; an unknown handle NotFound (`storage.no_parts`).
        """
        ...

    def abort_parts(self, key: str, handle: str) -> None:
        """Forget the parts and free their room; harmless when there is nothing (any more)."""
        ...


@runtime_checkable
class CopiesObjects(Protocol):
    """Moves an object without its bytes passing through us."""

    def move(self, source: str, target: str) -> ObjectInfo:
        """Afterwards the object is at `target` only. A repeat after success returns the object; a source that is
        missing with no target there raises NotFound (`storage.no_object`).
        """
        ...


@runtime_checkable
class PresignsUrls(Protocol):
    """Makes URLs that anyone can GET for a while."""

    def presign(self, key: str, *, seconds: int) -> str:
        """A URL to GET the object, valid for `seconds`."""
        ...


@runtime_checkable
class HasLocalFiles(Protocol):
    """Keeps objects as files of this host, so that a worker may read them in place."""

    def local_path(self, key: str) -> Path:
        """The object's file, to be read only; NotFound (`storage.no_object`) when it is missing."""
        ...


@dataclass(frozen=True, slots=True)
class Room:
    """Space of a file system, in bytes. `free_bytes` is what an ordinary user may still fill."""

    free_bytes: int
    total_bytes: int


@runtime_checkable
class MeasuresRoom(Protocol):
    """Knows how much more it can keep, so that an upload without room is refused before its first byte."""

    def room(self) -> Room:
        """The space now; Unavailable when it can't be told."""
        ...


@dataclass(frozen=True, slots=True)
class StorageScheme:
    """Opens storages for URLs `scheme:...`. `shared` is True when workers on other hosts can reach it.

    `open(url, settings)` raises ConfigurationError with the way out when the URL or a setting is wrong; it must not
    connect yet. `check` of an opened storage is done with `list("")`.
    """

    scheme: str
    open: Callable[[str, Mapping[str, Any]], Storage]
    shared: bool


# --- steps


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """A task that a step wants run. `name` matches `[a-z0-9-]{1,40}` and is unique within the job.

    `needs` are names of other planned tasks of the profile, or of steps (`video.h264`: all of its tasks): it runs after
    them and finds what they made in `Workspace.inputs`. `load_units` is the number of cores it keeps busy; `weight` its
    expected cost in seconds of one core (progress bars use it); an `optional` task may fail without failing the job.

    `makes` are the tracks that it will make, by name, and its other outputs, by path. What two steps of a profile say
    that they make is refused at planning; what they do not say is refused when it is there, after the work.
    """

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    load_units: int = 1
    weight: float = 1.0
    optional: bool = False
    makes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepTask:
    """A task as a step's `run` gets it."""

    name: str
    params: Mapping[str, Any]
    media: MediaInfo


@dataclass(frozen=True, slots=True)
class TaskFiles:
    """What another task made, to be read only: its artifacts, and the directory that their paths are relative to."""

    directory: Path
    artifacts: tuple[Artifact, ...]

    def path(self, artifact: Artifact) -> Path:
        """The artifact's file."""
        return self.directory / artifact.path


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where a step works. `source` is the original, to be read only; everything in `directory` is the step's own and
    gone afterwards, except the artifacts that it returns. `progress(fraction)` reports 0.0-1.0; call it as often as
    you like. `processes` runs programs in the sandbox: use it for every program that touches the source.

    `inputs` has what the task's `needs` made, by the task's name. A needed task that was optional and could not be done
    is not there.
    """

    directory: Path
    source: Path
    progress: Callable[[float], None]
    processes: ProcessRunner
    settings: Mapping[str, Any]
    inputs: Mapping[str, TaskFiles] = field(default_factory=dict)


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


# --- manifests


@runtime_checkable
class ManifestFormat(Protocol):
    """Writes manifests over the packaged segments. `name` is how profiles call it (`hls`)."""

    @property
    def name(self) -> str: ...

    def render(self, presentation: Presentation) -> Sequence[Manifest]:
        """The manifests, exactly one of them the `entry`. Pure: the same presentation gives the same text."""
        ...
