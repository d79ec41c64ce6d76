"""`mediaflow transcode`: the whole pipeline without a server, on a real clip."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mediaflow.cli.transcode import _described
from mediaflow.testing.clips import make_clip
from tests.cli.conftest import Run


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "my clip.mp4", seconds=2, width=320, height=180)


def test_a_file_becomes_streams_in_a_directory(run: Run, clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"

    done = run("transcode", clip, out, "--json")

    assert done.code == 0, done.err
    document = json.loads(done.out)
    assert document["directory"] == str(out)
    master = (out / "master.m3u8").read_text()
    assert master.startswith("#EXTM3U")
    uris = [line for line in master.splitlines() if line and not line.startswith("#")]
    assert uris
    assert all((out / uri).is_file() for uri in uris)
    assert json.loads((out / "asset.json").read_text())["filename"] == "my clip.mp4"
    assert [path.name for path in out.iterdir() if path.name.startswith(".")] == [], "nothing of the work is left"


def test_it_needs_no_service_and_leaves_ones_settings_alone(run: Run, clip: Path, tmp_path: Path) -> None:
    done = run(
        "transcode",
        clip,
        tmp_path / "out",
        MEDIAFLOW_REDIS_URL="redis://192.0.2.1:6379/0",
        MEDIAFLOW_DATABASE_URL="mongodb://192.0.2.1/none",
        MEDIAFLOW_STORAGE_URL="s3:http://192.0.2.1/none",
    )

    assert done.code == 0, done.err
    assert done.out.startswith(f"{tmp_path / 'out' / 'master.m3u8'}: ")
    assert not (tmp_path / "data").exists()


def test_what_is_printed_is_what_there_is(tmp_path: Path) -> None:
    renditions = [{"name": "360p"}, {"name": "240p"}]
    both = {"manifests": {"hls": "master.m3u8", "dash": "manifest.mpd"}, "renditions": renditions}

    assert _described(tmp_path, both) == [
        f"{tmp_path / 'master.m3u8'}: 360p, 240p",
        f"{tmp_path / 'manifest.mpd'}: 360p, 240p",
    ]
    assert _described(tmp_path, both | {"manifests": {"m3u": "all.m3u"}, "renditions": None}) == [
        f"{tmp_path / 'all.m3u'}"
    ]
    assert _described(tmp_path, {"manifests": {}}) == [str(tmp_path)]


def test_what_cannot_be_played_is_a_sentence_and_leaves_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("these are notes\n" * 50)

    done = run("transcode", tmp_path / "notes.mp4", tmp_path / "out")

    assert done.code == 1
    sentences = [line for line in done.err.splitlines() if line.startswith("mediaflow: ")]
    assert len(sentences) == 1
    assert not any((tmp_path / "out").iterdir())


def test_a_directory_that_holds_something_is_left_alone(run: Run, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").touch()

    done = run("transcode", clip, tmp_path / "out")

    assert done.code == 1
    assert "is not empty" in done.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_an_unknown_profile_is_refused(run: Run, clip: Path, tmp_path: Path) -> None:
    done = run("transcode", clip, tmp_path / "out", "--profile", "web-h265")

    assert done.code == 1
    assert "web-h264" in done.err
