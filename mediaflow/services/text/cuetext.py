"""The text of a caption, from whatever a file says to WebVTT cue text that holds nothing but what we know.

Pure. Everything is escaped anew; of the tags only those of WebVTT (W3C, section 3.4) that a viewer sees are kept.
"""

from __future__ import annotations

import html
import re
import unicodedata
from typing import Final

WEBVTT_TAGS: Final = frozenset(("b", "i", "u", "c", "v", "lang", "ruby", "rt"))
SUBRIP_TAGS: Final = frozenset(("b", "i", "u"))
_DEEPEST: Final = 8
"""More tags within each other are nobody's wish, and a browser lays them out recursively."""
_TAG: Final = re.compile(
    r"<(?P<end>/?)(?P<name>[A-Za-z][A-Za-z0-9]*)(?P<classes>(?:\.[^\s<>.]*)*)(?:\s(?P<annotation>[^<>]*))?>"
    r"|<[0-9:.]+>"  # a moment within a cue (karaoke)
)
_CLASS: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}")
_OVERRIDE: Final = re.compile(r"\{\\[^{}]*\}")
"""`{\\an8}` and the like: commands of another format that SubRip files carry along."""
_LONGEST_VOICE: Final = 200
_NO_CHARACTER: Final = re.compile(r"&#[0-9]{20,};?")
"""A reference to a number beyond all characters; Python refuses to read one of more than 4,300 digits."""


def webvtt_text(payload: str) -> str:
    """Cue text of a WebVTT file, rewritten; empty when nothing can be seen of it."""
    return _Writer(WEBVTT_TAGS, references=True).written(payload)


def subrip_text(payload: str) -> str:
    """The text of a SubRip subtitle as WebVTT cue text; `&` and `<` that begin no tag mean themselves there."""
    return _Writer(SUBRIP_TAGS, references=False).written(_OVERRIDE.sub("", payload))


def escaped(text: str) -> str:
    """Text as it must be written, so that nothing in it is a tag, a reference or an arrow."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class _Writer:
    """Writes one cue. Tags come out balanced: what stays open is closed at the end, what was not open is dropped."""

    def __init__(self, tags: frozenset[str], *, references: bool) -> None:
        self._tags, self._references = tags, references
        self._parts: list[str] = []
        self._open: list[str] = []
        self._visible = False

    def written(self, payload: str) -> str:
        at = 0
        for match in _TAG.finditer(payload):
            self._text(payload[at : match.start()])
            at = match.end()
            name = (match["name"] or "").lower()
            if name in self._tags:
                self._end(name) if match["end"] else self._begin(name, match)
        self._text(payload[at:])
        self._close(0)
        # an empty line would end the cue
        lines = (line.strip() for line in "".join(self._parts).split("\n"))
        return "\n".join(line for line in lines if line) if self._visible else ""

    def _text(self, raw: str) -> None:
        text = _plain(_unescaped(raw) if self._references else raw)
        self._visible = self._visible or bool(text.strip())
        self._parts.append(escaped(text))

    def _begin(self, name: str, match: re.Match[str]) -> None:
        annotation = " ".join(_plain(_unescaped(match["annotation"] or "")).split())[:_LONGEST_VOICE]
        if len(self._open) >= _DEEPEST or not _makes_sense(name, annotation, self._open):
            return
        classes = "".join(f".{name}" for name in match["classes"].split(".") if _CLASS.fullmatch(name))
        said = f" {escaped(annotation)}" if name in ("v", "lang") else ""
        self._parts.append(f"<{name}{classes}{said}>")
        self._open.append(name)

    def _end(self, name: str) -> None:
        if name in self._open:
            self._close(len(self._open) - 1 - self._open[::-1].index(name))

    def _close(self, depth: int) -> None:
        while len(self._open) > depth:
            self._parts.append(f"</{self._open.pop()}>")


def _makes_sense(name: str, annotation: str, inside: list[str]) -> bool:
    if name == "v":
        return bool(annotation)
    if name == "lang":
        return _LANGUAGE.fullmatch(annotation) is not None
    return name != "rt" or inside[-1:] == ["ruby"]


def _unescaped(text: str) -> str:
    return html.unescape(_NO_CHARACTER.sub("\ufffd", text))


def _plain(text: str) -> str:
    """Without control characters and lone surrogates (a reference can make one); tabs become spaces."""
    text = text.replace("\t", " ")
    return "".join(c for c in text if c == "\n" or unicodedata.category(c) not in ("Cc", "Cs"))
