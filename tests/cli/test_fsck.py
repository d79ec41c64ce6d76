"""`mediaflow fsck` and `mediaflow gc` as people and programs see it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.services.pipeline import Pipeline
from tests.services.world import make_world


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A data directory in which an asset's manifest is lost, and something lies that nobody needs."""
    pipeline = Pipeline(make_world(tmp_path / "data"))
    asset_id = pipeline.ready()
    pipeline.put("uploads/" + "0" * 32)
    pipeline.world.runtime.storage.delete(f"assets/{asset_id}/g1/package.1/master.m3u8")
    pipeline.world.runtime.close()
    return tmp_path / "data"


def test_it_lists_what_is_wrong_repairs_it_and_ends_with_its_code(run: Run, broken: Path) -> None:
    # when
    looked = run("fsck", "--grace", "0", "--data-dir", broken)
    told = run("fsck", "--grace", "0", "--json", "--data-dir", broken)
    repaired = run("fsck", "--grace", "0", "--repair", "--data-dir", broken)
    # then
    assert (looked.code, told.code, repaired.code) == (1, 1, 0)
    first, last = looked.out.splitlines()[0], looked.out.splitlines()[-1]
    assert first.startswith("asset.lost_files ")
    assert first.endswith(
        "first g1/package.1/master.m3u8, it is missing; --repair: it is processed again from its original"
    )
    assert last.startswith("problems: 1, notes: 1; looked at uploads: 1, chunks: 1, assets: 1, originals: 1, jobs: 1")
    assert "note: upload.orphan uploads/0000" in looked.out
    assert "repaired: it is processed again from its original" in repaired.out
    document = json.loads(told.out)
    assert [each["code"] for each in document["findings"]] == ["asset.lost_files", "upload.orphan"]
    assert (document["clean"], document["problems"], document["notes"]) == (False, 1, 1)


def test_where_no_service_ever_was_there_is_nothing_to_check(run: Run, tmp_path: Path) -> None:
    done = run("fsck", "--data-dir", tmp_path / "nowhere")
    assert done.code == 1
    assert "there is no database in the data directory" in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", [("--fix",), ("--grace", "nan"), ("--grace", "-1"), ("--grace", "inf")])
def test_a_wrong_option_is_wrong_usage(run: Run, broken: Path, wrong: tuple[str, ...]) -> None:
    assert run("fsck", *wrong, "--data-dir", broken).code == 2


def test_gc_tells_what_it_would_do_and_what_it_did(run: Run, broken: Path) -> None:
    # given
    garbage = broken / "objects" / "uploads" / ("0" * 32)
    os.utime(garbage, (1, 1))
    # when
    dry = json.loads(run("gc", "--dry-run", "--json", "--data-dir", broken).out)
    found = run("gc", "--data-dir", broken)
    # then
    assert (found.code, dry["dry_run"], dry["found"], dry["removed"]) == (0, True, 1, 0)
    assert dry["places"] == [{"what": "found", "place": f"uploads/{garbage.name}", "objects": 1, "bytes": 1}]
    assert f"found uploads/{garbage.name}: 1, 1 bytes" in found.out
    assert garbage.exists()
