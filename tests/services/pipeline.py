"""Assets that really went through ingest, jobs, opening and publishing; only the steps are not ffmpeg but write a small
file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from mediaflow.domain import keys
from mediaflow.domain.documents import publication_document
from mediaflow.domain.publication import ARTIFACTS, FileType, Output, Publication, described
from mediaflow.domain.records import Asset, Job, Task
from mediaflow.domain.states import STAGES, Stage
from mediaflow.plugin import Artifact, Foretold, MediaInfo, PlannedTask, Track
from mediaflow.plugin.wire import dump
from mediaflow.services.access.principals import Principal
from mediaflow.services.pipeline.claims import Claims
from mediaflow.services.pipeline.execution import Execution, StageHandler
from mediaflow.services.pipeline.gate import LoadGate
from mediaflow.services.pipeline.lease import Lease
from mediaflow.services.pipeline.taskdocs import is_unhashed
from mediaflow.services.uploads.acceptance import NewUpload
from mediaflow.services.uploads.assembly import HASHED_FIRST_BYTES
from tests.services.world import World

SOUND = MediaInfo("audio", "wav", 6, 8.0, 8.0, 0.0, 1)
TRACK = Track("sound", "audio", "mp4a.40.2", 48000)
ANN, BOB, ADMIN = Principal("ann", "user"), Principal("bob", "user"), Principal("root", "admin")


@dataclass
class Pipeline:
    """A world in which work can be done, one stage or all of it."""

    world: World
    hashed_first_bytes: int = HASHED_FIRST_BYTES

    # --- documents

    def asset(self, asset_id: str) -> Asset:
        asset = self.world.runtime.database.assets.get(asset_id)
        assert asset is not None
        return asset

    def job(self, asset_id: str) -> Job:
        """The newest job of the asset."""
        asset = self.asset(asset_id)
        job = self.world.runtime.database.jobs.get(asset.job_id or "")
        assert job is not None
        return job

    def objects(self, prefix: str = "") -> list[str]:
        return [info.key for info in self.world.runtime.storage.list(prefix)]

    def put(self, key: str) -> None:
        self.world.runtime.storage.put(key, [b"x"], size_bytes=1, content_type="text/plain")

    # --- work

    def announced(self, data: bytes, owner: str = "ann", **fields: Any) -> tuple[str, str]:
        """The ids of upload and asset of a file that is on its way."""
        new = NewUpload(filename="clip.mp4", size_bytes=len(data), **fields)
        upload, _ = self.world.runtime.ingest.announce(owner, new)
        return upload.id, upload.asset_id

    def sent(self, data: bytes = b"a film", owner: str = "ann", **fields: Any) -> str:
        """The asset of a file of one chunk that has arrived."""
        upload_id, asset_id = self.announced(data, owner, **fields)
        self.world.runtime.ingest.receive(owner, upload_id, 0, [data], content_length=len(data), digest=None)
        return asset_id

    def assemble(self) -> None:
        assembly = replace(self.world.runtime.assembly, hashed_first_bytes=self.hashed_first_bytes)
        for upload_id in self.world.wakeups.uploads:
            assembly.finish(upload_id)
        self.world.wakeups.uploads.clear()

    def stored(self, data: bytes = b"a film", owner: str = "ann", **fields: Any) -> str:
        """An asset that has its original and its job, of which nothing is done."""
        asset_id = self.sent(data, owner, **fields)
        self.assemble()
        return asset_id

    def ready(self, data: bytes = b"a film", owner: str = "ann", **fields: Any) -> str:
        """A published asset."""
        asset_id = self.stored(data, owner, **fields)
        self.work()
        assert self.asset(asset_id).state == "ready"
        return asset_id

    def work(self, *stages: Stage, **handlers: StageHandler) -> None:
        """Do what there is to do in these stages (all); a stage's handler can be another one."""
        hands = self.hands(**handlers)
        for stage in stages or STAGES:
            hands.work(stage)

    def hands(self, **handlers: StageHandler) -> Execution:
        runtime = self.world.runtime
        usual: dict[Any, StageHandler] = {
            **runtime.execution.handlers,
            "probe": nothing,
            "validate": nothing,
            "plan": self._plan,
            "step": self._step,
            "package": self._package,
        }
        claims = Claims(runtime.database, LoadGate(9), "a worker")
        return Execution(claims, runtime.jobs, runtime.metrics, usual | handlers, lambda: False)

    def _plan(self, task: Task, _lease: Lease) -> dict[str, Any]:
        job = self.world.runtime.database.jobs.get(task.job_id)
        assert job is not None
        profile = job.profile or "web-h264"
        changes = {"profile": profile, "state": "running", "media": dump(SOUND)}
        self.world.runtime.database.jobs.change(job.id, {}, changes)
        asset = self.asset(task.asset_id)
        opening = [] if asset.generation else [PlannedTask("first", rank=0)]
        planned = [*opening, PlannedTask("video-0")]
        self.world.runtime.jobs.add_steps(job, [("video.h264", each) for each in planned], hashes=is_unhashed(asset))
        return {}

    def _step(self, task: Task, _lease: Lease) -> dict[str, Any]:
        path = self._put(task, "0.m4s")
        key = f"{keys.asset_prefix(task.asset_id)}{path}/{ARTIFACTS}"
        told = Artifact("0.m4s", "file", "video/mp4", 1)
        if task.rank == 0:
            told = Artifact("0.m4s", "init", "audio/mp4", 1, describes=TRACK, foretells=Foretold(((2, 4.0),), 9, 9))
        made = json.dumps([dump(told)]).encode()
        self.world.runtime.storage.put(key, [made], size_bytes=len(made), content_type="application/json")
        return {"path": path}

    def _package(self, task: Task, _lease: Lease) -> dict[str, Any]:
        path = self._put(task, "master.m3u8")
        master = Output("hls", "manifest", f"{path}/master.m3u8", "application/vnd.apple.mpegurl", 1)
        files = described(f"{path}/", {"master.m3u8": FileType("manifest", master.content_type)})
        tasks = self.world.runtime.jobs.tasks(task.job_id)
        step = next(each for each in tasks if each.stage == "step" and each.rank > 0)
        source = (step.result or {})["path"]
        lent = [(t.result or {})["path"] for t in tasks if t.rank == 0 and t.state == "done"]
        made = [described(f"{place}/", {"0.m4s": FileType("media", "video/mp4")}) for place in (source, *lent)]
        published = Publication(task.generation, (master,), (files, *made), 1.0, (source,), tuple(lent))
        return publication_document(published)

    def _put(self, task: Task, name: str) -> str:
        path = keys.attempt_path(task.generation, task.name, task.attempt)
        self.put(f"{keys.asset_prefix(task.asset_id)}{path}/{name}")
        return path


def nothing(_task: Task, _lease: Lease) -> dict[str, Any]:
    return {}
