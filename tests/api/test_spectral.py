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


def lint(document: Path) -> str:
    """What spectral says of a document."""
    if shutil.which("node") is None or not SPECTRAL.exists():
        message = "spectral is not installed: `make test` does it (npm ci in tests/openapi)"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    rules: list[str | Path] = ["--ruleset", CHECKS / "spectral.yaml", "--fail-severity", "hint"]
    command: list[str | Path] = [SPECTRAL, "lint", *rules, document]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    return done.stdout + done.stderr if done.returncode else ""


def test_spectral_finds_nothing(site: Site, tmp_path: Path) -> None:
    document = tmp_path / "openapi.json"
    document.write_text(site.client.get("/api/v1/openapi.json").text)

    assert lint(document) == ""


def test_spectral_would_find_something(site: Site, tmp_path: Path) -> None:
    # given the document with one operation that has lost its id
    content = site.client.get("/api/v1/openapi.json").get_json()
    del content["paths"]["/api/v1/assets"]["get"]["operationId"]
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(content))

    assert "operation-operationId" in lint(document)
