"""Users of an outside issuer: who they are here, who of them is an admin, and who goes on under an older name.

Such a user's id is `~<issuer>~<subject>`: `~issuer.example.3f2a9c1b7d0e~ann`. The issuer is told by its host and the
beginning of a hash of the whole `iss`, the subject is written with `=XX` for bytes that a URL would escape, so that two
issuers, two subjects, and a local name never meet in one id.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Protocol
from urllib.parse import quote, urlsplit

from mediaflow.domain.errors import ConfigurationError
from mediaflow.services.access.jwks import checked_url
from mediaflow.services.access.names import MAX_USER_CHARACTERS, OUTSIDE_MARK
from mediaflow.services.access.usersfile import Known, older_names
from mediaflow.settings import Settings

LONGEST_HOST: Final = 60
HASH_CHARACTERS: Final = 12
_ID: Final = re.compile(r"~[a-z0-9.-]{1,80}~(?:(?:[A-Za-z0-9._@-]|=[0-9A-F]{2})+|=:[0-9a-f]{64})")


def outside_id(issuer: str, subject: str) -> str:
    """The user's id: at most 200 characters, all of them fit for a URL's path and query. A long subject is hashed."""
    prefix = _prefix(issuer)
    written = quote(subject, safe="@").replace("~", "%7E").replace("%", "=")
    if len(prefix) + len(written) > MAX_USER_CHARACTERS:
        written = f"=:{hashlib.sha256(subject.encode()).hexdigest()}"
    return prefix + written


def is_outside_id(text: str) -> bool:
    """True for what can be the id of a user of some outside issuer."""
    return len(text) <= MAX_USER_CHARACTERS and _ID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class OutsideUsers:
    """Users of the one outside issuer that is trusted. Nobody is an admin without a claim and values that say so.

    `names` are ids of users who go on as local users of older versions, by the operator's word.
    """

    issuer: str
    role_claim: str = ""
    admin_values: frozenset[str] = frozenset()
    names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def id_of(self, subject: str) -> str:
        """The id of the issuer's user with that `sub`."""
        return outside_id(self.issuer, subject)

    def user(self, person: str) -> str | None:
        """As whom a user of that id acts; None when the id is another issuer's."""
        return self.names.get(person, person) if person.startswith(_prefix(self.issuer)) else None

    def admin_by(self, claims: Mapping[str, Any]) -> tuple[str, ...]:
        """What of verified claims makes an admin, each as `claim=value`: a text, or some of a list of groups."""
        value = claims.get(self.role_claim) if self.role_claim else None
        values = value if isinstance(value, list) else [value]
        found = {each for each in values if isinstance(each, str) and each in self.admin_values}
        return tuple(f"{self.role_claim}={each}" for each in sorted(found))

    def makes_admin(self, admin_by: Iterable[str]) -> bool:
        """True when one of what made somebody an admin then (`claim=value`) does so by the settings of today."""
        today = {f"{self.role_claim}={value}" for value in self.admin_values}
        return not today.isdisjoint(admin_by)


class Given(Protocol):
    """A key or a session that was given to a `person` of an outside issuer (None: to one of ours)."""

    @property
    def person(self) -> str | None: ...
    @property
    def role(self) -> str: ...
    @property
    def admin_by(self) -> Sequence[str]: ...


def still_trusted(outside: OutsideUsers | None, given: Given, user: str) -> bool:
    """True when what was given holds by the settings of today: issuer, name, and the role with what it was for."""
    if given.person is None:
        return True
    if outside is None or outside.user(given.person) != user:
        return False
    return given.role != "admin" or outside.makes_admin(given.admin_by)


@dataclass(frozen=True, slots=True)
class OutsideIssuer:
    """The settings of an outside issuer, checked: where its keys are, its tokens' audience, its users."""

    url: str
    audience: str
    users: OutsideUsers


def outside_settings(settings: Settings, known: Known = lambda _name: False) -> OutsideIssuer | None:
    """The outside issuer of the settings; None when there is none. ConfigurationError when they make no sense.

    `known` is asked of names in MEDIAFLOW_JWKS_USERS_FILE that only older versions took.
    """
    url, issuer = settings.jwks_url, settings.jwks_issuer
    if not url:
        for name in ("jwks_issuer", "jwks_audience", "jwks_role_claim", "jwks_admin_values", "jwks_users_file"):
            if getattr(settings, name):
                raise ConfigurationError(
                    f"MEDIAFLOW_{name.upper()} is set, but MEDIAFLOW_JWKS_URL is not: "
                    "set the address of the outside issuer's keys, or neither"
                )
        return None
    if not issuer:
        raise ConfigurationError(
            "MEDIAFLOW_JWKS_URL is set, but MEDIAFLOW_JWKS_ISSUER is not: set the `iss` of that issuer's tokens"
        )
    if issuer == settings.jwt_issuer:
        raise ConfigurationError(
            f"MEDIAFLOW_JWKS_ISSUER and MEDIAFLOW_JWT_ISSUER are both {issuer!r}: "
            "they must differ, so that a token's issuer tells which keys verify it"
        )
    values = frozenset(value.strip() for value in settings.jwks_admin_values.split(",") if value.strip())
    if bool(values) != bool(settings.jwks_role_claim):
        raise ConfigurationError(
            "MEDIAFLOW_JWKS_ROLE_CLAIM and MEDIAFLOW_JWKS_ADMIN_VALUES go together: the claim that holds the role, and"
            " the values of it that make an admin (role and admin, say); without both, nobody of the outside issuer is"
        )
    file = settings.jwks_users_file
    older = older_names(file, issuer, known) if file else {}
    names = MappingProxyType({outside_id(issuer, subject): name for subject, name in older.items()})
    users = OutsideUsers(issuer, settings.jwks_role_claim, values, names)
    return OutsideIssuer(checked_url(url), settings.jwks_audience or settings.jwt_audience, users)


def _prefix(issuer: str) -> str:
    try:
        host = urlsplit(issuer).hostname or issuer
    except ValueError:  # brackets that hold no IPv6 address
        host = issuer
    label = re.sub("[^a-z0-9.-]+", "-", host.lower()).strip("-.")[:LONGEST_HOST] or "issuer"
    digest = hashlib.sha256(issuer.encode("utf-8", "surrogatepass")).hexdigest()[:HASH_CHARACTERS]
    return f"{OUTSIDE_MARK}{label}.{digest}{OUTSIDE_MARK}"
