"""Putting the JavaScript libraries in place, with an npm that writes what the lock file names."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from mediaflow.web import vendor

NPM = f"""#!{sys.executable}
import json, pathlib, sys
assert sys.argv[1] == "ci" and "--ignore-scripts" in sys.argv
pathlib.Path({{calls!r}}).open("a").write("called ")
for name, files in json.loads({{wanted!r}}).items():
    for file in files:
        path = pathlib.Path("node_modules", name, file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file to which the only npm on PATH adds a word each time it is called."""
    calls = tmp_path / "calls"
    calls.touch()
    _npm(tmp_path, NPM.format(calls=str(calls), wanted=json.dumps(vendor.WANTED)), monkeypatch)
    return calls


def _npm(tmp_path: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tmp_path / "bin"
    directory.mkdir()
    npm = directory / "npm"
    npm.write_text(script)
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(directory))


def test_the_libraries_are_put_in_place_once(tmp_path: Path, calls: Path) -> None:
    target = tmp_path / "static" / "vendor"
    assert vendor.install(vendor=target) is True
    assert vendor.install(vendor=target) is False
    assert calls.read_text() == "called "
    assert (target / "hls.js" / "hls.min.mjs").is_file()
    assert (target / "hls.js" / "LICENSE").is_file()
    assert (target / "swagger-ui" / "swagger-ui-bundle.js").is_file()
    assert [path.name for path in target.parent.iterdir()] == ["vendor"]


@pytest.mark.parametrize("damage", ["a file is gone", "the version is another"])
def test_what_is_not_right_is_put_in_place_anew(tmp_path: Path, calls: Path, damage: str) -> None:
    target = tmp_path / "static" / "vendor"
    vendor.install(vendor=target)
    if damage == "a file is gone":
        (target / "hls.js" / "hls.worker.js").unlink()
    else:
        (target / vendor.VERSIONS_FILE).write_text('{"hls.js": "0.0.1"}')
    assert vendor.install(vendor=target) is True
    assert (target / "hls.js" / "hls.worker.js").is_file()


def test_a_machine_without_npm_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(vendor.VendorError, match="apt-get install npm"):
        vendor.install(vendor=tmp_path / "vendor")


def test_an_npm_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _npm(tmp_path, "#!/bin/sh\necho 'no network' >&2\nexit 7\n", monkeypatch)
    target = tmp_path / "vendor"
    target.mkdir()
    (target / "old").touch()
    with pytest.raises(vendor.VendorError, match=r"exit code 7.*no network"):
        vendor.install(vendor=target)
    assert (target / "old").exists()


def test_the_lock_names_versions_and_hashes_and_no_place() -> None:
    text = (vendor.HERE / "package-lock.json").read_text()
    packages = {name: entry for name, entry in json.loads(text)["packages"].items() if name}
    assert "resolved" not in text
    told = [{name: said for name, said in entry.items() if name != "funding"} for entry in packages.values()]
    assert "://" not in json.dumps(told)
    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())
    wanted = json.loads((vendor.HERE / "package.json").read_text())["dependencies"]
    assert vendor.locked_versions(vendor.HERE / "package-lock.json") == wanted
