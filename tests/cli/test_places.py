"""Places that this user may not enter: one sentence each, with the place and the way out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.server import clean_environ

WITHOUT_RIGHTS = ("setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search", "--")
"""root may enter what its owner may not; without these capabilities it is like anybody else."""
RUNNER = """
import contextlib, io, json, os, sys
from mediaflow.cli import main
told = []
for environ, argv in json.load(sys.stdin):
    before = dict(os.environ)
    os.environ.update(environ)
    out = io.StringIO()
    with contextlib.redirect_stderr(out), contextlib.redirect_stdout(out):
        try:
            code = main(argv)
        except BaseException as error:
            code = repr(error)
    os.environ.clear()
    os.environ.update(before)
    told.append([code, out.getvalue()])
print(json.dumps(told))
"""


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "closed"
    place.mkdir()
    place.chmod(0)
    yield place
    place.chmod(0o700)


def test_a_place_that_is_closed_is_one_sentence_with_the_way_out(tmp_path: Path, closed: Path) -> None:
    inside = str(closed / "x")
    (tmp_path / "file.mp4").write_bytes(b"x")
    own = str(tmp_path / "data")
    commands: list[tuple[dict[str, str], list[str]]] = [
        ({}, ["upload", inside, "--url", "http://127.0.0.1:1", "--token", "x"]),
        ({}, ["transcode", str(tmp_path / "file.mp4"), inside]),
        ({}, ["token", "--user", "ann", "--data-dir", inside]),
        ({"MEDIAFLOW_PROFILES_DIR": inside}, ["profiles"]),
        ({}, ["up", "--data-dir", inside, "--port", "0"]),
        ({"MEDIAFLOW_DATABASE_URL": f"sqlite:{inside}"}, ["up", "--data-dir", own, "--port", "0"]),
        ({"MEDIAFLOW_STORAGE_URL": f"local:{inside}"}, ["up", "--data-dir", own, "--port", "0"]),
        ({"MEDIAFLOW_DATA_DIR": inside}, ["doctor"]),
    ]
    before = WITHOUT_RIGHTS if os.geteuid() == 0 else ()
    done = subprocess.run(
        [*before, sys.executable, "-c", RUNNER],
        input=json.dumps(commands),
        env=clean_environ(sandbox="off"),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for (_, argv), (code, said) in zip(commands, json.loads(done.stdout), strict=True):
        assert code == 1, (argv, said)
        assert "Traceback" not in said, argv
        assert inside in " ".join(said.split()), argv
        lines = [line for line in said.splitlines() if line.startswith("mediaflow: ")]
        if argv[0] != "doctor":
            assert lines == [said.strip()], argv
            assert any(way in said for way in ("name another", "unset it", "check", "MEDIAFLOW_STORAGE_URL")), said
