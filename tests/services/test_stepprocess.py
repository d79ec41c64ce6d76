"""Steps run in a child process: what a plugin does there harms its own task only. Real processes, real plugins."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from mediaflow.domain.errors import MediaRejected, TaskFailed
from mediaflow.domain.media import MediaInfo
from mediaflow.plugin import MediaContext, StepTask
from mediaflow.plugin.wire import dump
from mediaflow.services.pipeline.stepprocess import ChildSteps
from mediaflow.services.ports import StepRequest
from mediaflow.settings import Settings

MEDIA = MediaInfo("audio", "wav", 3, 1.0, 1.0, 0.0, 1)

PLUGIN = """
import json, os, subprocess, sys, time
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
    seen: list[float] = field(default_factory=list)

    def progress(self, fraction: float) -> None:
        self.seen.append(fraction)

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

    def run(self, body: str, hooks: Hooks | None = None, seconds: float = 20, nice: int = 0) -> list[dict[str, Any]]:
        lines = "\n".join(" " * 8 + line for line in body.strip().splitlines())
        (self.root / "modules" / "stepprobe_plugin.py").write_text(PLUGIN.replace("{body}", lines))
        request = StepRequest(
            step="test.step",
            task=dump(StepTask("one", {"depth": {"n": [1, 2]}}, MEDIA)),
            source=str(self.source),
            directory=str(self.directory),
            time_limit_seconds=seconds,
            nice=nice,
        )
        return self.steps.run(request, hooks or Hooks())

    @property
    def source(self) -> Path:
        return self.root / "data" / "objects" / "source.wav"

    @property
    def directory(self) -> Path:
        return self.root / "data" / "work" / "task"


@pytest.fixture(scope="module", params=["bwrap", "off"])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One prepared process for all tests, as a worker has one for all tasks."""
    root = tmp_path_factory.mktemp("bench")
    for directory in ("modules/stepprobe-1.dist-info", "data/objects", "data/work/other"):
        (root / directory).mkdir(parents=True)
    info = root / "modules" / "stepprobe-1.dist-info"
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stepprobe\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[mediaflow]\nstepprobe = stepprobe_plugin\n")
    (root / "data" / "jwt.key").write_text("key")
    steps = ChildSteps(Settings(data_dir=str(root / "data"), sandbox=request.param), Owners())
    with pytest.MonkeyPatch.context() as patch, closing(steps):
        patch.syspath_prepend(str(root / "modules"))
        patch.setenv("MEDIAFLOW_JWT_KEY", "k" * 40)
        yield Bench(root, request.param, steps)


@pytest.fixture
def bench(shared: Bench) -> Bench:
    shutil.rmtree(shared.directory, ignore_errors=True)
    shared.directory.mkdir()
    shared.source.write_bytes(b"wav")
    return shared


def test_a_good_step_returns_its_artifacts_and_reports_progress(bench: Bench) -> None:
    hooks = Hooks()
    artifacts = bench.run(
        "workspace.progress(0.25); assert task.params['depth']['n'] == [1, 2]; time.sleep(0.3); workspace.progress(7)\n"
        "(here / 'sub').mkdir(); return [made('a.txt'), made('sub/b.txt', workspace.source.read_bytes())]",
        hooks,
    )
    assert [(a["path"], a["size_bytes"]) for a in artifacts] == [("a.txt", 4), ("sub/b.txt", 3)]
    assert hooks.seen == [0.25, 1.0]


def test_a_step_runs_programs_in_the_inner_sandbox(bench: Bench) -> None:
    [artifact] = bench.run(
        "done = workspace.processes.run(['cat', str(workspace.source)], reads=[workspace.source],"
        " writes=here, limits=Limits(5))\n"
        "return [made('out', done.stdout)]"
    )
    assert artifact["size_bytes"] == 3


def test_a_step_sees_its_settings_and_no_secret_of_the_environment(bench: Bench) -> None:
    bench.run("return [made('out', json.dumps([dict(os.environ), workspace.settings['test_key']]).encode())]")
    environment, key = json.loads((bench.directory / "out").read_text())
    assert key == "s3cret"
    assert not [name for name in environment if name.startswith("MEDIAFLOW")]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("os._exit(3)", "ended with exit code 3 without a result"),
        ("os.kill(os.getpid(), 9)", "was killed by signal 9 without a result"),
        ("raise SystemExit(0)", "ended with exit code 0 without a result"),
        ("raise ValueError('no\\nluck')", "failed: ValueError: no luck"),
        ("return [Artifact('missing', 'file', 'text/plain', 1)]", "names 'missing' as its file"),
        ("made('a'); return [Artifact('../task/a', 'file', 'text/plain', 4)]", "names '../task/a' as its file"),
        ("made('a'); return [Artifact(str(here / 'a'), 'file', 'text/plain', 4)]", "as its file"),
        ("os.symlink('/etc/passwd', here / 'l'); return [Artifact('l', 'file', 'text/plain', 4)]", "names 'l'"),
        ("made('a'); return [Artifact('a', 'file', 'text/plain', 5)]", "says that a has 5 bytes; it has 4"),
        ("return [made('a'), made('a')]", "named once"),
        # something that looks for our channel and writes nonsense to it
        ("[os.write(n, b'{]\\n') for n in map(int, os.listdir('/proc/self/fd')) if n > 2 and 'pipe' in "
         "os.readlink(f'/proc/self/fd/{n}')]; time.sleep(9)", "sent something that is no answer: '{]'"),
    ],
)  # fmt: skip
def test_a_misbehaving_step_fails_its_task_with_a_sentence_that_names_it(
    bench: Bench, body: str, sentence: str
) -> None:
    with pytest.raises(TaskFailed, match="The step 'test.step' of the plugin 'stepprobe' .*" + re.escape(sentence)):
        bench.run(body)


def test_rubbish_on_stdout_harms_nothing(bench: Bench) -> None:
    artifacts = bench.run(
        "print('{\"done\": 9}'); os.write(1, b'\\xff\\n'); subprocess.run(['echo', 'x']); return [made('a')]"
    )
    assert [a["path"] for a in artifacts] == ["a"]


def test_a_rejection_of_the_source_stays_one(bench: Bench) -> None:
    with pytest.raises(MediaRejected, match="The clip is silent") as caught:
        bench.run("raise MediaRejected('The clip is silent.', code='media.undecodable')")
    assert caught.value.code == "media.undecodable"


def test_a_hanging_step_is_ended_at_its_time_limit_with_all_that_it_started(bench: Bench) -> None:
    with pytest.raises(TaskFailed) as caught:
        bench.run("subprocess.Popen(['sleep', '4242.25']); time.sleep(60)", seconds=1)
    assert caught.value.code == "job.timeout"
    assert not running("sleep 4242.25")


def test_a_cancelled_step_is_ended_within_a_second(bench: Bench) -> None:
    started = time.monotonic()
    hooks = Hooks(stop=lambda: "cancelled by its owner" if time.monotonic() - started > 0.5 else None)
    with pytest.raises(TaskFailed, match="cancelled by its owner") as caught:
        bench.run("time.sleep(60)", hooks)
    assert caught.value.code == "job.stopped"
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("session", [True, False])
def test_what_a_step_leaves_behind_ends_with_it(bench: Bench, session: bool) -> None:
    # given a plugin that leaks a grandchild, even one with a session of its own
    artifacts = bench.run(f"subprocess.Popen(['sleep', '4242.75'], start_new_session={session}); return [made('a')]")
    assert [a["path"] for a in artifacts] == ["a"]
    assert not running("sleep 4242.75")


@pytest.mark.parametrize("shared", ["bwrap"], indirect=True)
@pytest.mark.parametrize("place", ["objects/evil", "work/other/evil", "work/evil", "../evil", "objects/source.wav"])
def test_a_step_writes_into_its_own_directory_only(bench: Bench, place: str) -> None:
    target = bench.root / "data" / place
    body = f"""
try:
    open({str(target)!r}, 'w').write('evil')
except OSError as error:
    print(error)
return [made('a')]
"""
    bench.run(body)
    assert not target.exists() or target.read_bytes() == b"wav"


@pytest.mark.parametrize("shared", ["bwrap"], indirect=True)
def test_a_step_does_not_see_the_data_directory(bench: Bench) -> None:
    bench.run(f"return [made('out', json.dumps([p for p, d, f in os.walk({str(bench.root / 'data')!r})"
              " for p in [p, *(os.path.join(p, n) for n in f)]]).encode())]")  # fmt: skip
    seen = {Path(path).relative_to(bench.root / "data").as_posix() for path in json.loads(
        (bench.directory / "out").read_text())}  # fmt: skip
    assert seen == {".", "objects", "objects/source.wav", "work", "work/task"}


def running(command: str) -> bool:
    """Whether the program itself is alive; a wrapper on its way to it does not count."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").strip().decode(errors="replace")
            if line in (command, f"/usr/bin/{command}"):
                return True
        except OSError:
            continue
    return False


def test_the_child_starts_quickly_enough_for_small_tasks(bench: Bench) -> None:
    bench.run("return []")
    started = time.monotonic()
    bench.run("return []")
    # generous: measured 0.2 s alone, other tests share the machine
    assert time.monotonic() - started < 3, os.getloadavg()
