"""The file of people of an outside issuer who go on under names of older versions, read and checked when we start.

`{"<issuer>": {"<subject>": "<name>"}}`. What is wrong is told with the line, the value and the way out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from mediaflow.domain.errors import ConfigurationError, InvalidInput
from mediaflow.services.access.names import ADMIN, OUTSIDE_MARK, local_name

Known = Callable[[str], bool]
"""Whether a name has something in the documents: then it may be one that only older versions took."""
_TEXT: Final = re.compile(r'("(?:[^"\\]|\\.)*+")(\s*+:)?')
"""A text in what is JSON, and whether it names a member."""


def older_names(file: str, issuer: str, known: Known) -> dict[str, str]:
    """Names by subjects of that issuer; other issuers in the file are left alone. ConfigurationError otherwise.

    A name is written in the one way (`names.py`), or is one of an older version that is `known`.
    """
    try:
        text = Path(file).read_bytes().decode()
    except OSError as error:
        raise ConfigurationError(f"MEDIAFLOW_JWKS_USERS_FILE: {file} can't be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        wrong = f"{error.object[error.start]:#04x} is no UTF-8"
        raise _refused(file, line, f"the byte {wrong}; save the file in that encoding") from error
    subjects = _subjects(file, text, issuer)
    lines = _lines(text, issuer)
    owners = dict[str, str]()
    for subject, name in subjects.items():
        line = lines.get((subject, name), 1)
        if name in owners:
            first = lines.get((owners[name], name), 1)
            raise _refused(file, line, f"{name!r} is {owners[name]!r} already (line {first}); one of the two must go")
        owners[name] = subject
        _check(file, line, name, known)
    return subjects


def _subjects(file: str, text: str, issuer: str) -> dict[str, str]:
    """The issuer's part of the file, of which nothing is known but its shape."""

    def without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict[str, Any]()
        for key, value in pairs:
            if key in members:
                second = [each.start() for each in _TEXT.finditer(text) if each[2] and json.loads(each[1]) == key][1]
                line = text.count("\n", 0, second) + 1
                raise _refused(file, line, f"{key!r} stands there twice; leave one of the two out")
            members[key] = value
        return members

    try:
        document = json.loads(text, object_pairs_hook=without_repeats)
    except json.JSONDecodeError as error:
        said = f"{error.msg}; the file must be a JSON object such as {_example(issuer)}"
        raise _refused(file, error.lineno, said) from error
    except (ValueError, RecursionError) as error:
        raise _misshapen(file, issuer) from error
    subjects = document.get(issuer) if isinstance(document, dict) else None
    if not isinstance(subjects, dict):
        raise _misshapen(file, issuer)
    for subject, name in subjects.items():
        if not isinstance(name, str):
            line = next(number for (key, _), number in _lines(text, issuer).items() if key == subject)
            raise _refused(file, line, f"the name of {subject!r} is {json.dumps(name)[:50]}; write it in quotes")
        if not subject.isprintable() or not subject:
            line = _lines(text, issuer).get((subject, name), 1)
            raise _refused(file, line, f"{subject!r} can be no `sub` of a token; leave the line out")
    return subjects


def _check(file: str, line: int, name: str, known: Known) -> None:
    try:
        written = local_name(name)
    except InvalidInput as error:
        if name.startswith(OUTSIDE_MARK):
            raise _refused(file, line, f"{name!r} is a name whom nobody from outside can be; leave it out") from error
        if name.isprintable() and known(name):
            return
        raise _refused(file, line, f"{error.detail}; correct it, or leave it out") from error
    if written == ADMIN:
        raise _refused(file, line, f"{name!r} is a name whom nobody from outside can be; leave it out")
    if written != name and not known(name):
        raise _refused(
            file, line, f"nothing here belongs to {name!r}, and the name is written {written!r}; write it so"
        )


def _lines(text: str, issuer: str) -> dict[tuple[str, str], int]:
    """The lines of the issuer's members, by their names and values (or whatever text follows)."""
    lines, before, begun = dict[tuple[str, str], int](), "", False
    line, end = 1, 0
    for match in _TEXT.finditer(text):
        here = json.loads(match[1])
        if begun:
            lines.setdefault((before, here), line)
        line += text.count("\n", end, match.start())
        before, begun, end = here, begun or (here == issuer and bool(match[2])), match.start()
    return lines | {(before, ""): line}


def _refused(file: str, line: int, reason: str) -> ConfigurationError:
    return ConfigurationError(f"MEDIAFLOW_JWKS_USERS_FILE: {file}, line {line}: {reason}")


def _misshapen(file: str, issuer: str) -> ConfigurationError:
    return ConfigurationError(f"MEDIAFLOW_JWKS_USERS_FILE: {file} must be a JSON object such as {_example(issuer)}")


def _example(issuer: str) -> str:
    return json.dumps({issuer: {"subject of a token": "name"}})
