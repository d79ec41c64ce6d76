"""`mediaflow up` as an operator meets it: one line when it is ready, restarts what dies, leaves nobody behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.integration.service import Service, clean_environ, running_service
from tests.outsiders import install


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "mediaflow", *arguments]


def descendants(pid: int) -> set[int]:
    """Every process below this one, now."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        for child in children.get(waiting.pop(), []):
            found.add(child)
            waiting.append(child)
    return found


def alive(pids: set[int]) -> set[int]:
    """Those that still run; an entry of a dead process that nobody has read yet does not."""
    running = set()
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state not in "ZX":
            running.add(pid)
    return running


def eventually(holds: Callable[[], object], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def find(service: Service, *words: str) -> set[int]:
    """The descendants of `up` whose command line has all these words."""
    found = set()
    for pid in descendants(service.pid):
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if all(any(word in part for part in line) for word in words):
            found.add(pid)
    return found


def answers(service: Service) -> bool:
    try:
        return requests.get(f"{service.url}/readyz", timeout=5).ok
    except requests.RequestException:
        return False


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that these tests may hurt, in a directory whose name is awkward."""
    with running_service(tmp_path_factory.mktemp("up") / "da ta;#x", "--workers", "2") as service:
        yield service


def test_the_line_tells_where_everything_is(up: Service) -> None:
    assert answers(up)
    signed_in = up.call("GET", "/session").json()
    assert (signed_in["user"], signed_in["role"]) == ("admin", "admin")
    metrics = requests.get(up.metrics_url, timeout=10)
    assert "\nmediaflow_queue_paused 0.0\n" in metrics.text
    assert metrics.status_code == 200
    assert "mediaflow_" in metrics.text
    assert stat.S_IMODE(up.data_dir.stat().st_mode) == 0o700


def test_the_login_link_signs_in_once(up: Service) -> None:
    with requests.Session() as browser:
        browser.get(up.login_url, timeout=10).raise_for_status()
        assert browser.get(f"{up.url}/api/v1/session", timeout=10).json()["role"] == "admin"

    assert requests.get(up.login_url, timeout=10, allow_redirects=False).status_code == 401


def test_no_secret_can_be_read_from_command_lines(up: Service) -> None:
    lines = b"\n".join(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in descendants(up.pid))
    secrets = [
        line.split()[1].encode()
        for line in (up.data_dir / "run" / "redis.conf").read_text().splitlines()
        if "pass" in line
    ]

    assert len(secrets) == 1
    assert secrets[0] not in lines
    assert b"redis://" not in lines


def test_a_second_up_on_the_same_directory_is_refused_in_one_sentence(up: Service) -> None:
    second = subprocess.run(
        command("up", "--port", "0", "--data-dir", str(up.data_dir)),
        capture_output=True,
        text=True,
        env=clean_environ(),
        timeout=60,
        check=False,
    )

    assert second.returncode == 1
    assert second.stdout == ""
    assert second.stderr.startswith("mediaflow: another `mediaflow up` (process ")
    assert second.stderr.count("\n") == 1
    assert answers(up)


@pytest.mark.slow
def test_an_up_on_another_directory_does_not_meet_it(up: Service, tmp_path: Path) -> None:
    with running_service(tmp_path / "other") as other:
        assert other.url != up.url
        assert other.metrics_url != up.metrics_url
        assert requests.get(f"{other.url}/api/v1/session", headers=up.headers, timeout=10).status_code == 401
    assert answers(up)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("web", ("mediaflow", "serve"), marks=pytest.mark.slow),
        ("worker", ("mediaflow", "worker")),
        pytest.param("queue", ("127.0.0.1:",), marks=pytest.mark.slow),
    ],
)
def test_what_is_killed_is_started_again_and_the_service_goes_on(
    up: Service, clip: Path, name: str, words: tuple[str, ...]
) -> None:
    # given
    before = find(up, *words)
    assert before, name

    # when
    for pid in before:
        os.kill(pid, signal.SIGKILL)

    # then
    assert eventually(lambda: len(find(up, *words)) >= len(before) and not find(up, *words) & before, 30)
    assert eventually(lambda: answers(up), 30)
    upload = up.upload(clip)
    assert upload.status_code == 201, upload.text
    assert up.settled(upload.json()["asset_id"])["state"] == "ready"
    assert eventually(lambda: requests.get(up.metrics_url, timeout=10).ok, 10)


@pytest.mark.slow
def test_upload_finds_the_service_by_its_data_directory(up: Service, clip: Path) -> None:
    done = subprocess.run(
        command("upload", str(clip), "--data-dir", str(up.data_dir), "--wait", "--json", "--title", "A title"),
        capture_output=True,
        text=True,
        env=clean_environ(),
        timeout=110,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    asset = json.loads(done.stdout)
    assert (asset["state"], asset["title"], asset["owner"]) == ("ready", "A title", "admin")


def test_an_interrupted_upload_leaves_nothing_behind(up: Service, tmp_path: Path) -> None:
    # given an upload that takes a while
    large = tmp_path / "large.mp4"
    with large.open("wb") as file:
        file.truncate(4 * 1024**3)
    arriving = up.data_dir / "objects"

    def files() -> set[Path]:
        return {path for path in arriving.rglob("*") if path.is_file() and path.stat().st_size >= 1024**2}

    before = files()
    sending = subprocess.Popen(
        command("upload", str(large), "--url", up.url, "--token", up.token),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environ(),
    )
    with sending:
        assert eventually(lambda: files() - before, 20)

        # when
        sending.send_signal(signal.SIGINT)

        # then
        out, err = sending.communicate(timeout=20)
    assert (sending.returncode, out, err.strip()) == (130, "", "mediaflow: stopped")
    assert eventually(lambda: not files() - before, 20)


def test_a_refused_upload_is_one_sentence(up: Service, tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("these are notes and no video\n" * 100)
    done = subprocess.run(
        command("upload", str(tmp_path / "notes.mp4"), "--url", up.url, "--token", up.token, "--wait"),
        capture_output=True,
        text=True,
        env=clean_environ(),
        timeout=110,
        check=False,
    )

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("mediaflow: notes.mp4 is rejected: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("number", "seconds"),
    [
        pytest.param(signal.SIGTERM, 10, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, 10, marks=pytest.mark.slow),
        (signal.SIGKILL, 5),
    ],
    ids=lambda value: str(value),
)
def test_nobody_is_left_behind(tmp_path: Path, clip: Path, number: int, seconds: float) -> None:
    # given a service in the middle of its work
    with running_service(tmp_path / "data") as service:
        upload = service.upload(clip)
        assert upload.status_code == 201
        assert eventually(lambda: find(service, "ffmpeg", "-nostdin"), 30)
        everybody = descendants(service.pid)
        assert len(everybody) >= 5

        # when
        began = time.monotonic()
        os.kill(service.pid, number)

        # then
        assert eventually(lambda: not alive({service.pid, *everybody}), seconds), alive(everybody)
        assert time.monotonic() - began < seconds


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_being_stopped_is_no_failure_and_the_next_start_goes_on(tmp_path: Path, clip: Path, number: int) -> None:
    # given
    with running_service(tmp_path / "data") as service:
        asset_id = service.upload(clip).json()["asset_id"]
        os.kill(service.pid, number)
        assert eventually(lambda: not alive({service.pid}), 15)
    said = (tmp_path / "data.log").read_text().splitlines()
    assert said[-1] == f"mediaflow: stopped; your data is in {tmp_path / 'data'}"

    # when it starts again
    with running_service(tmp_path / "data") as service:
        # then what was interrupted is finished
        assert service.settled(asset_id)["state"] == "ready"


@pytest.mark.slow
def test_up_ends_with_0_when_it_is_stopped_and_says_what_it_does_meanwhile(tmp_path: Path) -> None:
    """Seen: between its first words and the link of a file it said nothing to a log, and nothing at Ctrl-C."""
    said = tmp_path / "stderr"
    with said.open("w") as stderr:
        started = subprocess.Popen(
            command("up", "--json", "--port", "0", "--data-dir", str(tmp_path / "data"), "--ingest", ""),
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=clean_environ(MEDIAFLOW_LOG_LEVEL="warning", MEDIAFLOW_MIN_FREE_BYTES="0"),
            text=True,
        )
    with started:
        assert started.stdout is not None
        facts = json.loads(started.stdout.readline())
        assert set(facts) == {"url", "token", "login_url", "metrics_url", "data_dir"}
        assert eventually(lambda: "It is ready in all its sizes." in said.read_text(), 60)
        assert said.read_text().count("Watch: ") == 1

        started.send_signal(signal.SIGINT)

        assert started.stdout.read() == ""
        assert started.wait(20) == 0
    lines = said.read_text().splitlines()
    assert lines[-2:] == [
        "mediaflow: stopping; a second signal ends everything at once",
        f"mediaflow: stopped; your data is in {tmp_path / 'data'}",
    ]
    shares = [int(line.split()[-2]) for line in lines if line.startswith("Processing Test picture.mp4: ")]
    assert shares == sorted(set(shares))
    assert shares[-1] == 100
    assert len(shares) > 2
    assert "Sending Test picture.mp4: 100 %" in lines


def refused(tmp_path: Path, *arguments: str, **environ: str) -> str:
    """The one sentence with which `up` ends at once."""
    done = subprocess.run(
        command("up", "--data-dir", str(tmp_path / "data"), *arguments),
        capture_output=True,
        text=True,
        env=clean_environ(**environ),
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    sentences = [line for line in done.stderr.splitlines() if line.startswith("mediaflow: ")]
    assert len(sentences) == 1, done.stderr
    return sentences[0]


def test_a_port_in_use_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        sentence = refused(tmp_path, "--port", str(other.getsockname()[1]), MEDIAFLOW_METRICS_BIND="off")

    assert "is taken by another program; choose another one with --port" in sentence


def test_a_metrics_port_that_was_asked_for_and_is_in_use_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        sentence = refused(tmp_path, "--port", "0", MEDIAFLOW_METRICS_BIND=f"127.0.0.1:{other.getsockname()[1]}")

    assert "MEDIAFLOW_METRICS_BIND" in sentence


def test_a_program_that_cannot_start_ends_up_with_its_sentence(tmp_path: Path) -> None:
    # given a sandbox that does not work here
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "bwrap").write_text("#!/bin/sh\necho 'bwrap: not allowed here' >&2\nexit 1\n")
    (tmp_path / "bin" / "bwrap").chmod(0o755)

    began = time.monotonic()
    sentence = refused(tmp_path, "--port", "0", PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")

    assert "bwrap: not allowed here" in sentence
    assert time.monotonic() - began < 20


BROKEN_BLUEPRINT = """
from flask import Blueprint
from mediaflow.plugin import hookimpl

class Broken(Blueprint):
    def register(self, app, options):
        raise RuntimeError("its table of routes is empty")

@hookimpl
def mediaflow_register_blueprints(context):
    return [Broken("broken", __name__)]
"""


def test_a_plugin_whose_blueprint_is_broken_ends_up_with_its_sentence(tmp_path: Path) -> None:
    modules = install(tmp_path / "modules", "broken", BROKEN_BLUEPRINT)

    sentence = refused(tmp_path, "--port", "0", PYTHONPATH=str(modules), MEDIAFLOW_METRICS_BIND="off")

    assert "the plugin 'broken' of dist-broken 1.0 failed in the blueprint 'broken': " in sentence
    assert "its table of routes is empty" in sentence
    # and nobody is left of what had begun: each has the data directory in its environment
    assert eventually(lambda: not with_in_environment(str(tmp_path)), 10), with_in_environment(str(tmp_path))


def with_in_environment(text: str) -> set[int]:
    """Processes that were started with this in their environment."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if text.encode() in path.read_bytes():
                found.add(int(path.parent.name))
    return alive(found)


@pytest.mark.slow
def test_an_own_redis_takes_the_place_of_the_private_one(up: Service, tmp_path: Path) -> None:
    settings = (up.data_dir / "run" / "redis.conf").read_text().splitlines()
    facts = dict(line.split(None, 1) for line in settings)
    url = f"redis://:{facts['requirepass']}@127.0.0.1:{facts['port']}/5"

    with running_service(tmp_path / "data", MEDIAFLOW_REDIS_URL=url) as service:
        assert not (service.data_dir / "run" / "redis.conf").exists()
        assert answers(service)


def test_a_queue_on_another_host_with_documents_on_this_one_is_refused(tmp_path: Path) -> None:
    # TEST-NET-1 (RFC 5737): nobody has it
    sentence = refused(tmp_path, "--port", "0", MEDIAFLOW_REDIS_URL="redis://192.0.2.1:6379/0")

    assert "192.0.2.1" in sentence
    assert "MEDIAFLOW_DATABASE_URL" in sentence


def test_ingest_sends_a_file_and_tells_where_to_watch_it(tmp_path: Path, clip: Path) -> None:
    awkward = tmp_path / "a 'b' $HOME;[x].mp4"
    awkward.write_bytes(clip.read_bytes())
    started = subprocess.Popen(
        command("up", "--port", "0", "--data-dir", str(tmp_path / "data"), f"--ingest={awkward}"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=clean_environ(MEDIAFLOW_MIN_FREE_BYTES="0"),
        text=True,
    )
    with started:
        try:
            assert started.stdout is not None
            printed: list[str] = []
            while not (printed and printed[-1].startswith("Watch: ")):
                printed.append(next(started.stdout))
            watch = printed[-1].split()[1]
            with requests.Session() as browser:
                page = browser.get(watch, timeout=10)
                asset_id = watch.partition("?asset=")[2]
                asset = browser.get(watch.partition("/login/")[0] + f"/api/v1/assets/{asset_id}", timeout=10).json()
        finally:
            started.terminate()

    assert page.ok
    assert "eyJ" not in "".join(printed), "a token, where the output is no terminal"
    assert (asset["playable"], asset["filename"]) == (True, awkward.name), "it plays while it is made"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "limit", "said"),
    [
        ("broken.mp4", "1000000", "The file is incomplete"),
        pytest.param("large.mp4", "10", "larger than this service accepts", marks=pytest.mark.slow),
    ],
)
def test_a_first_file_that_is_refused_is_said(tmp_path: Path, name: str, limit: str, said: str) -> None:
    (tmp_path / name).write_bytes(bytes(3) + b"\x20ftypisom" + bytes(20))  # begins like a video
    started = subprocess.Popen(
        command("up", "--port", "0", "--data-dir", str(tmp_path / "data"), f"--ingest={tmp_path / name}"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=clean_environ(MEDIAFLOW_MIN_FREE_BYTES="0", MEDIAFLOW_MAX_UPLOAD_BYTES=limit),
        text=True,
    )
    with started:
        try:
            assert started.stderr is not None
            assert any(said in line for line in started.stderr)
        finally:
            started.terminate()


def test_ingest_of_what_cannot_become_a_video_starts_nothing(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# Read me")

    assert "there is no file" in refused(tmp_path, "--ingest", str(tmp_path / "missing.mp4"))
    assert "The file is text" in refused(tmp_path, "--ingest", str(tmp_path / "README.md"))
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("MEDIAFLOW_STORAGE_URL", "local:/proc/nowhere", "storage: "),
        pytest.param(
            "MEDIAFLOW_WORK_DIR",
            "/proc/nowhere",
            "set MEDIAFLOW_WORK_DIR to another directory",
            marks=pytest.mark.slow,
        ),
        ("MEDIAFLOW_REDIS_URL", "redis://127.0.0.1:1/0", "the Redis of MEDIAFLOW_REDIS_URL does not answer"),
        pytest.param("MEDIAFLOW_DATABASE_URL", "sqlite:/proc/nowhere.db", "database: ", marks=pytest.mark.slow),
    ],
)
def test_a_place_that_does_not_work_is_said_before_anything_starts(
    tmp_path: Path, name: str, value: str, said: str
) -> None:
    began = time.monotonic()
    sentence = refused(tmp_path, "--port", "0", **{name: value})

    assert said in sentence
    assert time.monotonic() - began < 20
