"""Local users: there is no list of them, somebody is who owns something. So that nobody becomes somebody else."""

from __future__ import annotations

from dataclasses import dataclass

from mediaflow.domain.errors import InvalidInput
from mediaflow.services.access.names import MAX_USER_CHARACTERS, ascii_twin, bad_name, is_local_name, local_name
from mediaflow.services.access.outside import is_outside_id
from mediaflow.services.access.principals import bad_token
from mediaflow.services.ports import Contains, Database


@dataclass(frozen=True, slots=True)
class LocalUsers:
    """Names as they are found in the documents.

    Versions before schema 3 took any printable name; whoever has something under one that is none today goes on.
    """

    database: Database

    def resolve(self, subject: str) -> str:
        """Whom a token of ours means; Unauthenticated, with the reason, when that can be nobody."""
        try:
            return self.checked(subject)
        except InvalidInput as error:
            # a good name is refused for one that is there, and whose that is says who made the token, not the service
            alike = f"{subject[:50]!r} can be read as another name, in other letters"
            raise bad_token(alike if is_local_name(subject) else error.detail) from error

    def checked(self, text: str) -> str:
        """The user of that name, as it is kept; InvalidInput with the reason when there can be none."""
        if is_local_name(text):
            self._check_twin(text)
            return text
        older = 0 < len(text) <= MAX_USER_CHARACTERS and text.isprintable() and not is_outside_id(text)
        if older and self.is_known(text):
            return text
        name = local_name(text)
        self._check_twin(name)
        return name

    def is_known(self, name: str) -> bool:
        """True when something is that user's, or shared with them."""
        mine, shared = {"owner": name}, {"shared_with": Contains(name)}
        assets, keys = self.database.assets, self.database.api_keys
        return bool(assets.count(mine) or keys.count(mine) or assets.count(shared))

    def odd_names(self) -> list[str]:
        """Names that own something and that nobody could get today, in order."""
        owners = {*self.database.assets.distinct("owner", {}), *self.database.api_keys.distinct("owner", {})}
        return sorted(name for name in owners if not is_local_name(name) and not is_outside_id(name))

    def _check_twin(self, name: str) -> None:
        """A name that people would read as another's is refused, unless it was there first."""
        twin = ascii_twin(name)
        if twin is not None and self.is_known(twin) and not self.is_known(name):
            raise bad_name(name, f"it looks like {twin!r}, who is somebody else")
