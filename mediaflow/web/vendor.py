"""Puts the JavaScript libraries of the page into `static/vendor/`: `python -m mediaflow.web.vendor`, run at set-up.

They are never committed and never fetched by a browser from elsewhere. `package-lock.json` pins versions and hashes;
npm checks the hashes and runs no script of any package.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
VERSIONS_FILE: Final = "versions.json"

WANTED: Final[dict[str, tuple[str, ...]]] = {
    # The full build: the light one has no alternative audio, and our presentations keep audio in a group of its own.
    "hls.js": ("dist/hls.min.mjs", "dist/hls.worker.js", "LICENSE"),
    # What sends files.
    "tus-js-client": ("dist/tus.min.js", "LICENSE"),
    # What the API's documentation page loads.
    "swagger-ui-dist": (
        "swagger-ui-bundle.js",
        "swagger-ui-bundle.js.LICENSE.txt",
        "swagger-ui-standalone-preset.js",
        "swagger-ui-standalone-preset.js.LICENSE.txt",
        "swagger-ui.css",
        "favicon-32x32.png",
        "LICENSE",
        "NOTICE",
    ),
}
DIRECTORIES: Final = {"hls.js": "hls.js", "tus-js-client": "tus-js-client", "swagger-ui-dist": "swagger-ui"}


class VendorError(Exception):
    """The libraries can't be put in place; the sentence says what to do."""


def locked_versions(lock: Path) -> dict[str, str]:
    """The version of each wanted package, from the lock file."""
    packages = json.loads(lock.read_text())["packages"]
    return {name: packages[f"node_modules/{name}"]["version"] for name in WANTED}


def is_in_place(vendor: Path, versions: dict[str, str]) -> bool:
    """True when every wanted file is there, of the wanted versions."""
    stamp = vendor / VERSIONS_FILE
    if not stamp.is_file() or json.loads(stamp.read_text()) != versions:
        return False
    return all((vendor / target).is_file() for _, target in _files())


def install(source: Path = HERE, vendor: Path = HERE / "static" / "vendor") -> bool:
    """Put the libraries into `vendor`; False when they were there already. `source` holds package.json and its lock."""
    versions = locked_versions(source / "package-lock.json")
    if is_in_place(vendor, versions):
        return False
    npm = shutil.which("npm")
    if npm is None:
        raise VendorError(
            "npm is not installed, and the page's player (hls.js) and uploader (tus-js-client) come from it: "
            "install it (Debian: apt-get install npm) and run `python -m mediaflow.web.vendor` again"
        )
    with tempfile.TemporaryDirectory(prefix="mediaflow-npm-") as build:
        _npm_ci(npm, source, Path(build))
        _copy(Path(build) / "node_modules", vendor, versions)
    return True


def _npm_ci(npm: str, source: Path, build: Path) -> None:
    """Install what the lock file says into `build`: the source tree stays as it is, and may be read-only."""
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(source / name, build / name)
    # --ignore-scripts: no package's code runs here. --no-audit, --no-fund: nothing is reported, nothing advertised.
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, cwd=build, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = (done.stderr or done.stdout).strip()[-1500:]
        raise VendorError(f"npm could not install the page's libraries (exit code {done.returncode}): {reason}")


def _copy(modules: Path, vendor: Path, versions: dict[str, str]) -> None:
    """Build the new directory beside the old one and swap them by renaming, so that no half-made one is ever there."""
    vendor.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".vendor-", dir=vendor.parent) as staging:
        fresh = Path(staging) / "new"
        for origin, target in _files():
            (fresh / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(modules / origin, fresh / target)
        (fresh / VERSIONS_FILE).write_text(json.dumps(versions, indent=2) + "\n")
        if vendor.exists():
            vendor.replace(Path(staging) / "old")
        fresh.replace(vendor)


def _files() -> list[tuple[str, str]]:
    """Each wanted file: its path below node_modules, and below the vendor directory."""
    return [
        (f"{package}/{path}", f"{DIRECTORIES[package]}/{Path(path).name}")
        for package, paths in WANTED.items()
        for path in paths
    ]


def main() -> int:
    """The command. Exit codes: 0 done or nothing to do, 1 failed (one sentence on stderr)."""
    try:
        changed = install()
    except VendorError as error:
        sys.stderr.write(f"mediaflow: {error}\n")
        return 1
    sys.stdout.write(
        "The page's libraries are in place.\n" if changed else "The page's libraries were in place already.\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
