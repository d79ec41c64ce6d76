"""A plugin of somebody else takes part in a real run: its profile, step and validation, installed by pip."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mediaflow.testing.clips import make_clip
from tests.integration.service import clean_environ


def run(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = clean_environ(PYTHONPATH=os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]))
    command = [sys.executable, "-m", "mediaflow", *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


def test_its_step_makes_a_file_of_a_real_transcode(thirdparty_site: Path, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", seconds=2, width=320, height=180)
    out = tmp_path / "out"
    done = run(thirdparty_site, "transcode", str(clip), str(out), "--profile", "example", "--json")
    assert done.returncode == 0, done.stderr
    made = [json.loads(path.read_text()) for path in out.rglob("*.json") if path.name != "asset.json"]
    assert hashlib.sha256(clip.read_bytes()).hexdigest() in str(made)
    assert (out / "master.m3u8").exists()


def test_its_validation_refuses_a_file(thirdparty_site: Path, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "forbidden.mp4", seconds=1, width=320, height=180)
    done = run(thirdparty_site, "transcode", str(clip), str(tmp_path / "out"))
    assert done.returncode == 1
    assert "forbidden" in done.stderr


@pytest.mark.parametrize("option", [[], ["--json"]])
def test_it_is_listed(thirdparty_site: Path, option: list[str]) -> None:
    done = run(thirdparty_site, "plugins", *option)
    assert done.returncode == 0
    assert "mediaflow-example" in done.stdout
