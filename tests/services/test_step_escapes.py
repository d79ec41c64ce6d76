"""A plugin's step tries to get out, by itself and by the programs that its worker runs for it."""

from __future__ import annotations

import importlib
import json
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mediaflow.domain.errors import MediaRejected, TaskFailed
from mediaflow.sandbox.budget import Budget
from mediaflow.sandbox.confinement import PROCESSES
from mediaflow.sandbox.errands import AT_ONCE, KEPT_BYTES, STDOUT_BYTES
from mediaflow.sandbox.selftest import outside
from tests.services.stepbench import Bench, make_bench, steps_in


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with make_bench(tmp_path_factory.mktemp("bench"), "bwrap") as made:
        yield made


def test_no_escape_works_for_a_step(bench: Bench) -> None:
    with outside() as facts:
        bench.run(
            f"from mediaflow.sandbox import escapes\n"
            f"return [made('out', json.dumps(escapes.tried({facts!r})).encode())]"
        )
    assert json.loads((bench.directory / "out").read_text()) == []


def test_a_step_writes_to_nothing_of_the_kernel_and_nothing_of_the_machine(bench: Bench) -> None:
    bench.run(
        "own = {str(here), '/tmp', '/dev/shm'}\n"
        "found = []\n"
        "for top in '/proc/sys /proc/irq /proc/bus /proc/fs /sys /etc /dev /run /var /opt /usr/local /home'.split():\n"
        "    for place, below, files in os.walk(top):\n"
        "        below[:] = [name for name in below if os.path.join(place, name) not in own]\n"
        "        for path in [place, *(os.path.join(place, name) for name in files)]:\n"
        "            if os.access(path, os.W_OK) and not os.path.islink(path): found.append(path)\n"
        "return [made('out', json.dumps(found).encode())]"
    )
    harmless = {"null", "zero", "full", "random", "urandom", "tty", "ptmx", "0"}  # devices that are for everybody
    found = json.loads((bench.directory / "out").read_text())
    assert [path for path in found if not re.fullmatch(rf"/dev/(pts|(pts/)?({'|'.join(harmless)}))", path)] == []


def test_a_step_sees_itself_and_nobody_else(bench: Bench) -> None:
    bench.run(
        "seen = sorted(open(f'/proc/{n}/comm').read().strip() for n in os.listdir('/proc') if n.isdecimal())\n"
        "told = []\n"
        "for n in os.listdir('/proc'):\n"
        "    try: told += [text for text in open(f'/proc/{n}/environ').read().split('\\0') if 'MEDIAFLOW' in text]\n"
        "    except OSError: pass\n"
        "return [made('out', json.dumps([seen, os.getppid(), told]).encode())]"
    )
    seen, parent, told = json.loads((bench.directory / "out").read_text())
    # bubblewrap's own, what holds the sandbox open, and the step
    assert len(seen) == 3
    assert {"bwrap", "cat"} < set(seen)
    assert (parent, told) == (0, [])


def test_a_step_has_no_more_processes_and_no_more_scratch_space_than_its_share(bench: Bench) -> None:
    bench.run(
        "n = 0\ntry:\n"
        "    while n < 3000:\n"
        "        if os.fork() == 0: time.sleep(30); os._exit(0)\n"
        "        n += 1\n"
        "except BlockingIOError: pass\n"
        "taken = []\n"
        "for place in ('/tmp', '/dev/shm', '/', '/dev'):\n"
        "    try:\n"
        "        with open(f'{place}/big', 'wb') as file:\n"
        "            while file.tell() < 80_000_000: file.write(bytes(8_000_000))\n"
        "        taken.append(place)\n"
        "    except OSError: pass\n"
        "try: os.setxattr('/tmp/big', 'user.a', bytes(60_000)); taken.append('attributes')\n"
        "except PermissionError: pass\n"
        "return [made('out', json.dumps([n, taken]).encode())]"
    )
    forks, taken = json.loads((bench.directory / "out").read_text())
    assert 0 < forks <= PROCESSES
    assert taken == []


@pytest.mark.parametrize("declared", [False, True])
def test_a_step_has_the_network_only_when_it_says_so(bench: Bench, declared: bool) -> None:
    class Offered:
        uses_network = declared

    with (
        socket.create_server(("127.0.0.1", 0)) as service,
        closing(steps_in(bench.root, bench.sandbox, known={"test.step": Offered()})) as steps,
    ):
        port = service.getsockname()[1]
        # the programs that it runs never have one
        bench.write(
            f"script, address = 'echo > /dev/tcp/127.0.0.1/{port}', ('127.0.0.1', {port})\n"
            "ran = workspace.processes.run(['bash', '-c', script], limits=Limits(5))\n"
            "try: __import__('socket').create_connection(address, timeout=2); own = True\n"
            "except OSError: own = False\n"
            "return [made('out', json.dumps([own, ran.returncode == 0]).encode())]"
        )
        Bench(bench.root, bench.sandbox, steps).work()
    assert json.loads((bench.directory / "out").read_text()) == [declared, False]


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        ("['cat', '/etc/hostname'], reads=[Path('/etc/hostname')]", "may not read /etc/hostname"),
        ("['cat', 'x'], reads=[workspace.source.parent]", "it is no file of its step"),
        ("['cat', 'x'], reads=[here / '..' / 'other']", "may not read"),
        ("['cat', 'x'], writes=here.parent", "may not write to"),
        ("['cat', 'x'], writes=here / '..'", "may not write to"),
        ("[str(here / 'tool')]", "tool may not be run"),
        ("['/usr/../etc/hostname']", "may not be run"),
    ],
)
def test_a_step_may_not_have_programs_run_on_what_is_not_its_own(bench: Bench, ask: str, sentence: str) -> None:
    with pytest.raises(TaskFailed, match=re.escape(sentence)) as caught:
        bench.run(
            "from pathlib import Path\n"
            "shutil = __import__('shutil'); shutil.copy('/usr/bin/true', here / 'tool')\n"
            f"workspace.processes.run({ask}, limits=Limits(5)); return []"
        )
    assert caught.value.code == "job.step_broken"


def test_what_is_no_request_for_a_program_harms_nobody_else(bench: Bench) -> None:
    limits = {"wall_seconds": 5, "stdout_bytes": 10}
    good = {"argv": ["echo", ""], "reads": [], "writes": None, "lines": False, "limits": limits}
    asked = [
        {**good, "argv": []},
        {**good, "argv": ["echo", "\0"]},
        {**good, "argv": ["echo", "\ud800"]},
        {**good, "argv": ["echo", 0]},
        {**good, "reads": [7]},
        {**good, "limits": {"stdout_bytes": 10}},
        {**good, "limits": {**limits, "wall_seconds": -1}},
        {**good, "limits": {**limits, "wall_seconds": 1e300}},
        {**good, "limits": {**limits, "colour": 1}},
        {**good, "argv": ["true"] * 5000},  # each is compared with what the step may read
        {**good, "reads": [str(bench.source)] * 5000},
        [],
        good,
    ]
    bench.run(
        "import socket\n"
        "control, told = workspace.processes.control, []\n"
        "socket.send_fds(control, [b'.'], [os.open('/dev/null', os.O_RDONLY)])\n"
        "other = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "socket.send_fds(control, [b'.'], [other.fileno()])\n"
        f"for request in [*map(json.dumps, {asked!r}), '[' * 200000]:\n"
        "    ours, theirs = socket.socketpair()\n"
        "    socket.send_fds(control, [b'.'], [theirs.fileno()]); theirs.close()\n"
        "    ours.sendall(request.encode() + b'\\n')\n"
        "    told.append(next(iter(json.loads(ours.makefile().readline()))))\n"
        "return [made('out', json.dumps(told).encode())]"
    )
    assert json.loads((bench.directory / "out").read_text()) == [*["failed"] * 12, "ended", "failed"]


def test_a_step_that_makes_answers_block_and_never_end_is_over_when_it_ends(bench: Bench) -> None:
    # given answers larger than a socket's buffer on sockets that a step keeps blocking, and whose ends it has put where
    # nobody reads them: into the queue behind one that is waiting for its turn
    started = time.monotonic()
    with pytest.raises(TaskFailed) as caught:
        bench.run(
            "import fcntl, socket\n"
            "control, pairs = workspace.processes.control, []\n"
            "limits = {'wall_seconds': 5, 'stdout_bytes': 4000000}\n"
            "argv = ['head', '-c', '3000000', '/dev/zero']\n"
            "ask = {'argv': argv, 'reads': [], 'writes': None, 'lines': False, 'limits': limits}\n"
            f"for _ in range({AT_ONCE}):\n"
            "    ours, theirs = socket.socketpair(); pairs.append((ours, theirs))\n"
            "    socket.send_fds(control, [b'.'], [theirs.fileno()])\n"
            "    ours.sendall(json.dumps(ask).encode() + b'\\n')\n"
            "waiting = socket.socketpair(); socket.send_fds(control, [b'.'], [waiting[1].fileno()])\n"
            "time.sleep(0.3)\n"
            "for ours, _ in pairs: socket.send_fds(control, [b'.'], [ours.fileno()])\n"
            "until = time.monotonic() + 2\n"
            "while time.monotonic() < until:\n"
            "    for _, theirs in pairs:\n"
            "        flags = fcntl.fcntl(theirs.fileno(), fcntl.F_GETFL)\n"
            "        fcntl.fcntl(theirs.fileno(), fcntl.F_SETFL, flags & ~os.O_NONBLOCK)\n"
            "    time.sleep(0.0005)\n"
            "os._exit(0)",
            seconds=10,
        )
    assert caught.value.code == "job.step_broken"
    assert time.monotonic() - started < 12
    assert not [thread for thread in threading.enumerate() if thread.name == "errand"]


def test_answers_that_a_step_does_not_read_take_no_more_memory_than_its_share(bench: Bench) -> None:
    # given twice as many large answers as the worker keeps
    bench.run(
        "import socket\n"
        f"limits, kept = {{'wall_seconds': 20, 'stdout_bytes': {STDOUT_BYTES}}}, []\n"
        f"script = 'touch $0; exec head -c {STDOUT_BYTES} /dev/zero'\n"
        f"for number in range({2 * KEPT_BYTES // STDOUT_BYTES}):\n"
        "    ours, theirs = socket.socketpair()\n"
        "    socket.send_fds(workspace.processes.control, [b'.'], [theirs.fileno()]); theirs.close()\n"
        "    argv = ['sh', '-c', script, f'begun-{number}']\n"
        "    ask = {'argv': argv, 'reads': [], 'writes': str(here), 'lines': False, 'limits': limits}\n"
        "    ours.sendall(json.dumps(ask).encode() + b'\\n'); kept.append(ours)\n"
        f"while len(list(here.glob('begun-*'))) < {KEPT_BYTES // STDOUT_BYTES}: time.sleep(0.05)\n"
        "time.sleep(1); begun = len(list(here.glob('begun-*')))\n"
        "for ours in kept: ours.close()\n"
        "return [made('out', str(begun).encode())]"
    )
    assert (bench.directory / "out").read_text() == str(KEPT_BYTES // STDOUT_BYTES)


def test_whoever_asks_for_programs_without_end_waits(bench: Bench) -> None:
    bench.run(
        "count, until = 0, time.monotonic() + 1\n"
        "while time.monotonic() < until: workspace.processes.control.send(b'.'); count += 1\n"
        "return [made('out', str(count).encode())]"
    )
    # and what fits into the socket; measured before: 250,000
    assert int((bench.directory / "out").read_text()) < 2000


BUDGET = Budget(512 * 1024**2, 60, None, 20_000_000, 100)


@pytest.mark.parametrize(
    ("body", "budget", "words"),
    [
        (
            "file = open(here / 'a', 'wb'); file.truncate(10**12); return [Artifact('a', 'file', 'a/b', 10**12)]",
            {},
            "disk",
        ),
        (
            "script = 'while :; do :; done'\n"
            "for _ in range(20):\n"
            "    workspace.processes.run(['timeout', '0.7', 'sh', '-c', script], limits=Limits(5))\n"
            "return []",
            {"cpu_seconds": 1.5},
            "processor time",
        ),
    ],
    ids=["a file with holes", "processor time of programs that have ended"],
)
def test_what_a_step_and_its_programs_take_adds_up(
    bench: Bench, body: str, budget: dict[str, float], words: str
) -> None:
    with pytest.raises(MediaRejected, match=words) as caught:
        bench.run(body, budget=replace(BUDGET, directory=bench.directory, **budget))  # type: ignore[arg-type]
    assert caught.value.code == "media.too_costly"


def test_links_lead_a_program_nowhere(bench: Bench) -> None:
    # given a file of somebody else's that only its directory protects
    other = bench.root / "data" / "objects" / "another.wav"
    other.write_text("another's")
    other.chmod(0o644)
    for place in (other, bench.root / "data" / "jwt.key", Path("/etc/shadow"), Path("/root")):
        bench.run(
            f"link = here / 'link'; os.symlink({str(place)!r}, link)\n"
            "ran = workspace.processes.run(['cat', 'link'], reads=[link], writes=here, limits=Limits(5))\n"
            "os.unlink(link); return [made('out', str(ran.returncode).encode() + ran.stdout)]"
        )
        assert (bench.directory / "out").read_text() == "1", place


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's steps are other users than the worker")
def test_what_a_step_makes_of_its_directory_harms_no_worker_that_is_root(bench: Bench) -> None:
    # given files that would be another's if the worker followed, and ones that it could not remove
    artifacts = bench.run(
        "os.mkdir(here / 'closed'); made('closed/file'); os.chmod(here / 'closed', 0)\n"
        "os.symlink('/etc', here / 'away'); os.mkfifo(here / 'pipe')\n"
        "made('tool'); os.chmod(here / 'tool', 0o6755); made('fine'); os.chmod(here / 'fine', 0)\n"
        "return [Artifact('fine', 'file', 'text/plain', 4)]"
    )
    assert [artifact["path"] for artifact in artifacts] == ["fine"]
    # a program with setuid is the step's user's, who is nobody
    assert (bench.directory / "tool").stat().st_uid != 0
    for path in ("pipe", "away/passwd", "away"):
        with pytest.raises(TaskFailed, match="as its file"):
            bench.run(
                f"os.path.lexists(here / 'away') or os.symlink('/etc', here / 'away')\n"
                f"os.path.lexists(here / 'pipe') or os.mkfifo(here / 'pipe')\n"
                f"return [Artifact({path!r}, 'file', 'text/plain', 4)]"
            )


def test_programs_of_a_step_end_with_it(bench: Bench) -> None:
    # given a step that does not wait for its program
    bench.run(
        "import threading\n"
        "ask = dict(limits=Limits(60), on_line=lambda line: (here / 'begun').touch(), writes=here)\n"
        "script = 'echo begun; exec sleep 4242.9'\n"
        "run = lambda: workspace.processes.run(['sh', '-c', script], **ask)\n"
        "threading.Thread(target=run, daemon=True).start()\n"
        "while not (here / 'begun').exists(): time.sleep(0.01)\n"
        "import atexit; threading._shutdown = lambda: None\n"
        "return []"
    )
    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if b"4242.9" in _line(path)]


def _line(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


FIND = (
    "stat = __import__('stat')\n"
    "kinds = {int(n): os.stat(f'/proc/self/fd/{n}').st_mode for n in os.listdir('/proc/self/fd')\n"
    "         if os.path.exists(f'/proc/self/fd/{n}')}\n"
    "channel = min(n for n, mode in kinds.items() if n > 3 and stat.S_ISFIFO(mode))\n"
    "def say(data):\n"
    "    while data: data = data[os.write(channel, data):]\n"
)
"""What a step's child needs to speak for itself on the channel of its answers."""


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("b'[' * 200000", "no answer"),
        ("b'{\"progress\": 1' + b'0' * 400 + b'}'", "no answer"),
        (
            r"""b'{"artifact": {"path": "\\ud800", "role": "file", "content_type": "a/b", "size_bytes": 4}}'""",
            "wrong shape",
        ),
        (
            """b'{"artifact":{"path":"'+b'a'*300+b'","role":"file","content_type":"a/b","size_bytes":4}}\\n{"done":1}'""",
            "looked at",
        ),
        (
            """b'{"artifact":{"path":"loop","role":"file","content_type":"a/b","size_bytes":4}}\\n{"done":1}'""",
            "names",
        ),
        (
            """(b'{"artifact":{"path":"a","role":"file","content_type":"a/b","size_bytes":4,"title":"' """
            """+ b't' * 900000 + b'"}}\\n') * 20""",
            "more artifacts than",
        ),
        (
            """b'{"artifact":{"path":"a","role":"file","content_type":"a/b","size_bytes":4}}\\n' * 50001""",
            "more artifacts than",
        ),
        ("""b'{"artifact":{"a":[' + b','.join([b'[]'] * 300000) + b']}}'""", "wrong shape"),
        ("""b'{"progress":0.5}\\n' * 2000""", "reports its progress more than 50 times a second"),
    ],
)
def test_rubbish_on_a_steps_channel_is_the_plugins_fault(bench: Bench, said: str, sentence: str) -> None:
    with pytest.raises(TaskFailed, match=sentence) as caught:
        bench.run(f"{FIND}os.symlink('loop', here / 'loop')\nsay({said} + b'\\n'); os._exit(0)")
    assert caught.value.code == "job.step_broken"
    assert "'stepprobe'" in caught.value.detail


def test_an_error_that_a_step_tells_can_be_stored(bench: Bench) -> None:
    told = '{"error": {"kind": "rejected", "code": "a", "detail": "\\\\ud800"}}'
    with pytest.raises(MediaRejected) as caught:
        bench.run(f"{FIND}say(b'{told}\\n'); os._exit(0)")
    assert caught.value.detail == "?"
    with pytest.raises(MediaRejected) as caught:
        bench.run(f"{FIND}say(b'{told}\\n'.replace(b'\"a\"', b'\"A: b\\\\\\\\n\"')); os._exit(0)")
    assert caught.value.code == "plugin.failed"


def test_a_step_sees_packages_and_not_what_else_is_where_modules_are_looked_for(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a worker that was started among an operator's files as `dramatiq` is, and an editable plugin beside others
    for place in ("home", "checkout"):
        (tmp_path / place).mkdir()
        (tmp_path / place / ".env").write_text("secret")
        (tmp_path / place / ".env").chmod(0o644)
    (tmp_path / "checkout" / "editable_probe").mkdir()
    (tmp_path / "checkout" / "editable_probe" / "__init__.py").write_text("")
    (tmp_path / "checkout" / "editable_probe" / "later.py").write_text("answer = 42\n")
    (tmp_path / "checkout" / "editable_probe.egg-info").mkdir()
    monkeypatch.chdir(tmp_path / "home")
    monkeypatch.setattr(sys, "path", [".", str(tmp_path / "checkout"), *sys.path])
    monkeypatch.setitem(sys.modules, "editable_probe", importlib.import_module("editable_probe"))
    with closing(steps_in(bench.root, bench.sandbox)) as steps:
        bench.write(
            "from editable_probe import later\n"
            f"seen = [os.path.exists({str(tmp_path)!r} + place) for place in ('/home/.env', '/checkout/.env')]\n"
            "return [made('out', json.dumps([later.answer, seen]).encode())]"
        )
        Bench(bench.root, bench.sandbox, steps).work()
    assert json.loads((bench.directory / "out").read_text()) == [42, [False, False]]


class WantsLog:
    """A step whose tasks say that their programs need the kernel's log."""

    def devices(self, params: Mapping[str, Any]) -> list[str]:
        return ["/dev/kms?"] if params["depth"]["n"] else []


def test_a_device_is_let_in_where_the_step_says_so_and_nowhere_else(bench: Bench) -> None:
    body = (
        "def sees(): return workspace.processes.run(['test', '-c', '/dev/kmsg'], limits=Limits(9)).returncode == 0\n"
        "return [made('out', json.dumps([sees(), os.path.exists('/dev/kmsg')]).encode())]"
    )
    bench.write(body)
    found = []
    for known in ({"test.step": WantsLog()}, {"test.step": object()}):
        with closing(steps_in(bench.root, "bwrap", known)) as steps:
            replace(bench, steps=steps).work()
        found.append(json.loads((bench.directory / "out").read_text()))

    # a program of the step sees it, the step itself does not
    assert found == [[True, False], [False, False]]


class HasNone:
    def devices(self, params: Mapping[str, Any]) -> list[str]:
        raise KeyError("encoder")


def test_a_step_that_fails_when_it_is_asked_for_its_devices_is_broken(bench: Bench) -> None:
    bench.write("return []")
    with (
        closing(steps_in(bench.root, "bwrap", {"test.step": HasNone()})) as steps,
        pytest.raises(TaskFailed, match="asked for its devices: KeyError") as caught,
    ):
        replace(bench, steps=steps).work()
    assert caught.value.code == "job.step_broken"
