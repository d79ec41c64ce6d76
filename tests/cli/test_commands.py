"""Commands that look and tell: token, plugins, profiles, plan, doctor, worker's and serve's refusals."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mediaflow.services.access.keyfile import load_or_create_key
from mediaflow.services.access.principals import Principal
from mediaflow.services.access.tokens import Tokens
from mediaflow.settings import Settings
from mediaflow.testing.clips import make_clip
from tests.cli.conftest import Run

KEY = "a key that is long enough for this, 32 bytes"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of 640x360 with sound, under a name that needs care."""
    return make_clip(tmp_path_factory.mktemp("clips") / "a 'clip' [b].mp4", seconds=2, width=640, height=360)


# --- token


def test_a_token_is_one_that_the_service_accepts(run: Run) -> None:
    done = run("token", "--user", "ann", "--role", "admin", MEDIAFLOW_JWT_KEY=KEY)

    assert done.code == 0
    tokens = Tokens(KEY.encode(), Settings().jwt_issuer, Settings().jwt_audience)
    assert tokens.verify(done.out.strip()) == Principal("ann", "admin")


def test_a_token_is_signed_with_the_key_of_the_data_directory(run: Run, tmp_path: Path) -> None:
    settings = Settings(data_dir=str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    tokens = Tokens(load_or_create_key(settings), settings.jwt_issuer, settings.jwt_audience)

    done = run("token", "--user", "ann", "--hours", "0.5", "--json", "--data-dir", tmp_path / "data")

    document = json.loads(done.out)
    assert tokens.verify(document["token"]) == Principal("ann", "user")
    assert document["expires_in_seconds"] == 1800


def test_where_no_service_ever_was_there_is_no_key_and_none_is_made(run: Run, tmp_path: Path) -> None:
    done = run("token", "--user", "ann")

    assert done.code == 1
    assert "there is no key to sign with" in done.err
    assert list(tmp_path.iterdir()) == []


def test_a_bad_user_is_refused_in_one_sentence(run: Run) -> None:
    done = run("token", "--user", "a\nb", MEDIAFLOW_JWT_KEY=KEY)

    assert done.code == 1
    assert done.err.startswith("mediaflow: ")
    assert done.err.count("\n") == 1


# --- plugins and profiles


def test_plugins_are_listed_with_what_they_offer(run: Run) -> None:
    listed = {plugin["name"]: plugin for plugin in json.loads(run("plugins", "--json").out)}

    assert {"ffmpeg", "hls", "local", "minio", "profiles", "validation"} <= set(listed)
    assert listed["local"]["storages"] == ["local"]
    assert "mediaflow_register_steps" in listed["ffmpeg"]["hooks"]
    assert "ffmpeg" in run("plugins").out


def test_a_plugin_that_is_switched_off_is_not_listed(run: Run) -> None:
    listed = json.loads(run("plugins", "--json", MEDIAFLOW_PLUGINS_DISABLED="minio").out)

    assert "minio" not in {plugin["name"] for plugin in listed}


def test_profiles_are_listed_and_one_is_the_default(run: Run) -> None:
    listed = json.loads(run("profiles", "--json").out)

    assert [profile["name"] for profile in listed if profile["default"]] == ["web-h264"]
    assert [rung["height"] for rung in listed[-1]["ladder"]] == [1080, 720, 480, 360]
    assert "web-h264 (default)" in run("profiles").out


# --- plan


def test_a_plan_shows_what_a_file_would_become(run: Run, clip: Path) -> None:
    done = run("plan", clip, "--json")

    assert done.code == 0, done.err
    document = json.loads(done.out)
    assert document["profile"] == "web-h264"
    assert [(r["name"], r["width"], r["height"]) for r in document["plan"]["video"]] == [("360p", 640, 360)]
    made = {"video.h264", "audio.aac", "image.thumbnail", "image.storyboard", "image.preview"}
    assert {task["step"] for task in document["tasks"]} == made
    assert [(r["name"], r["when"], r["segments_made"]) for r in document["renditions"]][:1] == [("360p", "eager", 0)]
    assert {each["rung"]: each["why"] for each in document["left_out"]}["1080p"] == (
        "The picture is 640x360: 360p has all of it."
    )
    assert all(task["why"] and task["core_seconds"] == task["weight"] for task in document["tasks"])


def test_a_plan_is_a_table_for_people(run: Run, clip: Path) -> None:
    out = run("plan", clip).out

    assert out.startswith("a 'clip' [b].mp4: 2.0 s, h264 640x360")
    assert "360p" in out
    assert "640x360" in out
    assert "thumbnail.jpg" in out, "what the tasks make"
    assert "Left out: 720p. The picture is 640x360: 360p has all of it." in out
    assert "The picture's own size; the smallest one is made first." in out
    assert "thumbnail, storyboard, preview: It makes no segments." in out


def test_a_plan_is_made_of_a_file_beside_us(run: Run, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(clip.parent)
    assert run("plan", Path(clip.name)).code == 0


def test_a_plan_of_what_cannot_be_read_is_a_sentence(run: Run) -> None:
    done = run("plan", Path("/proc/self/mem"))
    assert (done.code, done.err) == (1, "mediaflow: /proc/self/mem can't be read (Input/output error)\n")


def test_a_plan_for_an_unknown_profile_names_a_known_one(run: Run, clip: Path) -> None:
    done = run("plan", clip, "--profile", "web-h265")

    assert done.code == 1
    assert done.err == "mediaflow: there is no profile 'web-h265'; did you mean 'web-h264'?\n"


def test_a_plan_of_what_is_no_media_is_a_sentence(run: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("notes")

    done = run("plan", tmp_path / "notes.mp4")

    assert done.code == 1
    assert done.err.startswith("mediaflow: ")
    assert done.err.count("\n") == 1


# --- doctor


def test_doctor_finds_this_machine_in_order_and_masks_secrets(run: Run, tmp_path: Path) -> None:
    done = run("doctor", "--json", MEDIAFLOW_JWT_KEY=KEY, MEDIAFLOW_MIN_FREE_BYTES="1")

    document = json.loads(done.out)
    assert KEY not in done.out
    settings = {info["variable"]: info for info in document["settings"]}
    assert settings["MEDIAFLOW_JWT_KEY"]["value"] == "********"
    assert settings["MEDIAFLOW_MIN_FREE_BYTES"]["source"] == "environment"
    checks = {check["name"]: check["state"] for check in document["checks"]}
    assert {name for name, state in checks.items() if state == "failed"} <= {"page"}, done.out
    assert list(tmp_path.iterdir()) == [], "looking changes nothing"


def check(run: Run, name: str, **environ: str) -> tuple[str, str]:
    """State and sentence of one check."""
    document = json.loads(run("doctor", "--json", **environ).out)
    return next((check["state"], check["detail"]) for check in document["checks"] if check["name"] == name)


@pytest.mark.parametrize(
    ("name", "environ", "sentence"),
    [
        ("queue", {"MEDIAFLOW_REDIS_URL": "redis://127.0.0.1:1/0"}, "does not answer"),
        ("queue", {"MEDIAFLOW_REDIS_URL": "http://127.0.0.1"}, "is no Redis URL"),
        ("storage", {"MEDIAFLOW_STORAGE_URL": "s4:http://127.0.0.1/x"}, "MEDIAFLOW_STORAGE_URL"),
        ("database", {"MEDIAFLOW_DATABASE_URL": "postgres://x"}, "MEDIAFLOW_DATABASE_URL"),
        ("disk", {"MEDIAFLOW_MIN_FREE_BYTES": str(10**17)}, "free some"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(run: Run, name: str, environ: dict[str, str], sentence: str) -> None:
    state, detail = check(run, name, **environ)

    assert state == "failed"
    assert sentence in detail


def test_a_sandbox_that_is_off_is_a_warning(run: Run) -> None:
    assert check(run, "sandbox", MEDIAFLOW_SANDBOX="off")[0] == "warning"


def test_a_failed_check_is_exit_code_1(run: Run) -> None:
    done = run("doctor", MEDIAFLOW_MIN_FREE_BYTES=str(10**17))

    assert done.code == 1
    assert "checks failed: " in done.err


def test_a_machine_without_ffmpeg_is_told_what_to_install(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()

    state, detail = check(run, "ffmpeg", PATH=os.fspath(tmp_path / "bin"))

    assert state == "failed"
    assert detail == "ffmpeg is not installed; install ffmpeg (Debian: apt-get install ffmpeg)"


def test_an_ffmpeg_without_an_encoder_is_told_apart(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin" / "ffmpeg"
    fake.write_text("#!/bin/sh\necho 'ffmpeg version 0'; echo '  E mp4 MP4'; echo '  E hls HLS'\n")
    fake.chmod(0o755)

    state, detail = check(run, "ffmpeg", PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")

    assert state == "failed"
    assert "encoder libx264" in detail
    assert "muxer hls" not in detail


# --- worker and serve, alone


def test_a_worker_without_a_queue_is_refused_with_the_way_out(run: Run) -> None:
    done = run("worker")

    assert done.code == 1
    assert "MEDIAFLOW_REDIS_URL is not set" in done.err
    assert "mediaflow up" in done.err


@pytest.mark.parametrize("command", ["worker", "serve"])
def test_documents_of_this_host_with_a_queue_on_another_are_refused(run: Run, command: str) -> None:
    done = run(command, MEDIAFLOW_REDIS_URL="redis://192.0.2.1:6379/0")

    assert done.code == 1
    assert "MEDIAFLOW_DATABASE_URL" in done.err
    assert done.err.count("\n") == 1
