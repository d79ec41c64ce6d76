"""Small plugins of other people, written into a directory as installed distributions."""

from __future__ import annotations

from pathlib import Path

from mediaflow.plugin import ENTRY_POINT_GROUP


def install(directory: Path, name: str, source: str) -> Path:
    """The distribution `dist-NAME` with the plugin NAME in the module `NAME_plugin`; answers the directory."""
    info = directory / f"dist_{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: dist-{name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\n{name} = {name}_plugin\n")
    (directory / f"{name}_plugin.py").write_text(source)
    return directory
