"""A bench for steps: a data directory, a plugin whose step the test writes, and what runs it in a child."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from mediaflow.domain.media import MediaInfo
from mediaflow.plugin import Artifact, MediaContext, StepTask
from mediaflow.plugin.wire import dump
from mediaflow.sandbox.budget import Budget
from mediaflow.services.pipeline.stepports import StepRequest
from mediaflow.services.pipeline.stepprocess import ChildSteps
from mediaflow.settings import Settings

MEDIA = MediaInfo("audio", "wav", 3, 1.0, 1.0, 0.0, 1)

PLUGIN = """
import json, os, subprocess, sys, time
loaded = time.monotonic()
from mediaflow.plugin import Artifact, Limits, MediaRejected, hookimpl

class Offered:
    name = "test.step"
    def check(self, params): return []
    def plan(self, media, spec, profile): return []
    def run(self, task, workspace):
        def made(path, data=b"made"):
            (workspace.directory / path).write_bytes(data)
            return Artifact(path, "file", "text/plain", len(data))
        here = workspace.directory
{body}

@hookimpl
def mediaflow_register_steps():
    return [Offered()]
"""


@dataclass
class Hooks:
    """Records progress; stops when told."""

    stop: Callable[[], str | None] = lambda: None
    heard: Callable[[], object] = lambda: None
    nice: Callable[[], int] = lambda: 0
    seen: list[float] = field(default_factory=list)
    kept: list[Artifact] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def progress(self, fraction: float) -> None:
        self.heard()
        self.seen.append(fraction)

    def made(self, artifact: Artifact) -> None:
        self.kept.append(artifact)

    def warned(self, sentence: str) -> None:
        self.warnings.append(sentence)

    def cancelled(self) -> str | None:
        return self.stop()


@dataclass
class Owners:
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({"test_key": "s3cret"}))
    steps: Mapping[str, object] = field(default_factory=dict)
    """Empty: each test's plugin is another, so that the prepared process must not import it."""

    def entry_point_of_step(self, step: str) -> str:
        return "stepprobe"

    def context(self, plugin: str | None = None) -> MediaContext:
        return MediaContext(self.settings if plugin == "stepprobe" else {})


@dataclass
class Bench:
    """A data directory with a source, another file in it, and a step that the test writes."""

    root: Path
    sandbox: str
    steps: ChildSteps

    def run(
        self,
        body: str,
        hooks: Hooks | None = None,
        seconds: float = 20,
        nice: int = 0,
        budget: Budget | None = None,
    ) -> list[dict[str, Any]]:
        self.write(body)
        return self.work(hooks, seconds, nice, budget=budget)

    def write(self, body: str) -> None:
        lines = "\n".join(" " * 8 + line for line in body.strip().splitlines())
        (self.root / "modules" / "stepprobe_plugin.py").write_text(PLUGIN.replace("{body}", lines))

    def work(
        self,
        hooks: Hooks | None = None,
        seconds: float = 20,
        nice: int = 0,
        directory: Path | None = None,
        budget: Budget | None = None,
    ) -> list[dict[str, Any]]:
        request = StepRequest(
            step="test.step",
            task=dump(StepTask("one", {"depth": {"n": [1, 2]}}, MEDIA)),
            source=str(self.source),
            directory=str(directory or self.directory),
            time_limit_seconds=seconds,
            nice=nice,
            budget=budget,
        )
        return self.steps.run(request, hooks or Hooks())

    @property
    def source(self) -> Path:
        return self.root / "data" / "objects" / "source.wav"

    @property
    def directory(self) -> Path:
        return self.root / "data" / "work" / "task"


def steps_in(root: Path, sandbox: str, known: Mapping[str, object] = MappingProxyType({})) -> ChildSteps:
    """What runs steps; a prepared process imports the plugins of those that are known."""
    return ChildSteps(Settings(data_dir=str(root / "data"), sandbox=sandbox), Owners(steps=known))


@contextmanager
def make_bench(root: Path, sandbox: str) -> Iterator[Bench]:
    """A bench in an empty directory, its plugin installed while the block runs."""
    for directory in ("modules/stepprobe-1.dist-info", "data/objects", "data/work/other"):
        (root / directory).mkdir(parents=True)
    info = root / "modules" / "stepprobe-1.dist-info"
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stepprobe\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[mediaflow]\nstepprobe = stepprobe_plugin\n")
    (root / "data" / "jwt.key").write_text("key")
    with pytest.MonkeyPatch.context() as patch, closing(steps_in(root, sandbox)) as steps:
        patch.syspath_prepend(str(root / "modules"))
        patch.setenv("MEDIAFLOW_JWT_KEY", "k" * 40)
        yield Bench(root, sandbox, steps)


@pytest.fixture
def bench(shared: Bench) -> Bench:
    """What a module's `shared` made, as if nothing had run on it."""
    shutil.rmtree(shared.directory, ignore_errors=True)
    shared.directory.mkdir()
    shared.source.write_bytes(b"wav")
    return shared
