"""`mediaflow doctor`: the effective settings, and whether this machine has what they need."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mediaflow.client.output import complain, console, json_option, print_json, table
from mediaflow.embedded.local_access import with_data_dir

if TYPE_CHECKING:
    from mediaflow.embedded.checks import Check
    from mediaflow.settings import SettingInfo


@click.command()
@click.option("--data-dir", type=click.Path(path_type=Path), help="Data directory to look at.")
@json_option
def doctor(data_dir: Path | None, as_json: bool) -> int:
    """Show every setting (secrets masked) and check ffmpeg, sandbox, backends and disk; exit code 1 when one failed."""
    from mediaflow import registry
    from mediaflow.cli.main import EXIT_DONE, EXIT_FAILED
    from mediaflow.embedded.checks import run_checks
    from mediaflow.settings import describe

    settings, plugins = registry.load(with_data_dir(os.environ, data_dir))
    described = describe(settings, plugins.setting_specs)
    checks = run_checks(settings, plugins)
    failed = [check for check in checks if check.state == "failed"]
    if as_json:
        document = {"settings": [asdict(info) for info in described], "checks": [asdict(check) for check in checks]}
        print_json({**document, "ok": not failed})
    else:
        _show(described, checks)
    if failed:
        complain(f"{len(failed)} of {len(checks)} checks failed: {', '.join(check.name for check in failed)}")
    return EXIT_FAILED if failed else EXIT_DONE


def _show(described: list[SettingInfo], checks: list[Check]) -> None:
    out = console()
    settings = table("Setting", "Value", "From", "Meaning")
    for info in described:
        settings.add_row(info.variable, info.value, info.source, info.help)
    out.print(settings)
    out.print()
    marks = {"passed": "[green]ok[/]", "warning": "[yellow]warning[/]", "failed": "[red]failed[/]"}
    rows = table("Check", "", "")
    for check in checks:
        rows.add_row(check.name, marks[check.state], check.detail)
    out.print(rows)
