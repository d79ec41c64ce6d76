"""A source through probe, plan, steps and manifests into a directory, without any service around it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from mediaflow.plugin import Artifact, MediaInfo, MediaRejected, Presentation, Profile, Step, TaskFiles
from mediaflow.registry.profiles import parse_profile
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow.services.pipeline.packaging import Produced, build_presentation
from mediaflow.testing.artifacts import check_opening
from mediaflow.testing.steps import probed, run_task
from mediaflow_ffmpeg.plugin import mediaflow_register_steps
from mediaflow_hls.render import Hls


@dataclass(frozen=True)
class Encoded:
    """What became of a source. `master` is the multivariant playlist; the artifacts are by task name."""

    directory: Path
    master: Path
    media: MediaInfo
    presentation: Presentation
    artifacts: dict[str, list[Artifact]]

    def files_of(self, track: str) -> list[Path]:
        """The init segment and the segments of a track, in order."""
        return [
            self.directory / "g1" / f"{task}.1" / artifact.path
            for task, artifacts in self.artifacts.items()
            for artifact in artifacts
            if artifact.track == track
        ]


def builtin_profile(name: str) -> Profile:
    """A profile of the package."""
    file = files("mediaflow_profiles") / f"{name}.yaml"
    return parse_profile(file.read_text(), str(file))


def _of(artifact: Artifact) -> tuple[str | None, int | None, str]:
    """What there is one of, whoever made it: of a segment the first is kept."""
    return artifact.track, artifact.number, "" if artifact.track else artifact.path


def encode_to_directory(source: Path, profile: Profile, directory: Path) -> Encoded:
    """Make everything that the profile asks for, laid out as below an asset's prefix; what opens it comes true."""
    processes = SandboxedRunner("bwrap")
    media = probed(source, processes)
    steps: dict[str, Step] = {step.name: step for step in mediaflow_register_steps()}
    artifacts: dict[str, list[Artifact]] = {}
    kept: set[tuple[str | None, int | None, str]] = set()
    done: dict[str, TaskFiles] = {}
    for spec in profile.steps:
        planned, made = list(steps[spec.step].plan(media, spec, profile)), {}
        for task in planned:
            place = directory / "g1" / f"{task.name}.1"
            try:
                inputs = {need: done[need] for need in task.needs if need in done}
                found = run_task(steps[spec.step], task, media, source, place, processes, inputs=inputs)
            except MediaRejected:
                if not task.optional:
                    raise
                continue
            made[task.name] = done[task.name] = TaskFiles(place, tuple(found))
            artifacts[task.name] = [each for each in found if _of(each) not in kept]
            kept |= {_of(each) for each in found if each.track}
        check_opening([task for task in planned if task.name in made], made)
    produced = [Produced(f"g1/{name}.1", tuple(made)) for name, made in artifacts.items()]
    presentation = build_presentation(produced)
    root = directory / "g1" / "publish.1"
    root.mkdir()
    for manifest in Hls().render(presentation):
        (root / manifest.path).write_text(manifest.body)
    return Encoded(directory, root / "master.m3u8", media, presentation, artifacts)
