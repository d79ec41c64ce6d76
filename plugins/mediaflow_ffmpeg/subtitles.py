"""`subtitles.text`: the text subtitles of a file, as captions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mediaflow.plugin import (
    Artifact,
    Completed,
    Limits,
    MediaInfo,
    PlannedTask,
    Profile,
    StepSpec,
    StepTask,
    Workspace,
    from_json,
    origin_seconds,
    to_json,
)
from mediaflow_ffmpeg.asstext import LAST_CENTISECONDS, TooMuchText, events_of, webvtt
from mediaflow_ffmpeg.commands import HERE
from mediaflow_ffmpeg.params import problems
from mediaflow_ffmpeg.subtitlechoice import Chosen, Subtitles, chosen_subtitles
from mediaflow_ffmpeg.subtitlecommands import subtitles_command, titles_command

LARGEST_BYTES: Final = 512 * 1024
"""What captions may have."""
READ_BYTES: Final = 8 * 1024 * 1024
"""Of a stream, with all its styling: what is set by typesetters takes ten times the room of its text."""
ALL_READ_BYTES: Final = 16 * 1024 * 1024
"""Of all streams together, which share it: a megabyte takes a second, and may be packed into some kilobytes."""
_BYTES_PER_SECOND: Final = 10_000_000
"""The slowest disk that a source is expected to be read from."""
_COST: Final = 3e-10
"""Core seconds for a byte of the source, which is read to its end (measured: 0.14 for 446 MB of Matroska)."""
_LONGEST_TITLE: Final = 100


class TextSubtitles:
    """Captions of what text subtitles the file has, one in each language: SubRip, ASS, WebVTT, those of MP4.

    Optional, and each stream by itself: what is broken or too much is left out, and the owner is told so. Subtitles
    that are pictures are left out.
    """

    name = "subtitles.text"

    def check(self, params: Mapping[str, Any]) -> Iterable[str]:
        return problems(params, ())

    def plan(self, media: MediaInfo, spec: StepSpec, profile: Profile) -> Sequence[PlannedTask]:  # noqa: ARG002
        subtitles = chosen_subtitles(media)
        if not subtitles.chosen and not subtitles.left_out:
            return []
        weight = round(0.2 + (media.size_bytes * _COST if subtitles.chosen else 0), 3)
        return [PlannedTask("subtitles", to_json(subtitles), weight=weight, optional=True)]

    def run(self, task: StepTask, workspace: Workspace) -> Sequence[Artifact]:
        subtitles = from_json(Subtitles, task.params)
        for sentence in subtitles.left_out:
            workspace.warn(sentence)
        if not subtitles.chosen:
            return []
        look = _Look(task.media, workspace, min(READ_BYTES, ALL_READ_BYTES // len(subtitles.chosen)))
        titles = look.titles()
        look.read(subtitles.chosen)
        workspace.progress(0.9)
        made = [look.made(each, titles.get(each.index)) for each in subtitles.chosen]
        return [artifact for artifact in made if artifact is not None]


@dataclass(frozen=True, slots=True)
class _Look:
    """One source, of which whatever a stream holds harms no other. Of each so many bytes are read."""

    media: MediaInfo
    workspace: Workspace
    most_bytes: int

    def titles(self) -> dict[int, str]:
        """What the streams are called. They are of any length and text of strangers: none is missed."""
        done = self._run(titles_command(self.media, self.workspace.source), writes=False)
        try:
            streams: list[dict[str, Any]] = json.loads(done.stdout).get("streams", [])
        except ValueError:
            return {}
        return {stream["index"]: _clean(stream.get("tags", {}).get("title")) for stream in streams}

    def read(self, chosen: Sequence[Chosen]) -> None:
        """Each stream into a file of its own, by one look at the source; where that fails, each by itself."""
        done = self._run(self._command(chosen))
        if done.returncode != 0 and len(chosen) > 1:
            for each in chosen:
                self._run(self._command([each]))

    def _command(self, chosen: Sequence[Chosen]) -> list[str]:
        files = {each.index: HERE / _raw(each) for each in chosen}
        return subtitles_command(self.media, self.workspace.source, files, origin_seconds(self.media), self.most_bytes)

    def _run(self, argv: Sequence[str], *, writes: bool = True) -> Completed:
        limits = Limits(wall_seconds=60 + self.media.size_bytes / _BYTES_PER_SECOND, file_bytes=4 * READ_BYTES)
        source, directory = self.workspace.source, self.workspace.directory
        return self.workspace.processes.run(argv, reads=[source], writes=directory if writes else None, limits=limits)

    def made(self, each: Chosen, title: str | None) -> Artifact | None:
        """The captions of a stream; None, and a word to the owner, where there are none to be had."""
        raw = self.workspace.directory / _raw(each)
        data = raw.read_bytes() if raw.is_file() else b""
        end = round(100 * (self.media.duration_seconds - origin_seconds(self.media)))
        try:
            events = events_of(_whole(data, self.most_bytes), end)
            text = _short(webvtt(events).encode())
        except TooMuchText:
            self._left_out(each, f"their text has more than {LARGEST_BYTES // 1024} KiB")
            return None
        if not events:
            self._left_out(each, "no text was found in them")
            return None
        if end > LAST_CENTISECONDS:
            self.workspace.warn(f"The subtitles {each.said} end after ten hours: what comes later is left out.")
        path = f"subtitles-{each.index}.vtt"
        (self.workspace.directory / path).write_bytes(text)
        language = each.language or "und"
        return Artifact(
            path, "captions", "text/vtt", len(text), title=title or None, language=language, default=each.default
        )

    def _left_out(self, each: Chosen, why: str) -> None:
        self.workspace.warn(f"The subtitles {each.said} are left out: {why}.")


def _raw(each: Chosen) -> Path:
    return Path(f"{each.index}.ass")


def _short(text: bytes) -> bytes:
    if len(text) > LARGEST_BYTES:
        raise TooMuchText
    return text


def _whole(data: bytes, most_bytes: int) -> str:
    """UTF-8, as it should be; else what most files are that are not. TooMuchText where the reading ended early."""
    if len(data) >= most_bytes:
        raise TooMuchText
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _clean(title: object) -> str:
    """A title of printable characters, as menus have room for; empty for none."""
    text = "".join(c if c.isprintable() else " " for c in str(title or "")[: 4 * _LONGEST_TITLE])
    return " ".join(text.split())[:_LONGEST_TITLE].strip()
