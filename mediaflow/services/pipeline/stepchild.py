"""The child process that runs one task of a step, and the prepared process that it is forked from.

`python -m` this module, started by `stepprocess.py` with what the plugins' entry points are called and a socket,
imports them and forks children (`mediaflow/sandbox/forking.py`). A child reads a request (a JSON document) from stdin
and answers with lines of JSON: `{"progress": 0.4}` and `{"warning": "..."}` while it works, then `{"artifact": {...}}`
for each file and `{"done": 3}` with their number, or `{"error": {"kind", "code", "detail"}}`.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, Final, TextIO

from mediaflow.domain.telling import cause, error_document
from mediaflow.plugin import (
    ENTRY_POINT_GROUP,
    Artifact,
    AudioStream,
    ConfigurationError,
    MediaflowError,
    MediaRejected,
    Step,
    StepTask,
    TaskFiles,
    VideoStream,
    Workspace,
)
from mediaflow.plugin.wire import dump, get_ready, load
from mediaflow.sandbox.errands import AskingRunner
from mediaflow.sandbox.forking import CONTROL, serve
from mediaflow.services.pipeline.stepanswers import checked_artifacts

_PROGRESS_SECONDS: Final = 0.2


def main(entry_points: str, channel: str) -> None:
    """Import plugins (a JSON object of names and entry points), then fork children when the other end asks."""
    for plugin, entry_point in json.loads(entry_points).items():
        try:
            _loaded(plugin, entry_point)
        except Exception:  # noqa: BLE001 - each of its own steps fails by it again, and says so
            traceback.print_exc()
    get_ready(StepTask, VideoStream, AudioStream, Artifact)
    serve(socket.socket(fileno=int(channel)), answer_request)


def answer_request() -> None:
    """Run the request of stdin. Whatever comes of it is an answer, unless the step ends the process."""
    with _own_channel() as channel:
        answer = _Answer(channel)
        try:
            _run(json.load(sys.stdin), answer)
        except MediaflowError as error:
            kind = "rejected" if isinstance(error, MediaRejected) else "failed"
            told = error_document(error)
            answer.error(kind, told["code"], told["detail"])
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything; the parent names it
            traceback.print_exc()
            answer.error("failed", "plugin.failed", cause(error))


def _own_channel() -> TextIO:
    """The stdout that we were given. What a plugin or its programs print goes to stderr from now on."""
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return channel


def _run(request: Mapping[str, Any], answer: _Answer) -> None:
    name = f"The step {request['step']!r} of the plugin {request['plugin']!r}"
    workspace = Workspace(
        directory=Path(request["directory"]),
        source=Path(request["source"]),
        progress=answer.progress,
        processes=AskingRunner(socket.socket(fileno=CONTROL)),
        settings=request["settings"],
        inputs={name: _files(made) for name, made in request["inputs"].items()},
        partial=request["partial"],
        warn=lambda sentence: answer.line({"warning": str(sentence)}),
        made=lambda artifact: answer.line({"made": dump(checked_artifacts(name, [artifact])[0])}),
    )
    step = find_step(request["plugin"], request["entry_point"], request["step"])
    artifacts = checked_artifacts(name, step.run(load(StepTask, request["task"]), workspace))
    for artifact in artifacts:
        answer.line({"artifact": dump(artifact)})
    answer.line({"done": len(artifacts)})


def _files(made: Mapping[str, Any]) -> TaskFiles:
    return TaskFiles(Path(made["directory"]), tuple(load(Artifact, artifact) for artifact in made["artifacts"]))


def find_step(plugin: str, entry_point: str, name: str) -> Step:
    """The step that the plugin's entry point (`package.module` or `package.module:object`) offers under that name."""
    hook: Callable[[], Any] = _loaded(plugin, entry_point).mediaflow_register_steps
    for step in hook():
        if step.name == name:
            found: Step = step
            return found
    raise ConfigurationError(f"The plugin {plugin!r} offers no step {name!r} (any more).")


def _loaded(plugin: str, entry_point: str) -> Any:
    return EntryPoint(plugin, entry_point, ENTRY_POINT_GROUP).load()


@dataclass(slots=True)
class _Answer:
    channel: TextIO
    reported: float = 0.0

    def progress(self, fraction: float) -> None:
        """Tell the parent, but not more often than it looks."""
        now = time.monotonic()
        if now - self.reported >= _PROGRESS_SECONDS:
            self.reported = now
            self.line({"progress": min(1.0, max(0.0, float(fraction)))})

    def error(self, kind: str, code: str, detail: str) -> None:
        self.line({"error": {"kind": kind, "code": code, "detail": detail}})

    def line(self, value: Mapping[str, Any]) -> None:
        self.channel.write(json.dumps(value, separators=(",", ":")) + "\n")
        self.channel.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
