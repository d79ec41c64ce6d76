"""The command itself: help, exit codes, sentences."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mediaflow.cli.main import COMMANDS
from tests.api.server import clean_environ
from tests.cli.conftest import Run
from tests.outsiders import install


def test_help_lists_every_command(run: Run) -> None:
    done = run("--help")

    assert done.code == 0
    assert all(f"\n  {name} " in done.out for name in COMMANDS)


def test_help_imports_no_framework() -> None:
    code = (
        "import sys; from mediaflow.cli import main; main(['--help']);"
        "sys.exit(str(sorted({'flask', 'dramatiq', 'redis', 'requests', 'rich', 'gunicorn'} & set(sys.modules))))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_and_says_what_its_line_in_the_list_promises(run: Run, name: str) -> None:
    done = run(name, "--help")

    assert done.code == 0
    assert done.out.startswith(f"Usage: mediaflow {name}") or f" {name} " in done.out.splitlines()[0]


def test_the_version_is_the_distributions(run: Run) -> None:
    assert "0.1.0" in run("--version").out


@pytest.mark.parametrize("argv", [("nothing",), ("token",), ("up", "--port", "http"), ("upload",)])
def test_wrong_usage_is_exit_code_2(run: Run, argv: tuple[str, ...]) -> None:
    done = run(*argv)

    assert done.code == 2
    assert "Usage: " in done.err


def test_a_wrong_setting_is_one_sentence_and_exit_code_1(run: Run) -> None:
    done = run("profiles", MEDIAFLOW_PROT="8080")

    assert done.code == 1
    assert done.out == ""
    assert done.err.startswith("mediaflow: MEDIAFLOW_PROT is set, but there is no such setting")
    assert done.err.count("\n") == 1


def test_output_that_nobody_reads_to_its_end_is_no_stack_trace() -> None:
    command = f"{sys.executable} -m mediaflow profiles --json | true"

    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)

    assert "Traceback" not in done.stderr


HARMFUL = """
import click, sys
from mediaflow.plugin import hookimpl
@hookimpl
def mediaflow_register_commands(cli):
    END
    @cli.command("harm")
    def harm():
        raise RuntimeError("no\\nluck " + "x" * 10_000)
"""


@pytest.mark.parametrize(
    ("end", "argv", "sentence"),
    [
        ("", "harm", "failed in its command 'harm': RuntimeError: no luck xxx"),
        ("sys.exit(0)", "--help", "failed in mediaflow_register_commands: WouldEndProcess: SystemExit(0)"),
    ],
)
def test_a_plugins_command_that_fails_is_one_sentence_with_its_name(
    tmp_path: Path, end: str, argv: str, sentence: str
) -> None:
    modules = install(tmp_path / "modules", "harm", HARMFUL.replace("END", end))
    environ = {**clean_environ(), "PYTHONPATH": str(modules)}
    command = [sys.executable, "-m", "mediaflow", argv]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"mediaflow: the plugin 'harm' of dist-harm 1.0 {sentence}")
    assert len(done.stderr.splitlines()) == 1
    assert len(done.stderr) < 600
