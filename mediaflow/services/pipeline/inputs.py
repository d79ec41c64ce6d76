"""What a step's needed tasks made, laid out in a directory of this machine for as long as the step works."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mediaflow.domain import keys
from mediaflow.domain.errors import TaskFailed
from mediaflow.domain.publication import ARTIFACTS
from mediaflow.domain.records import Asset, Task
from mediaflow.plugin import HasLocalFiles, Storage
from mediaflow.sandbox.ownership import let_read, remove_tree


@dataclass(frozen=True, slots=True)
class Inputs:
    """Files are linked where the storage keeps them on this file system, else fetched."""

    storage: Storage

    @contextmanager
    def laid_out(
        self, asset: Asset, needed: Iterable[Task], root: Path, picture: str | None = None
    ) -> Iterator[dict[str, dict[str, Any]]]:
        """For each planned task a directory below `root` with its artifacts, as `StepRequest.inputs` tells them;
        gone when the `with` block ends. TaskFailed (`storage.lost_object`) when a file is not as it was made.

        What was made in parts is there as if it had been made as a whole. `picture` is the path of an image that the
        owner gave, which is an input of that name.
        """
        inputs: dict[str, dict[str, Any]] = {}
        try:
            for task in needed:
                name = task.whole or task.name
                found = self._laid_out(asset, task, root / name)
                whole = inputs.setdefault(name, {"directory": str(root / name), "artifacts": []})
                whole["artifacts"] += found
            if picture is not None:
                inputs["picture"] = self._given(asset, picture, root / "picture")
            yield inputs
        finally:
            remove_tree(root)

    def _laid_out(self, asset: Asset, task: Task, directory: Path) -> list[dict[str, Any]]:
        prefix = f"{keys.asset_prefix(asset.id)}{(task.result or {})['path']}/"
        listed: list[dict[str, Any]] = json.loads(b"".join(self.storage.read(prefix + ARTIFACTS)))
        directory.mkdir(parents=True, mode=0o700, exist_ok=True)
        # each part has the init segments of its tracks
        artifacts = [artifact for artifact in listed if not (directory / artifact["path"]).exists()]
        for artifact in artifacts:
            target = directory / artifact["path"]
            target.parent.mkdir(parents=True, exist_ok=True)
            at = artifact.pop("at", None)  # another attempt or task had made it before
            self._place(prefix + artifact["path"] if at is None else keys.asset_prefix(asset.id) + at, target)
            if target.stat().st_size != artifact["size_bytes"]:
                raise TaskFailed(
                    f"{artifact['path']} is not in the storage as it was made.", code="storage.lost_object"
                )
        if os.geteuid() == 0:  # the step is another user
            for path in (directory, *directory.rglob("*")):
                let_read(path)
        return artifacts

    def _given(self, asset: Asset, path: str, directory: Path) -> dict[str, Any]:
        directory.mkdir(parents=True, mode=0o700)
        self._place(keys.asset_prefix(asset.id) + path, target := directory / "picture")
        if os.geteuid() == 0:
            for each in (directory, target):
                let_read(each)
        said = {"role": "image", "content_type": "application/octet-stream", "size_bytes": target.stat().st_size}
        return {"directory": str(directory), "artifacts": [{"path": target.name, **said}]}

    def _place(self, key: str, target: Path) -> None:
        if isinstance(self.storage, HasLocalFiles):
            try:
                os.link(self.storage.local_path(key), target)
            except OSError:  # another file system, or one without links
                pass
            else:
                return
        with target.open("wb") as file:
            for block in self.storage.read(key):
                file.write(block)
