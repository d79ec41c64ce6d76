"""A newcomer's first minutes: a fresh clone, `make run VIDEO=...`, and something to watch."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import requests

from tests.integration.service import clean_environ

ROOT = Path(__file__).parents[2]
SETUP_SECONDS = 600


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a clone would have: the files that git knows or would take, and no virtual environment."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    clone = tmp_path_factory.mktemp("make") / "a fresh clone"
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, clone / name)
    return clone


@pytest.mark.slow
@pytest.mark.timeout(2 * SETUP_SECONDS)
def test_make_run_ends_with_a_link_that_plays(fresh: Path, clip: Path) -> None:
    video = fresh.parent / "my $HOME 'clip'.mp4"
    shutil.copyfile(clip, video)
    environ = clean_environ(MEDIAFLOW_PORT="0", MEDIAFLOW_METRICS_BIND="127.0.0.1:0", MEDIAFLOW_MIN_FREE_BYTES="0")
    with (fresh.parent / "make.log").open("w+") as log:
        running = subprocess.Popen(
            ["make", "run", f"VIDEO={video}"],
            cwd=fresh,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environ,
            start_new_session=True,
        )
        with running:
            try:
                assert running.stdout is not None
                watch = next((line.split()[1] for line in running.stdout if line.startswith("Watch: ")), None)
                log.seek(0)
                assert watch is not None, log.read()[-3000:]
                base, asset_id = watch.partition("/login/")[0], watch.partition("?asset=")[2]
                with requests.Session() as browser:
                    browser.get(watch, timeout=10).raise_for_status()
                    headers = {"X-Requested-With": "mediaflow"}
                    playback = browser.post(
                        f"{base}/api/v1/assets/{asset_id}/playback", headers=headers, timeout=10
                    ).json()
                    assert requests.get(playback["hls_url"], timeout=10).text.startswith("#EXTM3U")
            finally:
                os.killpg(running.pid, signal.SIGINT)  # as Ctrl-C does


@pytest.mark.slow
@pytest.mark.timeout(SETUP_SECONDS)
def test_a_second_setup_has_nothing_to_do(fresh: Path) -> None:
    subprocess.run(["make", "setup"], cwd=fresh, check=True, capture_output=True, env=clean_environ())

    began = time.monotonic()
    subprocess.run(["make", "setup"], cwd=fresh, check=True, capture_output=True, env=clean_environ())

    assert time.monotonic() - began < 2
