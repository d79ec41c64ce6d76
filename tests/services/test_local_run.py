"""Where `transcode` lays out what was published: nothing is overwritten, and every manifest names what is there; and
the hands that do its work.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mediaflow.domain.errors import TaskFailed
from mediaflow.domain.presentation import Artifact, Manifest, Presentation, Track
from mediaflow.domain.publication import Output, Publication
from mediaflow.plugin.wire import dump
from mediaflow.services.local_run import LocalWakeups, _lay_out
from mediaflow.services.pipeline.rendering import Rendering
from mediaflow_local.storage import LocalStorage
from tests.services.records import an_asset

TRACK = Track("a", "video", "avc1.64001f", 12800, width=1280, height=720)


class OneLine:
    """A format whose manifest is one line, as an MPD may be, with everything in attributes."""

    name = "line"

    def __init__(self, **changes: Any) -> None:
        self._changes = changes

    def render(self, presentation: Presentation) -> Sequence[Manifest]:
        uris = [u for r in presentation.video for u in (r.init_uri, *(s.uri for s in r.segments))]
        body = "<MPD>" + "".join(f'<S m="{uri}"/>' for uri in uris) + "</MPD>"
        return [replace(Manifest("all.mpd", "application/dash+xml", body, entry=True), **self._changes)]


def stored(storage: LocalStorage, path: str, artifacts: Sequence[Artifact]) -> None:
    """As an attempt leaves its files; each says where it lies."""

    def put(name: str, data: bytes) -> None:
        storage.put(f"assets/{'0' * 32}/{path}/{name}", [data], size_bytes=len(data), content_type="text/plain")

    for artifact in artifacts:
        put(artifact.path, f"{path}/{artifact.path}".encode())
    put("artifacts.json", json.dumps([dump(artifact) for artifact in artifacts]).encode())


def a_file(path: str) -> Artifact:
    return Artifact(path, "file", "text/plain", 1)


def test_files_of_one_name_make_room_and_manifests_are_rendered_for_where_they_lie(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "objects")
    init = Artifact("a/init.mp4", "init", "video/mp4", 1, track="a", describes=TRACK)
    first, second = (
        Artifact(f"a/{n}.m4s", "segment", "video/mp4", 1, track="a", number=n, duration_seconds=1.0) for n in range(2)
    )
    made = {
        # files with the names of our own list, of the manifest, of segments, of their directory
        "g1/other-0.1": [a_file(name) for name in ("asset.json", "all.mpd", "a/0.m4s", "a/1.m4s/x", "b")],
        "g1/video-0.1": [init, first],
        "g1/video-1.2": [init, second],
        "g1/more.1": [a_file("b/c"), a_file("other-0")],
    }
    for path, artifacts in made.items():
        stored(storage, path, artifacts)
    plugins: Any = SimpleNamespace(manifests={"line": OneLine()}, plugin_of_manifest=lambda _: "mine")
    runtime: Any = SimpleNamespace(
        posters=SimpleNamespace(rendering=Rendering(storage, plugins, 3600)), storage=storage
    )
    files = [f"{path}/{a.path}" for path, artifacts in made.items() for a in artifacts if a.role == "file"]
    outputs = (
        Output("line", "manifest", "g1/package.1/all.mpd", "application/dash+xml", 1),
        *(Output(path, "file", path, "text/plain", 1) for path in files),
    )
    published = Publication(1, outputs, (), 2.0, sources=tuple(made), warnings=("No picture.",))

    document = _lay_out(runtime, an_asset(id="0" * 32), published, tmp_path / "out")

    out = tmp_path / "out"
    manifest = (out / "all.mpd").read_text()
    named = re.findall('m="([^"]+)"', manifest)
    assert [(out / uri).read_text() for uri in named] == [
        "g1/video-0.1/a/init.mp4",
        "g1/video-0.1/a/0.m4s",
        "g1/video-1.2/a/1.m4s",
    ]
    assert document["manifests"] == {"line": "all.mpd"}
    assert document["warnings"] == ["No picture."]
    told = {output["name"]: output["path"] for output in document["outputs"] if output["kind"] == "file"}
    assert {name: (out / path).read_text() for name, path in told.items()} == {path: path for path in files}
    assert json.loads((out / "asset.json").read_text()) == document


@pytest.mark.parametrize(
    ("formats", "sentence"),
    [
        ([OneLine(entry=False)], "'line' of the plugin 'mine' must have exactly one entry"),
        ([OneLine(), SimpleNamespace(name="copy", render=OneLine().render)], "'line' and 'copy' both write all.mpd"),
    ],
)
def test_a_manifest_format_that_breaks_its_promise_is_named(tmp_path: Path, formats: Any, sentence: str) -> None:
    plugins: Any = SimpleNamespace(manifests={each.name: each for each in formats}, plugin_of_manifest=lambda _: "mine")
    rendering = Rendering(LocalStorage(tmp_path), plugins, 3600)
    with pytest.raises(TaskFailed, match=sentence):
        rendering.render(Presentation(1.0, (), ()), plugins.manifests)


@pytest.mark.parametrize(("woken", "waits"), [(True, False), (False, True)])
def test_a_hand_that_is_woken_while_it_looks_does_not_wait(woken: bool, waits: bool) -> None:
    wakeups = LocalWakeups()
    since, began = wakeups.times, time.monotonic()
    if woken:
        wakeups.wake("step", "a task")
    wakeups.wait(since, 1)
    assert (time.monotonic() - began > 0.9) is waits
