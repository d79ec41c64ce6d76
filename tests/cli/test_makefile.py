"""`make` lists its targets and hands a video's name over as it is."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import LONGEST_FIRST, ONE_SERVICE

ROOT = Path(__file__).parents[2]


def make(*arguments: str, directory: Path = ROOT) -> str:
    """What a `make` says that does not know of the one that runs these tests."""
    environ = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    command = ["make", *arguments]
    return subprocess.run(command, cwd=directory, env=environ, capture_output=True, text=True, check=True).stdout


def test_make_alone_lists_every_target_with_a_line() -> None:
    listed = re.findall(r"^  make ([a-z-]+) +\S", make(), re.MULTILINE)
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert phony is not None
    assert listed == phony[1].split()


@pytest.mark.parametrize(
    "name", ["clip.mp4", "my clip.mp4", "a'b\"c.mp4", "$HOME $(x) `y`.mp4", "#1;&|é.mp4", "-x.mp4", ""]
)
def test_a_videos_name_arrives_as_it_was_given(tmp_path: Path, name: str) -> None:
    # given a makefile that ends with a target that shows what `run` would see
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text() + '\nshow:\n\t@printf "%s" "$$VIDEO_FILE"\n')

    assert make("show", f"VIDEO={name}", directory=tmp_path) == name


def test_the_files_that_begin_are_there() -> None:
    assert [name for name in LONGEST_FIRST + ONE_SERVICE if not (ROOT / name).exists()] == []


def test_what_is_compiled_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text() + "\nshow:\n\t@env\n")

    assert "PYTHONDONTWRITEBYTECODE" not in make("show", directory=tmp_path)


def test_continuous_integration_runs_make_test_and_nothing_else() -> None:
    lines = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if not line.startswith("#")]

    assert lines[-1] == "exec make test"


def test_what_is_missing_is_said_in_one_sentence(tmp_path: Path) -> None:
    # given a machine with a shell, Python and nothing else, and a user who is not root
    for name in ("sh", "id"):
        (tmp_path / name).symlink_to(Path("/usr/bin") / name)
    (tmp_path / "id").unlink()
    (tmp_path / "id").write_text("#!/bin/sh\necho 1000\n")
    (tmp_path / "id").chmod(0o755)
    (tmp_path / "python3").write_text("#!/bin/sh\nexit 0\n")
    (tmp_path / "python3").chmod(0o755)

    done = subprocess.run(
        ["/bin/sh", ROOT / ".ci" / "setup-system"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "missing on this machine: ffmpeg bubblewrap nodejs npm;" in done.stderr
