"""Caption files: WebVTT (W3C) and SubRip in, our own WebVTT out. Pure.

No library: those at hand (webvtt-py, pysubs2) read what is broken as best they can and hand its text through. A file
that is broken is refused here with the line, and of one that is not nothing is kept but times, positions and text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mediaflow.domain.errors import InvalidInput, Problem
from mediaflow.services.text.cuetext import subrip_text, webvtt_text

LONGEST_SECONDS: Final = 24 * 3600
"""No video is longer."""
_MPEG_TICKS: Final = 90_000
_ARROW: Final = "-->"
_WEBVTT_TIMES: Final = re.compile(
    r"[ \t]*(?P<from>(?:[0-9]{2,3}:)?[0-9]{2}:[0-9]{2}\.[0-9]{3})[ \t]+-->"
    r"[ \t]+(?P<to>(?:[0-9]{2,3}:)?[0-9]{2}:[0-9]{2}\.[0-9]{3})(?P<settings>[ \t].*)?"
)
_SUBRIP_TIMES: Final = re.compile(
    # `.` for `,` is common; what follows are coordinates that no player heeds
    r"(?P<from>[0-9]{1,3}:[0-9]{2}:[0-9]{2}[,.][0-9]{3})[ \t]*-->"
    r"[ \t]*(?P<to>[0-9]{1,3}:[0-9]{2}:[0-9]{2}[,.][0-9]{3})(?P<settings>[ \t].*)?"
)
_LINE_ENDS: Final = re.compile(r"\r\n|\r|\n")
_PERCENT: Final = r"(?:100(?:\.0{1,6})?|[0-9]{1,2}(?:\.[0-9]{1,6})?)%"
_SETTINGS: Final = re.compile(
    rf"vertical:(?:rl|lr)|line:(?:-?[0-9]{{1,3}}|{_PERCENT})(?:,(?:start|center|end))?"
    rf"|position:{_PERCENT}(?:,(?:line-left|center|line-right))?|size:{_PERCENT}|align:(?:start|center|end|left|right)"
)


@dataclass(frozen=True, slots=True)
class Cue:
    """One caption. `text` is WebVTT cue text as `cuetext` writes it, `settings` where it stands (checked)."""

    start_milliseconds: int
    end_milliseconds: int
    text: str
    settings: str = ""


def parse_captions(data: bytes) -> tuple[Cue, ...]:
    """The cues of a WebVTT or SubRip file, in order of time. InvalidInput (`captions.invalid`) names the line."""
    lines = _LINE_ENDS.split(_decoded(data))
    if re.fullmatch(r"WEBVTT(?:[ \t].*)?", lines[0]):
        cues = list(_webvtt(lines))
    else:
        cues = list(_subrip([line.strip() for line in lines]))
    seen = [cue for cue in cues if cue.text]
    if not seen:
        raise _broken(None, "The file holds no captions.")
    return tuple(sorted(seen, key=lambda cue: (cue.start_milliseconds, cue.end_milliseconds)))


def write_webvtt(cues: Iterable[Cue]) -> str:
    """A whole WebVTT file."""
    blocks = ["WEBVTT\n"]
    for cue in cues:
        times = f"{_time(cue.start_milliseconds)} {_ARROW} {_time(cue.end_milliseconds)}"
        blocks.append(f"{times}{' ' if cue.settings else ''}{cue.settings}\n{cue.text}\n")
    return "\n".join(blocks)


def as_segment(webvtt: str, media_offset_seconds: int) -> str:
    """A file of ours as an HLS segment: its first moment is that of the media (RFC 8216, section 3.5)."""
    at = media_offset_seconds * _MPEG_TICKS
    return webvtt.replace("WEBVTT\n", f"WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:{at},LOCAL:00:00:00.000\n", 1)


# --- reading


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _broken(0, "this is UTF-16; save the file as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = len(_LINE_ENDS.split(data[: error.start].decode("utf-8-sig", "replace"))) - 1
        raise _broken(line, "this is not UTF-8; save the file as UTF-8") from error
    return text.replace("\0", "\ufffd")


def _webvtt(lines: Sequence[str]) -> Iterator[Cue]:
    for first, last in _blocks(lines, _after_header(lines)):
        if re.fullmatch(r"NOTE(?:[ \t].*)?|(?:STYLE|REGION)[ \t]*", lines[first]):
            continue
        at = first if _ARROW in lines[first] else first + 1  # an identifier may come before the times
        if at == last or _ARROW not in lines[at]:
            raise _broken(
                first, f"a cue needs its times, such as `00:01.000 --> 00:04.000`, not {_shown(lines[first])}"
            )
        yield _cue(lines, at, last, _WEBVTT_TIMES, "00:01.000 --> 00:04.000")


def _after_header(lines: Sequence[str]) -> int:
    for number, line in enumerate(lines[1:], 1):
        if not line or _ARROW in line:
            return number
    return len(lines)


def _subrip(lines: Sequence[str]) -> Iterator[Cue]:
    start = next((number for number, line in enumerate(lines) if line), 0)
    if not any(_SUBRIP_TIMES.fullmatch(line) for line in lines[start : start + 2]):
        expected = "a WebVTT file begins with `WEBVTT`, a SubRip file with `1` and a line of times"
        raise _broken(start, f"{expected}, not with {_shown(lines[start])}")
    for first, last in _blocks(lines, start):
        numbered = re.fullmatch("[0-9]{1,9}", lines[first]) is not None
        at = first + 1 if numbered and first + 1 < last else first
        yield _cue(lines, at, last, _SUBRIP_TIMES, "00:00:01,000 --> 00:00:04,000")


def _blocks(lines: Sequence[str], start: int) -> Iterator[tuple[int, int]]:
    """First line and end of each run of lines that are not empty."""
    first = None
    for number in range(start, len(lines) + 1):
        empty = number == len(lines) or not lines[number]
        if empty and first is not None:
            yield first, number
            first = None
        elif not empty and first is None:
            first = number


def _cue(lines: Sequence[str], at: int, end: int, times: re.Pattern[str], example: str) -> Cue:
    match = times.fullmatch(lines[at])
    if match is None:
        raise _broken(at, f"expected a cue's times, such as `{example}`, not {_shown(lines[at])}")
    crowded = next((number for number in range(at + 1, end) if _ARROW in lines[number]), None)
    if crowded is not None:
        raise _broken(crowded, f"an empty line must end the cue before {_shown(lines[crowded])}")
    start, stop = (_milliseconds(match[name], at) for name in ("from", "to"))
    if stop <= start:
        raise _broken(at, f"the cue ends at {match['to']}, which is not after its start at {match['from']}")
    payload = "\n".join(lines[at + 1 : end])
    if times is _SUBRIP_TIMES:
        return Cue(start, stop, subrip_text(payload))
    return Cue(start, stop, webvtt_text(payload), _settings(match["settings"] or ""))


def _milliseconds(text: str, line: int) -> int:
    *hours, minutes, rest = text.replace(",", ".").split(":")
    seconds, _, thousandths = rest.partition(".")
    if int(minutes) > 59 or int(seconds) > 59:
        raise _broken(line, f"{text} is no time: minutes and seconds go to 59")
    whole = int(hours[0] if hours else 0) * 3600 + int(minutes) * 60 + int(seconds)
    if whole >= LONGEST_SECONDS:
        raise _broken(line, f"{text} lies beyond the 24 hours that a video can last")
    return whole * 1000 + int(thousandths)


def _settings(text: str) -> str:
    """What of a cue's settings is known: positions and alignment, each once. Regions are styles, which are not kept."""
    found: dict[str, str] = {}
    for word in text.split():
        setting = "align:center" if word == "align:middle" else word  # its name in older drafts
        if _SETTINGS.fullmatch(setting):
            found.setdefault(setting.partition(":")[0], setting)
    return " ".join(found.values())


# --- writing


def _time(milliseconds: int) -> str:
    seconds, thousandths = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{thousandths:03d}"


def _shown(line: str) -> str:
    return repr(line if len(line) <= 60 else f"{line[:60]}...")


def _broken(line: int | None, detail: str) -> InvalidInput:
    """The error of a file; `line` counts from 0, people count from 1."""
    sentence = detail if line is None else f"Line {line + 1}: {detail}."
    return InvalidInput(sentence, code="captions.invalid", problems=(Problem("captions.invalid", sentence),))
