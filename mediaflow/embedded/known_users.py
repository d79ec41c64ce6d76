"""What the commands of this machine know of users: what the documents tell, where there are any."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mediaflow import runtime
from mediaflow.persistence import open_database
from mediaflow.plugin import InvalidInput
from mediaflow.services.access.names import ascii_twin, local_name
from mediaflow.services.access.users import LocalUsers
from mediaflow.services.ports import Database
from mediaflow.settings import Settings


@contextmanager
def documents(settings: Settings) -> Iterator[Database | None]:
    """The database of the settings; None when it is a file of the data directory that is not there yet."""
    url = runtime.database_url(settings)
    if not settings.database_url and not (settings.data_path / "mediaflow.db").exists():
        yield None
        return
    database = open_database(url)
    try:
        yield database
    finally:
        database.close()


def is_known(settings: Settings, name: str) -> bool:
    """True when something is that user's. Unavailable when the database does not answer."""
    with documents(settings) as database:
        return database is not None and LocalUsers(database).is_known(name)


def name_for_token(settings: Settings, text: str, *, older: bool) -> str:
    """The name that a token for that user holds; InvalidInput with the reason when a service would refuse it.

    An `older` one is written as it is. The documents are asked only where they decide: Unavailable when they don't
    answer; where there are none, nobody can tell.
    """
    name = text if older else local_name(text)
    if not older and ascii_twin(name) is None:
        return name
    with documents(settings) as database:
        if database is not None and LocalUsers(database).checked(name) != name:
            raise InvalidInput(
                f"nothing here belongs to {name!r}, so it is no name of an older version; leave --older-name out",
                code="auth.bad_user",
            )
    return name
