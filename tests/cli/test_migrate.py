"""`mediaflow migrate` as people and programs see it."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

from mediaflow.domain.records import SCHEMA_VERSION
from tests.cli.conftest import Run
from tests.contracts.olderfiles import DOCUMENTS


def test_it_says_what_it_would_do_does_it_and_has_nothing_to_do_then(run: Run, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with tarfile.open(DOCUMENTS / "data-directory-3.tar.gz") as archive:
        archive.extractall(data, filter="data")
    dry = run("migrate", "--dry-run", "--data-dir", data)
    told = json.loads(run("migrate", "--dry-run", "--json", "--data-dir", data).out)
    done, again = (run("migrate", "--data-dir", data) for _ in range(2))
    after = json.loads(run("migrate", "--json", "--data-dir", data).out)
    assert [each.code for each in (dry, done, again)] == [0, 0, 0]
    counts = told["documents"]
    assert (counts["uploads"], counts["assets"], counts["jobs"]) == (4, 4, 2)
    listed = ", ".join(f"{kind}: {count}" for kind, count in counts.items())
    assert dry.out == f"would be brought to schema {SCHEMA_VERSION}: {listed}\n"
    assert done.out == f"brought to schema {SCHEMA_VERSION}: {listed}\n"
    assert again.out == f"all documents are of schema {SCHEMA_VERSION}\n"
    assert after == {"schema": SCHEMA_VERSION, "dry_run": False, "documents": {}, "kept": 0, "left": 0}


def test_where_no_service_ever_was_there_is_nothing_to_migrate(run: Run, tmp_path: Path) -> None:
    done = run("migrate", "--data-dir", tmp_path / "nowhere")
    assert done.code == 1
    assert "there is no database in the data directory" in done.err
