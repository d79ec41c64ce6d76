"""Running our code as a user without rights, where the tests themselves run as root."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
NOBODY: Final = 65534


@contextmanager
def ordinary_user() -> Iterator[tuple[list[str], Path]]:
    """The beginning of a command (`[..., python]`) that runs as nobody with our packages, and a directory of his.

    Skips the test where others may not run a Python with our packages.
    """
    if os.geteuid() != 0:
        pytest.skip("the whole run is an ordinary user's")
    packages = [str(ROOT), str(ROOT / "plugins"), *(path for path in sys.path if path.endswith("site-packages"))]
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        directory = Path(name)
        os.chown(directory, NOBODY, NOBODY)
        command = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", "env", "-C", name]
        command += [f"HOME={name}", f"TMPDIR={name}", f"PYTHONPATH={os.pathsep.join(packages)}"]
        command += ["PYTHONDONTWRITEBYTECODE=1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1"]
        for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
            if subprocess.run([*command, python, "-c", "import pluggy"], capture_output=True).returncode == 0:
                yield [*command, python], directory
                return
        pytest.skip("others may not run Python with our packages")
