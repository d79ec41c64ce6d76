"""What errors say, in a form that may be kept and told: plugins write codes and details, and mean no harm mostly."""

from __future__ import annotations

import os
import re
import unicodedata
from typing import Any, Final

from mediaflow.domain.errors import MediaflowError

LONGEST_DETAIL: Final = 1000
LONGEST_CODE: Final = 100
_CODE: Final = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)+")
_POINTER: Final = re.compile(r"(/([^/~]|~[01])*)*", re.DOTALL)


SAID: Final = "; it said last: "
LONGEST_WORDS: Final = 300
_DIRECTORIES: Final = re.compile(r"(?<![\w.])/(?:[^\s/\"'<>|]{1,255}/)+")


def last_said(stderr: str) -> str:
    """The end of what a program wrote to stderr, as the end of a sentence: one line, files without their directories.
    Empty when it wrote nothing.
    """
    words = sentence(_DIRECTORIES.sub("", stderr[-4 * LONGEST_WORDS :]))
    cut = words if len(words) <= LONGEST_WORDS else f"\u2026{words[1 - LONGEST_WORDS :]}"
    return f"{SAID}{cut!r}" if words else ""


def is_code(text: object) -> bool:
    """True for `area.what_is_wrong`."""
    return isinstance(text, str) and len(text) <= LONGEST_CODE and _CODE.fullmatch(text) is not None


def is_pointer(text: object) -> bool:
    """True for a JSON pointer (RFC 6901): empty, or `/name/0`."""
    return isinstance(text, str) and _POINTER.fullmatch(text) is not None


def shortened(text: str, longest: int = LONGEST_DETAIL) -> str:
    """The beginning of a text, with an ellipsis where it was longer."""
    return text if len(text) <= longest else f"{text[: longest - 1]}\u2026"


def sentence(text: object) -> str:
    """A text as one line of at most `LONGEST_DETAIL` characters, all of which can be encoded and shown."""
    # cut first: what follows costs as much as the text is long
    cut = shortened(str(text))
    return "".join(map(_shown, " ".join(cut.split())))


def cause(error: BaseException) -> str:
    """An exception as part of a sentence: its type and its first 300 characters on one line."""
    text = sentence(shortened(str(error), 300))
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def unusable(error: OSError) -> str:
    """What the operating system says of a file or directory that a user named, with the way out."""
    if error.filename is None:
        return cause(error)
    place = sentence(os.fsdecode(error.filename))
    return f"{place} can't be used ({error.strerror}); give this user access to it, or name another place"


def error_document(error: MediaflowError) -> dict[str, Any]:
    """An error as documents keep it. A code that is none (it ends up in labels and in addresses) gives way to the
    usual one of its kind.
    """
    return {"code": error.code if is_code(error.code) else error.default_code, "detail": sentence(error.detail)}


def _shown(character: str) -> str:
    """Half a surrogate pair is no character (UTF-8 has none); what controls a terminal is not for logs."""
    return "\ufffd" if unicodedata.category(character) in ("Cc", "Cs") else character
