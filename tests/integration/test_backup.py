"""A backup that is taken while files arrive and are encoded goes on elsewhere, after the first one was killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from mediaflow.testing.clips import make_clip
from tests.integration.service import clean_environ, running_service


def command(*argv: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "mediaflow", *(os.fspath(word) for word in argv)]
    return subprocess.run(line, env=clean_environ(**environ), capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_backup_under_load_plays_elsewhere(tmp_path: Path) -> None:
    # given
    clip = make_clip(tmp_path / "clip.mp4", seconds=4, width=640, height=360)
    first, backup = tmp_path / "first", tmp_path / "backup"
    with running_service(first) as service:
        done = service.upload(clip, name="done.mp4").json()["asset_id"]
        assert service.settled(done)["state"] == "ready"
        working = [service.upload(clip, name=f"{n}.mp4").json()["asset_id"] for n in range(3)]
        service.call("POST", "/uploads", json={"filename": "half.mp4", "size_bytes": 999_999})
        # when
        made = command("backup", backup, "--objects", "--json", "--data-dir", first)
        os.kill(service.pid, signal.SIGKILL)
    assert made.returncode == 0, made.stderr
    shutil.rmtree(first)
    second = tmp_path / "second"
    restored = command("restore", backup, "--data-dir", second)
    # then
    assert restored.returncode == 0, restored.stderr
    repaired = command("fsck", "--repair", "--json", "--grace", "0", "--data-dir", second)
    assert repaired.returncode == 0, repaired.stdout
    with running_service(second) as service:
        known = {asset["id"] for asset in service.call("GET", "/assets").json()["items"]}
        assert done in known
        for asset_id in (done, *(each for each in working if each in known)):
            assert service.settled(asset_id)["state"] == "ready"
            address = service.playback(asset_id)["hls_url"]
            assert requests.get(address, timeout=10).text.startswith("#EXTM3U")
        told = command("fsck", "--json", "--grace", "1", "--data-dir", second)
    facts: dict[str, Any] = json.loads(told.stdout)
    assert facts["problems"] == 0, facts["findings"]
