"""What must never reach a log: tokens, keys, passwords. The last processor of every line takes them out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, Final

from mediaflow.plugin import SettingSpec
from mediaflow.settings import CORE, MASK, Settings, owned_specs

MIN_SECRET_CHARACTERS: Final = 6
"""Shorter values would mask ordinary words; no key or password of ours may be that short."""
_HEADERS: Final = r"(?:proxy[-_])?authorization|(?:set[-_])?cookie"
_SECRET_NAMES: Final = re.compile(
    rf"{_HEADERS}|password|secret|jwt|login_(?:url|code)|(?:\w+_)?token|(?:jwt|api|secret|access|private)_?key",
    re.IGNORECASE,
)
_PATTERNS: Final = (
    # the stream token is in the path: whoever reads it may watch
    (re.compile(r"(/stream/)[^/\s\"'?#]+"), rf"\1{MASK}"),
    # a header, to the end of its value
    (re.compile(rf"\b({_HEADERS})(['\"]?\s*[:=]\s*['\"]?)[^'\"\n}}]+", re.IGNORECASE), rf"\1\2{MASK}"),
    (re.compile(r"\b(bearer)\s+[\w.~+/=-]{8,}", re.IGNORECASE), rf"\1 {MASK}"),
    # an API key; its id stays, to tell which one
    (re.compile(r"(mfk_[0-9a-f]{32}_)[A-Za-z0-9]+"), rf"\1{MASK}"),
    # a JSON Web Token anywhere else: two base64url objects and a signature. It is looked for once in a run of its
    # characters, and not at each `eyJ` of it: a line of 8,000 characters took 80 ms
    (re.compile(r"(?<![\w-])((?:(?!eyJ)[\w-])*+)eyJ[\w-]++\.eyJ[\w-]++\.[\w-]*+"), rf"\1{MASK}"),
    # the password of a URL
    (re.compile(r"(://[^/:@\s]*:)[^/@\s]+@"), rf"\1{MASK}@"),
    # members of a query that are credentials, those of presigned URLs among them
    (
        re.compile(r"([?&](?:\w*token|code|(?:x-amz-)?(?:signature|credential))=)[^&\s\"'#]+", re.IGNORECASE),
        rf"\1{MASK}",
    ),
)


class Scrubber:
    """A structlog processor. `secrets` are values that are masked wherever they appear."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        usable = sorted({s for s in secrets if len(s) >= MIN_SECRET_CHARACTERS}, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, usable))) if usable else None

    def __call__(self, logger: object, method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG002
        return {name: self._value(name, value) for name, value in event.items()}

    def text(self, text: str) -> str:
        """The text with every secret in it masked."""
        if self._secrets is not None:
            text = self._secrets.sub(MASK, text)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text

    def _value(self, name: str, value: Any) -> Any:
        if value is not None and _SECRET_NAMES.fullmatch(name):
            return MASK
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self._value(str(key), member) for key, member in value.items()}
        if isinstance(value, list | tuple):
            return [self._value("", member) for member in value]
        if value is None or isinstance(value, bool | int | float):
            return value
        return self.text(str(value))


def secret_values(settings: Settings, plugin_specs: Iterable[tuple[str, SettingSpec]] = ()) -> list[str]:
    """The effective values of all secret settings."""
    secrets = [(owner, spec.name) for owner, spec in owned_specs(plugin_specs) if spec.secret]
    values = [getattr(settings, name) if owner == CORE else settings.plugins.get(name, "") for owner, name in secrets]
    return [str(value) for value in values if value]
