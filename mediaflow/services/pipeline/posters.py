"""The picture of a video: chosen by its owner as a time in it, made by a job of its own, and kept through reprocessing.

`Asset.poster_seconds` is the wish (None: the profile's choice), `published.poster_seconds` what the published picture
shows. A job that ends while another wish stands changes nothing: the last wish wins, whatever ends last.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from mediaflow.domain.errors import Conflict, InvalidInput, Problem, TaskFailed
from mediaflow.domain.ids import new_id
from mediaflow.domain.media import MediaInfo
from mediaflow.domain.profile import Profile, StepSpec
from mediaflow.domain.publication import Files, Output, Publication
from mediaflow.domain.records import Asset, Job, Task
from mediaflow.plugin import PlannedTask, Storage
from mediaflow.plugin.wire import dump, load
from mediaflow.services.access.permissions import changeable
from mediaflow.services.access.principals import Principal
from mediaflow.services.changing import kept_busy, until_done
from mediaflow.services.originals.places import OriginalFiles
from mediaflow.services.pipeline.jobs import SUPERSEDED, Jobs
from mediaflow.services.pipeline.lease import Lease
from mediaflow.services.pipeline.packaging import files_of, outputs_of
from mediaflow.services.pipeline.rendering import Rendering
from mediaflow.services.pipeline.stepplans import plans_of
from mediaflow.services.pipeline.taskdocs import TaskDocuments
from mediaflow.services.ports import Database, Plugins

STEP: Final = "image.thumbnail"
"""The step that makes pictures. Its parameter `at_seconds` is a time of the presentation."""


GIVEN: Final = "image.picture"
"""The step that makes one of an image that the owner gave: its input `picture`."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A picture of that time, or of the image at that path below the asset's prefix; else the profile's choice."""

    time_seconds: float | None = None
    picture: str | None = None


@dataclass(frozen=True, slots=True)
class Posters:
    """Choosing a picture, and the last stage of the job that makes it."""

    database: Database
    documents: TaskDocuments
    storage: Storage
    files: OriginalFiles
    plugins: Plugins
    jobs: Jobs
    rendering: Rendering

    def choose(self, principal: Principal, asset_id: str, time_seconds: float | None) -> Asset:
        """Wish for the picture at that time, or (None) for the profile's own choice; a worker makes it.

        InvalidInput outside of the video; Conflict while there is nothing to take a picture from.
        """

        def attempt() -> Asset | None:
            asset = changeable(principal, self.database.assets.get(asset_id))
            wish = Wish(time_seconds)
            if wish_of(asset) == wish and _shows(asset):
                return asset
            self._check(asset, time_seconds)
            # kept before the wish: when we die in between, the job finds that its picture is not wished for
            job = self._added(asset, wish)
            changes = {"poster_seconds": time_seconds, "picture": None, "updated_at": self.database.now()}
            expect = {"rev": asset.rev, "generation": asset.generation, "deleted_at": None}
            changed = self.database.assets.change(asset_id, expect, changes)
            if changed is None:
                self.jobs.end(job, "cancelled", SUPERSEDED)
            else:
                self.jobs.advance(job.id)
            return changed

        return until_done(attempt)

    def catch_up(self, asset: Asset) -> None:
        """Start the job that makes the wished picture, when the published one is another. Repeating does no harm."""
        if _shows(asset) or asset.deleted_at is not None or not self._can_be_made(asset):
            return
        self.jobs.advance(self._added(asset, wish_of(asset)).id)

    def apply(self, task: Task, _lease: Lease) -> dict[str, Any]:
        """The last stage: point what is published at the new picture, if it is still wished for."""
        picture, files = self._picture(task)

        def attempt() -> dict[str, Any] | None:
            asset = self.documents.asset(task)
            wish = Wish(task.params["time_seconds"], task.params.get("picture"))
            wanted = asset.generation == task.generation and wish_of(asset) == wish
            if not wanted or asset.published is None:
                return {}
            now = self.database.now()
            until = self.rendering.watched_until(asset.published, now)
            shown = asset.published.showing(_pictured(asset.published, picture), files, now=now, until=until)
            published = replace(shown, poster_seconds=asset.poster_seconds, picture=asset.picture)
            expect = {"rev": asset.rev, "generation": task.generation, "deleted_at": None}
            changes = {"published": published, "updated_at": now}
            done = self.database.assets.change(asset.id, expect, changes)
            return None if done is None else {"path": picture.path}

        return until_done(attempt, kept_busy)

    def _picture(self, task: Task) -> tuple[Output, Files]:
        """The picture that the job's step made, and its directory's files; it is in the storage, whole."""
        step = next(other for other in self.jobs.tasks(task.job_id) if other.stage == "step")
        made = self.rendering.produced(task.asset_id, (step.result or {})["path"])
        picture = next(output for output in outputs_of([made]) if output.kind == "image" and not output.apart)
        if not self.rendering.is_stored(task.asset_id, picture.path, picture.size_bytes or 0):
            raise TaskFailed("The picture is not in the storage as it was made.", code="storage.lost_object")
        (files,) = files_of([made])
        return picture, files

    def _check(self, asset: Asset, time_seconds: float | None) -> None:
        if asset.published is None or asset.media is None:
            raise Conflict("The asset is not ready yet; choose its picture when it is.", code="asset.not_ready")
        media = load(MediaInfo, asset.media)
        if media.video is None:
            raise _bad_time("the asset has no video to take a picture from")
        end = asset.duration_seconds or media.duration_seconds
        if time_seconds is not None and not 0 <= time_seconds <= end:
            raise _bad_time(f"must be 0 to {end:g}, the video's duration in seconds, not {time_seconds:g}")
        if not self._can_be_made(asset):
            raise Conflict("Pictures are not made here: the plugin that makes them is off.", code="asset.no_pictures")
        if asset.original_key is None or self.files.stat(asset.original_key) is None:
            raise Conflict("The original is gone; no other picture can be made.", code="asset.no_original")

    def _can_be_made(self, asset: Asset) -> bool:
        has_video = asset.media is not None and load(MediaInfo, asset.media).video is not None
        return has_video and STEP in self.plugins.steps

    def _planned(self, asset: Asset, job_id: str, wish: Wish) -> PlannedTask:
        """What the step plans under the asset's profile, under a name that no other job of the generation has."""
        profile = self.plugins.profiles.get(asset.profile or "") or Profile("", "", 4.0, 60, (), (), ())
        spec = next((spec for spec in profile.steps if spec.step == STEP), StepSpec(STEP))
        if wish.picture is not None:
            spec = StepSpec(GIVEN, {name: spec.params[name] for name in ("max_side",) if name in spec.params})
        _, task = plans_of(self.plugins, chosen(spec, wish.time_seconds), load(MediaInfo, asset.media), profile)[0]
        return replace(task, name=f"poster-{job_id[:16]}", optional=False)

    def _added(self, asset: Asset, wish: Wish) -> Job:
        # random: a job that came to nothing must not be taken for the one of a repeated wish
        now, job_id = self.database.now(), new_id()
        step = STEP if wish.picture is None else GIVEN
        plan = {"step": step, "task": dump(self._planned(asset, job_id, wish)), **asdict(wish)}
        job = Job(
            id=job_id,
            asset_id=asset.id,
            owner=asset.owner,
            generation=asset.generation,
            profile=asset.profile,
            state="pending",
            created_at=now,
            updated_at=now,
            media=asset.media,
            plan=plan,
            kind="poster",
        )
        self.jobs.add(job)
        return job


def wish_of(asset: Asset) -> Wish:
    """Which picture its owner wants."""
    return Wish(asset.poster_seconds, asset.picture)


def _shows(asset: Asset) -> bool:
    """True when the published picture is the wished one already."""
    published, wish = asset.published, wish_of(asset)
    if published is None or Wish(published.poster_seconds, published.picture) != wish:
        return False
    return wish == Wish() or published.first("image") is not None


def _pictured(published: Publication, picture: Output) -> list[Output]:
    """The outputs with that picture in the place of the one that stood for the asset."""
    old = published.first("image")
    return [picture if o is old else o for o in published.outputs] + ([picture] if old is None else [])


def chosen(spec: StepSpec, time_seconds: float | None) -> StepSpec:
    """The specification of a step, made to take the wished picture if it is the step that takes pictures."""
    if spec.step != STEP or time_seconds is None:
        return spec
    return StepSpec(spec.step, {**spec.params, "at_seconds": time_seconds})


def _bad_time(detail: str) -> InvalidInput:
    problem = Problem("asset.bad_poster_time", detail, "/time_seconds")
    return InvalidInput(f"/time_seconds: {detail}", code="asset.bad_poster_time", problems=(problem,))
