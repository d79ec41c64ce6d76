"""Spectral's rules for OpenAPI, on the whole document: no error, no warning, no hint."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.api.site import Site

CHECKS = Path(__file__).parents[1] / "openapi"
SPECTRAL = CHECKS / "node_modules" / ".bin" / "spectral"


def lint(*documents: Path) -> str:
    """What spectral says of documents, a line for each finding; one start for all, which is what takes its time."""
    if shutil.which("node") is None or not SPECTRAL.exists():
        message = "spectral is not installed: `make test` does it (npm ci in tests/openapi)"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    rules: list[str | Path] = ["--ruleset", CHECKS / "spectral.yaml", "--fail-severity", "hint", "--format", "text"]
    command: list[str | Path] = [SPECTRAL, "lint", *rules, *documents]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.stderr == ""
    return done.stdout


def test_spectral_finds_nothing_and_would_find_something(site: Site, tmp_path: Path) -> None:
    # given our document, and it with one operation that has lost its id
    ours, spoilt = tmp_path / "openapi.json", tmp_path / "spoilt.json"
    answer = site.client.get("/api/v1/openapi.json")
    ours.write_text(answer.text)
    content = answer.get_json()
    del content["paths"]["/api/v1/assets"]["get"]["operationId"]
    spoilt.write_text(json.dumps(content))

    found = [line for line in lint(ours, spoilt).splitlines() if line.startswith(str(tmp_path))]

    assert [line for line in found if not line.startswith(str(spoilt))] == []
    assert len(found) == 1
    assert "operation-operationId" in found[0]
