"""The whole pipeline in one process, without any server: what `mediaflow transcode` runs."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Final, Protocol

from mediaflow.domain import keys
from mediaflow.domain.errors import MediaflowError, MediaRejected, TaskFailed
from mediaflow.domain.presentation import Artifact, TextTrack
from mediaflow.domain.publication import Output, Publication
from mediaflow.domain.records import Asset
from mediaflow.domain.states import WORK_ENDED, Stage
from mediaflow.plugin import BLOCK_BYTES, Storage
from mediaflow.services.assets.progress import Progresses
from mediaflow.services.pipeline.execution import Execution
from mediaflow.services.pipeline.gate import LoadGate
from mediaflow.services.pipeline.jobs import Jobs
from mediaflow.services.pipeline.packaging import KINDS, Produced, build_presentation, is_found
from mediaflow.services.pipeline.posters import Posters
from mediaflow.services.pipeline.rendering import text_track
from mediaflow.services.ports import Database
from mediaflow.services.uploads.acceptance import NewUpload
from mediaflow.services.uploads.assembly import Assembly
from mediaflow.services.uploads.ingest import Ingest

ASSET_FILE: Final = "asset.json"
POLL_SECONDS = 1.0
"""Hands that find nothing are woken when there is something; this is for the next attempt of a task that failed."""
LOCAL_OWNER = "local"


@dataclass(slots=True)
class LocalWakeups:
    """Uploads to assemble, kept for `transcode_file`, and its hands, which wait for tasks."""

    uploads: list[str] = field(default_factory=list)
    times: int = 0
    """How often hands were woken."""
    _woken: threading.Condition = field(default_factory=threading.Condition)

    def wake(self, stage: Stage, task_id: str) -> None:  # noqa: ARG002 - whoever waits looks at everything
        self.wake_all()

    def wake_all(self) -> None:
        """Let all hands look once more."""
        with self._woken:
            self.times += 1
            self._woken.notify_all()

    def wake_assembly(self, upload_id: str) -> None:
        self.uploads.append(upload_id)

    def wait(self, since: int, seconds: float) -> None:
        """Wait until hands are woken, or were `since` they had been so often; at most so long."""
        with self._woken:
            self._woken.wait_for(lambda: self.times != since, seconds)


class LocalRuntime(Protocol):
    """What of a Runtime is needed here."""

    database: Database
    storage: Storage
    ingest: Ingest
    assembly: Assembly
    jobs: Jobs
    execution: Execution
    gate: LoadGate
    posters: Posters

    def stop(self) -> None: ...


def transcode_file(
    runtime: LocalRuntime,
    wakeups: LocalWakeups,
    source: Path,
    out: Path,
    *,
    profile: str | None = None,
) -> dict[str, Any]:
    """Run a file through every stage and lay the presentation out in `out`; returns what `asset.json` there says.

    Raises MediaRejected or TaskFailed with the asset's error. Progress is in the database: see `local_progress`.
    """
    asset_id = ingest_file(runtime, wakeups, source, owner=LOCAL_OWNER, profile=profile)
    work_until_ended(runtime, wakeups, asset_id)
    asset = runtime.database.assets.get(asset_id)
    if asset is None or asset.published is None:
        error = (asset.error if asset else None) or {"code": "job.failed", "detail": "The work ended without a result."}
        kind: type[MediaflowError] = MediaRejected if str(error["code"]).startswith("media.") else TaskFailed
        raise kind(error["detail"], code=error["code"])
    return _lay_out(runtime, asset, asset.published, out)


def work_until_ended(runtime: LocalRuntime, wakeups: LocalWakeups, asset_id: str) -> None:
    """Do everything until the asset's newest job has ended, as many tasks at once as a worker would."""

    def until_ended() -> None:
        while not runtime.execution.stopping() and not _ended(runtime, asset_id):
            woken = wakeups.times
            if runtime.execution.work():
                wakeups.wake_all()  # what that kept from running may be begun
            else:
                wakeups.wait(woken, POLL_SECONDS)
        wakeups.wake_all()

    hands = runtime.gate.units + 1
    with ThreadPoolExecutor(hands, thread_name_prefix="hand") as pool:
        try:
            for hand in as_completed([pool.submit(until_ended) for _ in range(hands)]):
                hand.result()
        except BaseException:
            runtime.stop()
            raise


def local_progress(runtime: LocalRuntime) -> float:
    """How far the only asset of a local run is, 0.0-1.0."""
    for asset in runtime.database.assets.find({}, limit=1):
        return Progresses(runtime.database).of([asset])[asset.id].fraction
    return 0.0


def _ended(runtime: LocalRuntime, asset_id: str) -> bool:
    asset = runtime.database.assets.get(asset_id)
    job = runtime.database.jobs.get(asset.job_id) if asset and asset.job_id else None
    return job is None or job.state in WORK_ENDED


def ingest_file(
    runtime: LocalRuntime, wakeups: LocalWakeups, source: Path, *, owner: str, profile: str | None = None
) -> str:
    """Send a file as its owner does, and take it on to its job; the new asset's id. Nothing is worked on yet."""
    new = NewUpload(filename=source.name, size_bytes=source.stat().st_size, profile=profile)
    upload, _ = runtime.ingest.announce(owner, new)
    with source.open("rb") as file:
        for index in range(upload.chunk_count):
            length = min(upload.chunk_size_bytes, upload.size_bytes - index * upload.chunk_size_bytes)
            runtime.ingest.receive(
                owner, upload.id, index, _blocks(file.read, length), content_length=length, digest=None
            )
    for upload_id in wakeups.uploads:
        runtime.assembly.finish(upload_id)
    wakeups.uploads.clear()
    return upload.asset_id


def _blocks(read: Callable[[int], bytes], length: int) -> Iterator[bytes]:
    while length > 0 and (block := read(min(BLOCK_BYTES, length))):
        length -= len(block)
        yield block


@dataclass(slots=True)
class _Layout:
    """Where files lie in a directory without generations and attempts. `places` are by paths below the asset's prefix.

    Each is called as its step called it, while that is free.
    """

    places: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    directories: set[str] = field(default_factory=set)

    def place(self, source: Produced, artifact: Artifact) -> str:
        """The file's path; one whose name another task took lies in a directory that is called as its own task."""
        stored = source.place(artifact)
        if stored not in self.places:
            names = (artifact.path, *(f"{source.task}{'-' * number}/{artifact.path}" for number in range(9)))
            self.places[stored] = self.take(next(filter(self._is_free, names)))
        return self.places[stored]

    def take(self, name: str) -> str:
        """The name itself, which is now no other file's."""
        self.names.add(name)
        self.directories.update(map(str, PurePosixPath(name).parents))
        return name

    def _is_free(self, name: str) -> bool:
        parents = map(str, PurePosixPath(name).parents)
        return name not in self.names and name not in self.directories and self.names.isdisjoint(parents)


def _lay_out(runtime: LocalRuntime, asset: Asset, published: Publication, out: Path) -> dict[str, Any]:
    """Copy the outputs and the files that they name. Manifests are rendered for this place and lie in `out` itself."""
    rendering, prefix, layout = runtime.posters.rendering, keys.asset_prefix(asset.id), _Layout()
    formats = [manifest.name for manifest in published.of_kind("manifest")]
    produced = [rendering.produced(asset.id, source) for source in published.sources]
    # what players are given keeps its name, so it is the others that make room
    there = rendering.render(replace(build_presentation(produced), text=(text := _text(asset, published))), formats)
    for name in (ASSET_FILE, *(each.manifest.path for each in there)):
        layout.take(name)
    for track, (_, output) in zip(text, _captions(asset, published), strict=True):
        layout.places[output.path] = layout.take(track.segments[0].uri)
    here = rendering.render(replace(build_presentation(produced, layout.place), text=text), formats)
    for source in produced:
        for artifact in source.artifacts:
            if artifact.role in KINDS and not is_found(artifact):
                layout.place(source, artifact)
    for stored, name in layout.places.items():
        _write(out / name, runtime.storage.read(prefix + stored))
    for each in here:
        _write(out / each.manifest.path, iter([each.manifest.body.encode()]))
    entries = {each.format: each.manifest.path for each in here if each.manifest.entry}
    # what is put together of segments while it is sent is no file
    outputs = [
        {**_told(o), "path": entries[o.name] if o.kind == "manifest" else layout.places[o.path]}
        for o in published.outputs
        if o.kind == "manifest" or o.path in layout.places
    ]
    document = _asset_document(asset, published, entries, outputs)
    (out / ASSET_FILE).write_text(json.dumps(document, indent=2) + "\n")
    return document


def _captions(asset: Asset, published: Publication) -> list[tuple[dict[str, Any], Output]]:
    """The asset's captions with what is published of each."""
    shown = {output.name: output for output in published.of_kind("captions")}
    return [(each, shown[each["language"]]) for each in asset.captions if each["language"] in shown]


def _text(asset: Asset, published: Publication) -> tuple[TextTrack, ...]:
    seconds = published.duration_seconds
    return tuple(text_track(caption, output, seconds) for caption, output in _captions(asset, published))


def _told(output: Output) -> dict[str, Any]:
    """The members of an output that the API tells too."""
    return {name: value for name, value in asdict(output).items() if name != "apart"}


def _write(path: Path, blocks: Iterator[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for block in blocks:
            file.write(block)


def _asset_document(
    asset: Asset, published: Publication, manifests: dict[str, str], outputs: list[dict[str, Any]]
) -> dict[str, Any]:
    picture = published.first("image")
    return {
        "filename": asset.filename,
        "sha256": asset.sha256,
        "size_bytes": asset.size_bytes,
        "profile": asset.profile,
        "duration_seconds": asset.duration_seconds,
        "media": asset.media,
        "renditions": list(published.renditions),
        "manifests": manifests,
        "outputs": outputs,
        "thumbnail": None if picture is None else outputs[published.outputs.index(picture)]["path"],
        "warnings": list(published.warnings),
    }
