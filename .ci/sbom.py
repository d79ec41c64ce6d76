"""Writes the SBOM of a release: what a server installs beside mediaflow, and what the page brings along, as CycloneDX.

`python .ci/sbom.py dist` reads deploy/requirements.txt (Python packages, with the hashes of their files) and the page's
package-lock.json (JavaScript, with theirs), and writes dist/mediaflow-VERSION.cdx.json.
"""

from __future__ import annotations

import base64
import json
import re
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path
from typing import Final

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

ROOT: Final = Path(__file__).resolve().parent.parent
LOCKED: Final = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)(?P<rest>(?:.*\\\n)*.*)", re.MULTILINE)
HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def main(directory: Path) -> Path:
    """Write the file; its path."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    version = config["metadata"]["version"]
    product = Component(
        name="mediaflow",
        version=version,
        type=ComponentType.APPLICATION,
        purl=PackageURL("pypi", None, "mediaflow", version),
        licenses=[DisjunctiveLicense(id=config["metadata"]["license"])],
    )
    bom = Bom(components=[*python_packages(), *javascript_packages()])
    bom.metadata.component = product
    bom.register_dependency(product, bom.components)
    file = directory / f"mediaflow-{version}.cdx.json"
    file.write_text(JsonV1Dot6(bom).output_as_string(indent=2) + "\n")
    return file


def python_packages() -> Iterator[Component]:
    """What `pip install --require-hashes -r deploy/requirements.txt` may install."""
    for found in LOCKED.finditer((ROOT / "deploy/requirements.txt").read_text()):
        yield _library(PackageURL("pypi", None, found["name"], found["version"]), HASH.findall(found["rest"]))


def javascript_packages() -> Iterator[Component]:
    """The libraries of the page, which are in the wheel."""
    lock = json.loads((ROOT / "mediaflow/web/package-lock.json").read_text())
    for place, package in lock["packages"].items():
        if place:  # the empty one is the page itself
            algorithm, _, digest = package["integrity"].partition("-")
            assert algorithm == "sha512", place  # noqa: S101 - npm's only one for years
            namespace, _, name = place.removeprefix("node_modules/").rpartition("/")
            purl = PackageURL("npm", namespace or None, name, package["version"])
            yield _library(purl, [base64.b64decode(digest).hex()], HashAlgorithm.SHA_512)


def _library(purl: PackageURL, digests: list[str], algorithm: HashAlgorithm = HashAlgorithm.SHA_256) -> Component:
    return Component(
        name=purl.name,
        version=purl.version,
        type=ComponentType.LIBRARY,
        purl=purl,
        bom_ref=str(purl),
        hashes=[HashType(alg=algorithm, content=digest) for digest in digests],
    )


if __name__ == "__main__":
    sys.stdout.write(f"{main(Path(sys.argv[1]))}\n")
