"""What the commands of plugins get to know: everything, as the operator of this machine."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from mediaflow.plugin import MediaContext, ServiceContext
    from mediaflow.services.ports import Database
    from mediaflow.settings import Settings

OPERATOR: Final = "operator"


def operator_context(settings: Settings) -> Callable[[MediaContext], ServiceContext]:
    """Makes a plugin's context; the database of the settings is opened when a command first asks for an asset."""
    from mediaflow.services.access.principals import Principal
    from mediaflow.services.assets.for_plugins import PluginContext

    @cache
    def database() -> Database:
        from mediaflow.persistence import open_database
        from mediaflow.plugin import ConfigurationError
        from mediaflow.runtime import database_url

        url = database_url(settings)
        if not settings.database_url and not Path(url.removeprefix("sqlite:")).exists():
            # a new, empty library would tell of no assets, as if there were none
            raise ConfigurationError(
                f"there is no database in the data directory {settings.data_path}; set MEDIAFLOW_DATA_DIR to the"
                " directory that `mediaflow up --data-dir` was given, or start `mediaflow up` first"
            )
        opened = open_database(url)
        click.get_current_context().call_on_close(opened.close)
        return opened

    return lambda context: PluginContext(context, database, lambda: Principal(OPERATOR, "admin"))
