"""Events of an ASS file as ffmpeg writes one -> WebVTT. Pure: hostile text in, text that holds nothing but text out.

ASS, since it has each event on a line of its own, whatever stands in its text, and says what is a drawing. Its times
count hundredths of a second, up to ten hours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

LAST_CENTISECONDS: Final = 3_599_999
"""What comes later, and what never ends, is said to be at this time."""
UNENDING_CENTISECONDS: Final = 1000
"""So long is shown what has no end, if nothing follows it."""
_SEAM_CENTISECONDS: Final = 5
"""The same text again so soon after is the same cue: typesetters write one for each frame."""
_MOST_CHARACTERS: Final = 4 * 1024 * 1024
"""Of all events: typesetters repeat a text for each frame, and captions have an eighth of it at most."""
_LONGEST_EVENT: Final = 20_000
"""Characters: nobody reads more at once."""
_NUMBER: Final = r"(-?[0-9]{1,6})"
_TIME: Final = rf"{_NUMBER}:{_NUMBER}:{_NUMBER}\.{_NUMBER}"
_EVENT: Final = re.compile(rf"Dialogue: *[^,]*,{_TIME},{_TIME},(?:[^,]*,){{6}}(.*)")
"""Layer, begin and end; style, name, three margins and effect are not used; the rest is text, commas too."""
_TOKEN: Final = re.compile(r"\{([^{}]*)\}|\\([Nnh{}\\])")
_TAGS: Final = ("b", "i", "u")
_ESCAPED: Final = {"N": "\n", "n": "\n", "h": "\u00a0"}


class TooMuchText(ValueError):
    """There is more than anybody reads."""


@dataclass(frozen=True, slots=True)
class Event:
    """A cue from `begin` to `end` in hundredths of a second; `text` is WebVTT cue text."""

    begin: int
    end: int
    text: str
    at_top: bool = False


def webvtt(events: Iterable[Event]) -> str:
    """A whole WebVTT file."""
    blocks = ["WEBVTT\n"]
    for event in events:
        place = " line:0" if event.at_top else ""
        blocks.append(f"{_clock(event.begin)} --> {_clock(event.end)}{place}\n{event.text}\n")
    return "\n".join(blocks)


def events_of(ass: str, end_centiseconds: int) -> list[Event]:
    """The events of an ASS file that are shown before that time, in order, each ended by then. What is cut off, empty,
    a drawing or a repetition is left out. TooMuchText when there is far more than captions may have: not all of it is
    looked at then.
    """
    found, length = list[Event](), 0
    for event in _parsed(ass):
        found.append(event)
        length += len(event.text)
        if length > _MOST_CHARACTERS:
            raise TooMuchText
    found.sort(key=lambda event: (event.begin, event.end))
    shown = [event for event in _ended(found) if event.end > 0 and event.begin < end_centiseconds]
    cut = (replace(each, begin=max(0, each.begin), end=min(each.end, end_centiseconds)) for each in shown)
    return _joined(event for event in cut if event.begin < event.end)


def _parsed(ass: str) -> Iterator[Event]:
    for line in ass.split("\n"):
        # a line of WebVTT ends there, and an event does not
        match = _EVENT.fullmatch(line.rstrip("\r").replace("\r", " ")) if len(line) <= _LONGEST_EVENT else None
        if match is None:
            continue
        begin, end = _centiseconds(match.groups()[:4]), _centiseconds(match.groups()[4:8])
        text, at_top = _text(match[9])
        if text and begin < LAST_CENTISECONDS:
            yield Event(begin, end, text, at_top)


def _centiseconds(fields: Iterable[str | None]) -> int:
    hours, minutes, seconds, hundredths = (int(each or 0) for each in fields)
    return ((hours * 60 + minutes) * 60 + seconds) * 100 + hundredths


def _ended(events: list[Event]) -> Iterator[Event]:
    """With an end for those that have none: where the next one begins."""
    for number, event in enumerate(events):
        if event.begin < event.end < LAST_CENTISECONDS:
            yield event
            continue
        following = next((later.begin for later in events[number + 1 : number + 20] if later.begin > event.begin), None)
        end = event.begin + UNENDING_CENTISECONDS
        yield replace(event, end=end if following is None else min(end, following))


def _joined(events: Iterable[Event]) -> list[Event]:
    joined: list[Event] = []
    for event in events:
        last = joined[-1] if joined else None
        if last is not None and last.text == event.text and event.begin <= last.end + _SEAM_CENTISECONDS:
            joined[-1] = replace(last, end=max(last.end, event.end))
        else:
            joined.append(event)
    return joined


def _text(raw: str) -> tuple[str, bool]:
    """The cue text of an event, with its emphasis, and whether it is at the top of the picture."""
    parts: list[str] = []
    style: set[str] = set()
    drawing, at_top, at = False, False, 0
    for match in _TOKEN.finditer(raw):
        _write(parts, "" if drawing else raw[at : match.start()], style)
        at = match.end()
        if match[2] is not None:
            _write(parts, "" if drawing else _ESCAPED.get(match[2], match[2]), style)
            continue
        for code in match[1].split("\\")[1:]:
            drawing = _after(code, style, drawing=drawing)
            at_top = at_top or re.fullmatch(r"an[789] *", code) is not None
    _write(parts, "" if drawing else raw[at:], style)
    lines = (line.strip() for line in "".join(parts).split("\n"))
    visible = re.sub(r"<[^<>]*>|&nbsp;|\s", "", "".join(parts))
    return ("\n".join(line for line in lines if re.sub(r"<[^<>]*>", "", line).strip()) if visible else ""), at_top


def _write(parts: list[str], text: str, style: set[str]) -> None:
    """Each run of text in its own tags, line by line: whatever order they were in, they come out nested."""
    tags = [tag for tag in _TAGS if tag in style]
    begin, end = "".join(f"<{tag}>" for tag in tags), "".join(f"</{tag}>" for tag in reversed(tags))
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    parts.append("\n".join(f"{begin}{line}{end}" if line.strip() else line for line in escaped.split("\n")))


def _after(code: str, style: set[str], *, drawing: bool) -> bool:
    """Whether what follows an override is a drawing; `style` is changed as it says."""
    code = code.strip()
    if match := re.fullmatch(r"([biu])([0-9]{0,3})", code):
        style.discard(match[1]) if match[2] in ("", "0") else style.add(match[1])
    elif code.startswith("r"):
        style.clear()
    elif match := re.fullmatch(r"p([0-9]{1,2})", code):
        return int(match[1]) > 0
    return drawing


def _clock(centiseconds: int) -> str:
    seconds, hundredths = divmod(centiseconds, 100)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{hundredths:02d}0"
