"""The page's modules that need no document are tested in node, whose own test runner needs no package."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.parametrize("module", sorted(path.name for path in HERE.glob("*.test.mjs")))
def test_the_modules_pass_their_own_tests(module: str) -> None:
    node = shutil.which("node")
    if node is None:
        if "CI" in os.environ:
            pytest.fail("node is not installed")
        pytest.skip("node is not installed")
    # A fixed language and zone: the modules write numbers and dates as the reader's country does.
    environ = os.environ | {"LANG": "en_US.UTF-8", "LC_ALL": "en_US.UTF-8", "TZ": "UTC"}
    done = subprocess.run(
        [node, "--test", str(HERE / module)], capture_output=True, text=True, env=environ, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
