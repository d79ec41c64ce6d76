"""The step `example.checksum`: the source's SHA-256 and size as a JSON file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mediaflow.plugin import Artifact, MediaInfo, PlannedTask, Profile, StepSpec, StepTask, Workspace

BLOCK_BYTES = 1024 * 1024
BYTES_PER_SECOND = 500e6
"""What one core hashes in a second, roughly: the progress bar's share of this task."""


class ChecksumStep:
    """`params` may name the algorithm, of which there is one: `algorithm: sha256`."""

    name = "example.checksum"

    def check(self, params: Mapping[str, Any]) -> Iterable[str]:
        """What is wrong with a profile's parameters."""
        for key in params.keys() - {"algorithm"}:
            yield f"{key}: this parameter is unknown; there is 'algorithm'"
        if params.get("algorithm", "sha256") != "sha256":
            yield f"algorithm: must be 'sha256', not {params['algorithm']!r}"

    def plan(self, media: MediaInfo, spec: StepSpec, profile: Profile) -> Sequence[PlannedTask]:
        """One task, which nothing waits for: a lost checksum is no reason to lose a video."""
        return [PlannedTask("example-checksum", weight=media.size_bytes / BYTES_PER_SECOND, optional=True)]

    def run(self, task: StepTask, workspace: Workspace) -> Sequence[Artifact]:
        """Hash the source and write `checksum.json`."""
        digest, size_bytes = self._digest(workspace)
        file = workspace.directory / "checksum.json"
        file.write_text(json.dumps({"sha256": digest, "size_bytes": size_bytes}) + "\n", encoding="utf-8")
        return [Artifact(file.name, "file", "application/json", file.stat().st_size)]

    def _digest(self, workspace: Workspace) -> tuple[str, int]:
        hasher, done = hashlib.sha256(), 0
        total = max(1, Path(workspace.source).stat().st_size)
        with workspace.source.open("rb") as source:
            while block := source.read(BLOCK_BYTES):
                hasher.update(block)
                done += len(block)
                workspace.progress(done / total)
        return hasher.hexdigest(), done
