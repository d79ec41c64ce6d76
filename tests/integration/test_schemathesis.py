"""Schemathesis with all its checks against the real service: what the OpenAPI document says is what happens.

Valid, invalid and hostile requests are made from the document; no answer may be one that the document does not know,
none a 5xx, nothing that is wrong accepted, nothing that is right refused.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.service import Service, clean_environ, running_service

CONFIGURATION = Path(__file__).parents[1] / "openapi" / "schemathesis.toml"
HOOKS = CONFIGURATION.with_name("hooks.py")
SEED = 20260101
QUIET = {
    "MEDIAFLOW_RATE_LIMIT_PER_MINUTE": "0",
    # thousands of files are announced, and most of them never sent
    "MEDIAFLOW_MAX_UPLOAD_BYTES": "1000000",
    "MEDIAFLOW_QUOTA_OPEN_UPLOADS": "0",
}


def ask(service: Service, directory: Path, *, examples: int, seconds: int) -> int:
    """How many requests were made and found right; fails with what was found wrong."""
    command = [
        str(Path(sys.executable).with_name("st")),
        "--config-file",
        str(CONFIGURATION),
        "run",
        f"{service.url}/api/v1/openapi.json",
        "--checks=all",
        f"--max-examples={examples}",
        f"--seed={SEED}",
        "--no-shrink",
        "--continue-on-failure",
        f"--header=Authorization: Bearer {service.token}",
        f"--report-dir={directory}",
    ]
    environ = clean_environ(SCHEMATHESIS_HOOKS=str(HOOKS))
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds, check=False, cwd=directory, env=environ
    )
    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-2000:]
    found = re.search(r"(\d+) generated", done.stdout)
    assert found is not None, done.stdout[-3000:]
    return int(found[1])


@pytest.mark.timeout(500)
def test_the_document_is_true(tmp_path: Path) -> None:
    with running_service(tmp_path / "data", **QUIET) as service:
        assert ask(service, tmp_path, examples=1, seconds=450) > 500


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_the_document_is_true_ten_thousand_times(tmp_path: Path) -> None:
    with running_service(tmp_path / "data", **QUIET) as service:
        assert ask(service, tmp_path, examples=250, seconds=1400) >= 10_000
