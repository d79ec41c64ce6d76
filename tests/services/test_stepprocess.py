"""Steps run in a child process: what a plugin does there harms its own task only. Real processes, real plugins."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest

from mediaflow.domain.errors import MediaRejected, TaskFailed
from mediaflow.sandbox.users import FIRST_USER, USERS
from tests.sandbox.ordinary import ordinary_user
from tests.services.stepbench import Bench, Hooks, make_bench, steps_in

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", params=["bwrap", "off"])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One prepared process for all tests, as a worker has one for all tasks."""
    with make_bench(tmp_path_factory.mktemp("bench"), request.param) as made:
        yield made


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
        ("os.kill(os.getpid(), 9)", "was killed by signal 9 (SIGKILL) without a result"),
        ("os.write(2, b'/srv/x/model: no memory s3cret'); os._exit(3)",
         "without a result; it said last: 'model: no memory ********'"),
        ("raise SystemExit(0)", "ended with exit code 0 without a result"),
        ("raise ValueError('no\\nluck')", "failed: ValueError: no luck"),
        ("return [Artifact('missing', 'file', 'text/plain', 1)]", "names 'missing' as its file"),
        ("made('a'); return [Artifact('../task/a', 'file', 'text/plain', 4)]", "names '../task/a' as its file"),
        ("made('a'); return [Artifact('a\\0', 'file', 'text/plain', 4)]", r"names 'a\x00' as its file"),
        ("made('a'); return [Artifact(str(here / 'a'), 'file', 'text/plain', 4)]", "as its file"),
        ("os.symlink('/etc/passwd', here / 'l'); return [Artifact('l', 'file', 'text/plain', 4)]", "names 'l'"),
        ("made('a'); return [Artifact('a', 'file', 'text/plain', 5)]", "says that a has 5 bytes; it has 4"),
        ("return [made('a'), made('a')]", "named once"),
        ("made('a b'); return [Artifact('a b', 'file', 'text/plain', 4)]", "says of 'a b' that this is its path"),
        ("made('artifacts.json'); return [Artifact('artifacts.json', 'file', 'text/plain', 4)]", "not be called artif"),
        ("made('a'); return [Artifact('a', 'file', 'text', 4)]", "says of 'a' that it is 'text', which is no media"),
        ("made('a'); return [Artifact('a', 'file', 'text/html\\r\\nX: y', 4)]", "which is no media type"),
        ("made('a'); return [Artifact('a', 'file', 'text/plain', 4, title='a\\nb')]", "that its title is"),
        ("workspace.made(Artifact('a' * 300, 'file', 'text/plain', 4)); time.sleep(9)",
         "names a file that can't be looked at"),
        ("made('a')", "returned None; it must return Artifacts"),
        ("return made('a')", "returned one Artifact; it must return Artifacts"),
        ("return [here / 'a']", "among its artifacts; it must be an Artifact"),
        ("made('a'); return [Artifact('a', 'picture', 'image/png', 4)]", "says of 'a' that its role is 'picture';"
         " it must be one of init, segment, thumbnail, image, storyboard, preview, captions, download, file"),
        ("made('a'); return [Artifact('a', 'file', 'text/plain', 4, width=2.5)]", "its width is 2.5; it must be int"),
        ("return [Artifact(here / 'a', 'file', 'text/plain', 4)]", "a'); it must be str"),
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


def test_a_steps_own_error_is_told_in_what_can_be_kept(bench: Bench) -> None:
    with pytest.raises(TaskFailed, match="half \ufffd xxx") as caught:
        bench.run(
            "from mediaflow.plugin import TaskFailed\n"
            "raise TaskFailed('half \\ud800\\n' + 'x' * 10_000_000, code='job.bad\\n')"
        )
    assert caught.value.code == "job.task_failed"
    assert len(caught.value.detail) <= 1000


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


def told(status: str) -> dict[str, str]:
    """What a `status` of /proc says, by name."""
    return dict(line.split(":\t", 1) for line in status.splitlines())


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not condition():
        time.sleep(0.02)
    return condition()


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


@pytest.mark.parametrize("shared", ["bwrap"], indirect=True)
def test_a_step_is_a_user_without_rights_behind_a_filter(bench: Bench) -> None:
    bench.run("return [made('out', open('/proc/self/status').read().encode())]")
    own = told((bench.directory / "out").read_text())
    assert {own[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
    assert (own["NoNewPrivs"], own["Seccomp"]) == ("1", "2")
    # root's is a real user that nobody else is; an ordinary user's is himself
    [user] = set(map(int, own["Uid"].split()))
    assert user in range(FIRST_USER, FIRST_USER + USERS) if os.geteuid() == 0 else user == os.geteuid()


def test_a_step_reaches_nothing_of_the_process_that_it_is_forked_from(bench: Bench) -> None:
    bench.run(
        "files = {n: os.readlink(f'/proc/self/fd/{n}') for n in os.listdir('/proc/self/fd')"
        " if os.path.lexists(f'/proc/self/fd/{n}')}\n"
        "status = open('/proc/self/stat').read().rsplit(')', 1)[1].split()\n"
        "return [made('out', json.dumps([files, os.getpid(), status[2:4], os.getcwd(), os.nice(0)]).encode())]",
        nice=3,
    )
    files, pid, group_and_session, directory, nice = json.loads((bench.directory / "out").read_text())
    # stdin, stdout and stderr, the socket for programs, and the channel that answers go to
    kinds = {number: name.split(":")[0] for number, name in files.items() if number != "0"}
    assert kinds == {"1": "pipe", "2": "pipe", "3": "socket", "4": "pipe"}
    assert group_and_session == [str(pid), str(pid)]
    assert (directory, nice) == (str(bench.directory), 3)


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="this kernel does not weigh sessions")
def test_what_a_step_runs_gives_way_as_a_session_too(bench: Bench) -> None:
    bench.run(
        # an ordinary user may change a session's figure ten times a second only
        "script = 'for i in 1 2 3 4 5; do cat /proc/self/autogroup; sleep 0.2; done; nice'\n"
        "ran = workspace.processes.run(['sh', '-c', script], limits=Limits(5))\n"
        "return [made('out', ran.stdout)]",
        nice=7,
    )
    *_, session, own = (bench.directory / "out").read_text().splitlines()
    assert (session.split()[1:], own) == (["nice", "7"], "7")


def test_what_a_step_runs_gives_way_when_that_is_wished_while_it_runs(bench: Bench) -> None:
    begun: list[float] = []
    bench.run(
        "script = 'nice; sleep 1.5; cat /proc/self/autogroup; nice'\n"
        "workspace.progress(0.5)\n"
        "ran = workspace.processes.run(['sh', '-c', script], limits=Limits(5))\n"
        "later = workspace.processes.run(['nice'], limits=Limits(5))\n"
        "return [made('out', ran.stdout + later.stdout + str(os.nice(0)).encode())]",
        Hooks(
            heard=lambda: begun.append(time.monotonic()),
            nice=lambda: 6 if begun and time.monotonic() > begun[0] + 0.5 else 0,
        ),
    )
    first, *session, then, later, own = (bench.directory / "out").read_text().splitlines()
    assert (first, then, later, own) == ("0", "6", "6", "6")
    assert all(line.endswith("nice 6") for line in session)


def test_what_a_step_forks_into_a_session_of_its_own_ends_with_it(bench: Bench) -> None:
    # given a plugin that makes itself a daemon, which starts no program: only its memory tells whose it is
    bench.run(
        "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        "        [os.close(n) for n in range(20) if os.path.lexists(f'/proc/self/fd/{n}')]; time.sleep(4242)\n"
        "    (here / 'pid').write_text(str(os.getpid())); time.sleep(4242)\n"
        "while not (here / 'pid').exists(): time.sleep(0.01)\n"
        "time.sleep(0.1); return []"
    )
    session = (bench.directory / "pid").read_text()
    stats = [path.read_text().rsplit(")", 1)[1].split() for path in Path("/proc").glob("[0-9]*/stat")]
    assert [stat for stat in stats if stat[3] == session and stat[0] != "Z"] == []


def test_steps_run_beside_one_another_each_as_its_own(bench: Bench) -> None:
    # given three that wait for one another where their progress is heard of
    met = threading.Barrier(3, timeout=10)
    bench.write("workspace.progress(0.5); time.sleep(0.1); made('user', str(os.getuid()).encode()); return []")

    def work(name: str) -> str:
        directory = bench.directory / name
        directory.mkdir()
        bench.work(Hooks(heard=met.wait), directory=directory)
        return (directory / "user").read_text()

    with ThreadPoolExecutor(3) as pool:
        users = list(pool.map(work, "abc"))
    assert len(set(users)) == (3 if os.geteuid() == 0 and bench.sandbox == "bwrap" else 1)


def test_a_prepared_process_that_died_costs_one_attempt_and_is_replaced(bench: Bench) -> None:
    bench.run("return []")
    # given a step whose prepared process ends under it
    [prepared] = prepared_of(os.getpid())
    hooks = Hooks(heard=lambda: os.kill(prepared, signal.SIGKILL))
    with pytest.raises(TaskFailed) as caught:
        bench.run("workspace.progress(0.5); time.sleep(60)", hooks)
    # then its end is noticed at once, and the next step has another
    assert caught.value.code == "job.step_broken"
    bench.run("return []")
    assert prepared_of(os.getpid()) != [prepared]


def test_a_step_and_its_prepared_process_die_with_a_worker_that_is_killed(bench: Bench) -> None:
    # given another worker, in a step
    bench.write("made('begun'); time.sleep(60)")
    code = (
        f"import sys; sys.path[:0] = {[str(ROOT), str(bench.root / 'modules')]}\n"
        "from pathlib import Path; from tests.services.stepbench import Bench, steps_in\n"
        f"Bench(root := Path({str(bench.root)!r}), {bench.sandbox!r}, steps_in(root, {bench.sandbox!r})).work()"
    )
    worker = subprocess.Popen([sys.executable, "-c", code])
    try:
        assert within(30, (bench.directory / "begun").exists)
        [prepared] = prepared_of(worker.pid)
        steps = prepared_of(prepared)
        assert steps
    finally:
        worker.kill()
        worker.wait()
    assert within(5, lambda: not any(Path("/proc", str(pid)).exists() for pid in (prepared, *steps)))


def prepared_of(parent: int) -> list[int]:
    """The processes of steps that are that one's children: a worker's prepared one, or what that forked."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            status = (path / "stat").read_text().rsplit(")", 1)[1].split()
            if int(status[1]) == parent and status[0] != "Z" and b"stepchild" in (path / "cmdline").read_bytes():
                found.append(int(path.name))
    return found


def test_a_step_is_forked_from_a_process_that_has_imported_it(bench: Bench) -> None:
    # given a worker whose registry knows the step, so that its prepared process imports the plugin
    bench.write("made('at', str([id(sys.modules[__name__]), os.getppid(), loaded]).encode()); return []")
    with closing(steps_in(bench.root, bench.sandbox, known={"test.step": object()})) as steps:
        seen, cost = [], []
        for _ in range(5):
            started = time.monotonic()
            Bench(bench.root, bench.sandbox, steps).work()
            cost.append(time.monotonic() - started)
            seen.append((bench.directory / "at").read_text())
    # then the module is one and the same, imported once
    assert len(set(seen)) == 1
    # generous: measured 0.05 s and, with a start of Python for each, 1.5 s beside a dozen busy processes
    assert min(cost) < 0.2, (cost, os.getloadavg())


@pytest.mark.slow
def test_all_of_this_as_an_ordinary_user() -> None:
    with ordinary_user() as ([*command, python], directory):
        # conftest.py brings packages in that an older Python needs more packages for
        plugins = "-p pytest_timeout -p tests.services.stepbench -p no:cacheprovider"
        options = f"-q --noconftest {plugins} --basetemp={directory}/t".split()
        files = [__file__, "tests/services/test_step_escapes.py", "tests/sandbox"]
        command[command.index("-C") + 1] = str(ROOT)
        done = subprocess.run([*command, python, "-m", "pytest", *options, *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:]
