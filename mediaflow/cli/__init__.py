"""The `mediaflow` command: one file a command, each imported when it is used."""

from mediaflow.cli.main import main

__all__ = ["main"]
