"""The systemd unit: one that systemd understands, strict, and without what would forbid the sandbox."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

UNIT: Final = Path(__file__).parents[2] / "deploy/mediaflow.service"
FORBIDS_THE_SANDBOX: Final = ("RestrictNamespaces", "ProtectKernelTunables", "ProtectKernelLogs", "ProtectProc")


def test_it_keeps_its_own_user_out_of_everything_but_its_state() -> None:
    options = dict(line.split("=", 1) for line in UNIT.read_text().splitlines() if re.match(r"\w+=", line))
    assert options["ProtectSystem"] == "strict"
    assert (options["NoNewPrivileges"], options["CapabilityBoundingSet"], options["UMask"]) == ("yes", "", "0077")
    assert options["StateDirectory"] in options["Environment"]
    assert not set(FORBIDS_THE_SANDBOX) & set(options)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_understands_it_and_finds_it_strict(tmp_path: Path) -> None:
    text = re.sub(r"^ExecStart=.*", "ExecStart=/bin/true", UNIT.read_text(), flags=re.MULTILINE)
    there = tmp_path / UNIT.name
    there.write_text(re.sub(r"^(User|Group)=.*", r"\1=daemon", text, flags=re.MULTILINE))
    checked = subprocess.run(["systemd-analyze", "verify", str(there)], capture_output=True, text=True, check=False)
    said = [line for line in checked.stderr.splitlines() if UNIT.name in line]  # others' units are not ours to mend
    assert (checked.returncode, said) == (0, [])
    strict = ["systemd-analyze", "security", "--offline=true", "--threshold=50", str(there)]
    done = subprocess.run(strict, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
