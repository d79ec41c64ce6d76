"""The command group: our commands by name, plugins' beside them, and the one place where errors become exit codes."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any, Final

import click

from mediaflow.client.output import complain, explained
from mediaflow.plugin.markers import ENTRY_POINT_GROUP

EXIT_DONE, EXIT_FAILED = 0, 1
EXIT_INTERRUPTED: Final = 130
"""128 + SIGINT, what a shell reports for a command that Ctrl-C ended."""

COMMANDS: Final = MappingProxyType(
    {
        "up": ("up:up", "Run everything on this machine: web, workers, queue, and sign-in link."),
        "serve": ("serve:serve", "Run the web server alone."),
        "worker": ("worker:worker", "Run workers alone."),
        "upload": ("upload:upload", "Send a file to a running mediaflow."),
        "import": ("imports:import_", "Take folders, prefixes of storages, and files at addresses."),
        "jobs": ("jobs:jobs", "Show and steer the work of a running mediaflow."),
        "transcode": ("transcode:transcode", "Turn a file into streams in a directory, without any server."),
        "token": ("token:token", "Make an API token."),
        "plugins": ("plugins:plugins", "List the plugins and what they add."),
        "profiles": ("profiles:profiles", "List the profiles."),
        "plan": ("plan:plan", "Show what a file would become."),
        "fsck": ("fsck:fsck", "Check that documents and objects fit together, and repair what does not."),
        "gc": ("gc:gc", "Remove what nothing names: lost attempts, abandoned uploads, what dead processes left."),
        "backup": ("backup:backup", "Copy all documents, and the list of their objects, while the service runs."),
        "restore": ("backup:restore", "Restore a backup into an empty data directory."),
        "migrate": ("migrate:migrate", "Bring the documents of older versions to the newest shape, after an upgrade."),
        "doctor": ("doctor:doctor", "Show the settings and check what mediaflow needs."),
    }
)
"""Name -> where the command is, and its line in the help: known without importing it, so that `--help` is quick."""


class CommandGroup(click.Group):
    """Imports a command when it is called for, and plugins only for a name that is not ours and to list theirs.

    `owners` are the plugins that commands are from, by the commands' names.
    """

    owners: Mapping[str, str] = MappingProxyType({})

    def list_commands(self, ctx: click.Context) -> list[str]:
        self._load_plugin_commands()
        return [*COMMANDS, *sorted(super().list_commands(ctx))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            module, name = COMMANDS[cmd_name][0].split(":")
            command: click.Command = getattr(importlib.import_module(f"mediaflow.cli.{module}"), name)
            return command
        self._load_plugin_commands()
        return super().get_command(ctx, cmd_name)

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        from mediaflow.plugin import ConfigurationError

        name = name or cmd.name or ""
        if name in COMMANDS or name in self.commands:
            raise ConfigurationError(
                f"a plugin adds the command {name!r}, which is there already; "
                "rename it, or switch the plugin off with MEDIAFLOW_PLUGINS_DISABLED"
            )
        super().add_command(cmd, name)

    def invoke(self, ctx: click.Context) -> Any:
        from mediaflow.domain.telling import cause
        from mediaflow.plugin import MediaflowError

        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.ClickException, click.Abort, MediaflowError, BrokenPipeError):
            raise
        except Exception as error:
            owner = self.owners.get(ctx.invoked_subcommand or "")
            if owner is None:
                raise
            if os.environ.get("MEDIAFLOW_LOG_LEVEL") == "debug":  # for the plugin's author
                traceback.print_exception(error)
            raise MediaflowError(f"{owner} failed in its command {ctx.invoked_subcommand!r}: {cause(error)}") from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        self._load_plugin_commands()
        rows = [(name, line) for name, (_, line) in COMMANDS.items()]
        rows += [(name, self.commands[name].get_short_help_str()) for name in sorted(self.commands)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _load_plugin_commands(self) -> None:
        if self.commands or not _has_foreign_plugins():
            return
        from mediaflow import registry
        from mediaflow.cli.operator_context import operator_context

        settings, plugins = registry.load(os.environ)
        self.owners = plugins.register_commands(self, operator_context(settings))


def _has_foreign_plugins() -> bool:
    """Whether another distribution than ours has plugins: ours add no commands, and loading them takes time."""
    return any(point.dist is None or point.dist.name != "mediaflow" for point in entry_points(group=ENTRY_POINT_GROUP))


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mediaflow")
def cli() -> None:
    """Uploads in, streams that any player can play out.

    Settings are environment variables, MEDIAFLOW_*; `mediaflow doctor` shows them all.
    """


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 1 failed (one sentence on stderr), 2 wrong usage."""
    from mediaflow.domain.telling import unusable
    from mediaflow.plugin import MediaflowError

    try:
        result: Any = cli.main(args=list(argv) if argv is not None else None, standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except MediaflowError as error:
        complain(explained(error.detail, ((problem.pointer, problem.detail) for problem in error.problems)))
        return EXIT_FAILED
    except (click.Abort, KeyboardInterrupt):
        complain("stopped")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # the reader of our output (`| head`) has seen enough; without this, Python complains once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except OSError as error:
        if error.filename is None:
            raise
        complain(unusable(error))
        return EXIT_FAILED
    return result if isinstance(result, int) else EXIT_DONE
