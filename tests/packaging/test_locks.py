"""What is installed is what was tried: each package at one version, its files by their hashes; a release says which."""

from __future__ import annotations

import json
import re
import runpy
from configparser import ConfigParser
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
OURS: Final = ROOT / ".ci/requirements.txt"
SERVERS: Final = ROOT / "deploy/requirements.txt"
ENTRY: Final = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)")


def locked(file: Path) -> dict[str, set[str]]:
    """Versions by name: one may have two, for older and newer Pythons."""
    found: dict[str, set[str]] = {}
    for line in file.read_text().splitlines():
        if entry := ENTRY.match(line):
            found.setdefault(entry[1].lower(), set()).add(entry[2])
    return found


def pinned(*extras: str) -> dict[str, str]:
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    texts = [config["options"]["install_requires"], *(config["options.extras_require"][extra] for extra in extras)]
    lines = [line for text in texts for line in text.splitlines() if "==" in line and not line.startswith("#")]
    return {name.lower(): version for name, version in (line.split("==") for line in lines)}


@pytest.mark.parametrize(
    ("file", "extras"), [(OURS, ("embedded", "test", "quality")), (SERVERS, ("embedded",))], ids=["ours", "servers"]
)
def test_every_pin_is_locked_and_every_file_has_its_hash(file: Path, extras: tuple[str, ...]) -> None:
    versions, pins = locked(file), pinned(*extras)
    assert len(pins) > 20
    assert {name: versions.get(name) for name in pins} == {name: {version} for name, version in pins.items()}, (
        "`make lock` brings it up to date"
    )
    text = file.read_text()
    entries = re.split(r"^(?=[A-Za-z0-9])", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE), flags=re.MULTILINE)[1:]
    assert [entry.split("\n")[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in text, "no place of a registry: each user has their own"


def test_servers_get_what_was_tested() -> None:
    ours, servers = locked(OURS), locked(SERVERS)
    assert {name: versions for name, versions in servers.items() if not versions <= ours.get(name, set())} == {}
    assert "pytest" not in servers


def test_a_release_names_all_that_it_brings_and_needs(tmp_path: Path) -> None:
    file: Path = runpy.run_path(str(ROOT / ".ci/sbom.py"))["main"](tmp_path)
    sbom = json.loads(file.read_text())
    assert (sbom["bomFormat"], sbom["metadata"]["component"]["name"]) == ("CycloneDX", "mediaflow")
    components = {(part["name"].lower(), part["version"]): part for part in sbom["components"]}
    assert {(name, version) for name, versions in locked(SERVERS).items() for version in versions} < set(components)
    libraries = json.loads((ROOT / "mediaflow/web/package.json").read_text())["dependencies"]
    assert set(libraries.items()) <= set(components)
    assert all(part["hashes"] and part["purl"].startswith("pkg:") for part in components.values())
