"""What the commands of plugins get to know: everything, as the operator of this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from mediaflow.plugin import MediaContext, ServiceContext
    from mediaflow.runtime import Runtime
    from mediaflow.services.ports import Database
    from mediaflow.settings import Settings

OPERATOR: Final = "operator"


def check_is_there(settings: Settings) -> None:
    """ConfigurationError where no service ever was: a new, empty library would tell of no assets, as if there were
    none.
    """
    from mediaflow.plugin import ConfigurationError
    from mediaflow.runtime import database_url

    if not settings.database_url and not Path(database_url(settings).removeprefix("sqlite:")).exists():
        raise ConfigurationError(
            f"there is no database in the data directory {settings.data_path}; set MEDIAFLOW_DATA_DIR to the"
            " directory that `mediaflow up --data-dir` was given, or start `mediaflow up` first"
        )


@contextmanager
def opened_runtime(data_dir: Path | None) -> Iterator[Runtime]:
    """The services over the documents and objects that the settings name, for as long as the block takes.

    Hints go nowhere: workers that run see within a second what there is to do.
    """
    from mediaflow import registry
    from mediaflow.embedded.local_access import with_data_dir
    from mediaflow.observability.logging import configure_logging
    from mediaflow.runtime import build_runtime, make_metrics
    from mediaflow.services.local_run import LocalWakeups

    settings, plugins = registry.load(with_data_dir(os.environ, data_dir))
    check_is_there(settings)
    configure_logging(settings, plugins.setting_specs)
    runtime = build_runtime(settings, plugins, metrics=make_metrics(plugins), wakeups=LocalWakeups())
    try:
        yield runtime
    finally:
        runtime.close()


def operator_context(settings: Settings) -> Callable[[MediaContext], ServiceContext]:
    """Makes a plugin's context; the database of the settings is opened when a command first asks for an asset."""
    from mediaflow.services.access.principals import Principal
    from mediaflow.services.assets.for_plugins import PluginContext

    @cache
    def database() -> Database:
        from mediaflow.persistence import open_database
        from mediaflow.runtime import database_url

        check_is_there(settings)
        opened = open_database(database_url(settings))
        click.get_current_context().call_on_close(opened.close)
        return opened

    return lambda context: PluginContext(context, database, lambda: Principal(OPERATOR, "admin"))
