"""Processes of an older version and of this one on one MongoDB, as in a rolling upgrade; the older code really runs."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from mediaflow.domain.older import WRITTEN_BESIDE
from mediaflow.domain.records import SCHEMA_VERSION
from mediaflow.persistence import open_database
from mediaflow.services.integrity.migration import Migration

ROOT = Path(__file__).parents[2]
LAST_OF_SCHEMA_3 = "102663e9c2f9e8902b8517c40e03c8bb84c4dc2f"
Version = Callable[..., dict[str, Any]]


@pytest.fixture
def run(tmp_path: Path, nx_server: str) -> Callable[[str | None], Version]:
    url = f"mongodb://{nx_server}/side_by_side_{abs(hash(tmp_path))}"

    def version(path: str | None) -> Version:
        def command(*words: str) -> dict[str, Any]:
            program: list[str | Path] = [
                sys.executable,
                ROOT / "tests/contracts/oneversion.py",
                tmp_path / "data",
                url,
                *words,
            ]
            environ = {**os.environ, "PYTHONPATH": path or str(ROOT), "URL": url}
            done = subprocess.run(program, env=environ, cwd=tmp_path, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
            return found

        return command

    (tmp_path / "data").mkdir()
    return version


@pytest.fixture
def older(tmp_path: Path) -> str:
    """The path of the older version, installed from this repository's history."""
    archive = subprocess.run(["git", "archive", LAST_OF_SCHEMA_3], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip(f"the history of this checkout has no {LAST_OF_SCHEMA_3}")
    source, site = tmp_path / "older", tmp_path / "site"
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(source, filter="data")
    options: list[str | Path] = ["--quiet", "--no-deps", "--no-build-isolation", "--target", site]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, source], check=True)
    return f"{site}{os.pathsep}{source}"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_versions_do_one_anothers_work_until_the_schema_is_raised(
    run: Callable[[str | None], Version], older: str, tmp_path: Path, nx_server: str
) -> None:
    old, new = run(older), run(None)
    first, second, third = (sha256(data).hexdigest() for data in (b"one", b"two", b"three"))
    # an older version's asset, whose work is begun by one and ended by the other
    assert old("stored", "one") == {"knows": WRITTEN_BESIDE, "states": {first: "processing"}, "failures": 0}
    new("work", "probe", "validate", "plan")
    old("work", "step")
    assert new("work")["states"] == {first: "ready"}
    # and the other way round
    assert new("stored", "two")["knows"] == SCHEMA_VERSION
    old("work", "probe", "validate", "plan")
    new("work", "step")
    done: dict[str, Any] = {"states": {first: "ready", second: "ready"}, "failures": 0}
    assert old("work") == {"knows": WRITTEN_BESIDE, **done}
    assert new("look") == {"knows": SCHEMA_VERSION, **done}

    database = open_database(f"mongodb://{nx_server}/side_by_side_{abs(hash(tmp_path))}")
    assert list(Migration(database).run())
    assert Migration(database).waiting() == {}
    database.close()
    new("stored", "three")
    for what in ("look", "work"):
        assert f"schema {SCHEMA_VERSION}, this one knows {WRITTEN_BESIDE}" in old(what)["refused"]
    assert new("work") == {"knows": SCHEMA_VERSION, "states": {**done["states"], third: "ready"}, "failures": 0}
