"""Text subtitles of a file as captions: which streams, at which times, and nothing of them but their text."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mediaflow.plugin import Artifact, SubtitleStream, Workspace
from mediaflow.plugin.interfaces import StepTask
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow.testing.clips import flash_and_beep, run_ffmpeg, subtitled
from mediaflow.testing.steps import probed, profile_of
from mediaflow_ffmpeg.asstext import Event, TooMuchText, events_of, webvtt
from mediaflow_ffmpeg.subtitlechoice import chosen_subtitles
from mediaflow_ffmpeg.subtitles import TextSubtitles
from tests.plugins.ffmpeg_media import MEDIA, with_audio

RUNNER = SandboxedRunner("bwrap")
END = 6000


def stream(index: int, language: str | None = "eng", codec: str = "subrip", **marks: bool) -> SubtitleStream:
    return SubtitleStream(index, codec, language, **marks)


def dialogue(text: str, begin: str = "0:00:01.00", end: str = "0:00:02.00") -> str:
    return f"[Events]\r\nDialogue: 0,{begin},{end},Default,,0,0,0,,{text}\r\n"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Hello", "Hello"),
        (r"one\Ntwo\N\N\hthree", "one\ntwo\nthree"),
        ("a, b, c", "a, b, c"),
        (r"{\i1}so{\i0} and {\b1\i1}so{\r} on", "<i>so</i> and <b><i>so</i></b> on"),
        (r"{\b700}a\Nb", "<b>a</b>\n<b>b</b>"),
        (r"{\pos(1,2)\fad(100,200)\blur3}{a note}seen", "seen"),
        (r"{\p1}m 0 0 l 100 0{\p0}", ""),
        (r"{\p1}m 0 0{\p0}text", "text"),
        (r"\{not\} a tag", "{not} a tag"),
        ("<script>alert(1)</script> & <v Bob>", "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &lt;v Bob&gt;"),
        ("a --> b", "a --&gt; b"),
        (r"{\i1} {\i0}", ""),
        ("one\r\rtwo --> three", "one  two --&gt; three"),
        ("endless " * 3000, ""),
        ("", ""),
    ],
)
def test_of_an_events_text_nothing_is_kept_but_what_is_read(raw: str, text: str) -> None:
    assert [event.text for event in events_of(dialogue(raw), END)] == ([text] if text else [])


def test_of_more_than_anybody_reads_not_all_is_looked_at() -> None:
    lines = dialogue("x" * 19_000) * 4000  # 76 MB: a minute's work
    begun = time.process_time()

    with pytest.raises(TooMuchText):
        events_of(lines, END)
    assert time.process_time() - begun < 5


@pytest.mark.parametrize(
    ("begin", "end", "times"),
    [
        ("0:00:01.00", "0:00:02.50", [(100, 250)]),
        ("0:00:00.-50", "0:00:01.00", [(0, 100)]),
        ("0:00:-2.00", "0:00:-1.00", []),
        ("0:00:59.00", "0:01:30.00", [(5900, 6000)]),
        ("0:01:00.00", "0:01:30.00", []),
        ("0:00:01.00", "9:59:59.99", [(100, 1100)]),
        ("0:00:01.00", "0:00:01.00", [(100, 1100)]),
        ("9:59:59.99", "9:59:59.99", []),
        ("nonsense", "0:00:01.00", []),
    ],
)
def test_an_event_is_shown_within_the_presentation(begin: str, end: str, times: list[tuple[int, int]]) -> None:
    assert [(event.begin, event.end) for event in events_of(dialogue("x", begin, end), END)] == times


def test_what_does_not_end_ends_where_the_next_begins_and_what_goes_on_is_one_cue() -> None:
    lines = [("a", "0:00:04.00", "9:59:59.99"), ("b", "0:00:05.00", "0:00:05.04"), ("b", "0:00:05.04", "0:00:05.08")]

    found = events_of("".join(dialogue(*line) for line in lines), END)

    assert found == [Event(400, 500, "a"), Event(500, 508, "b")]


def test_the_file_has_whole_times_and_says_what_is_at_the_top() -> None:
    (event,) = events_of(dialogue(r"{\an8}up", "1:02:03.04", "1:02:03.50"), 10_000_000)

    assert webvtt([event]) == "WEBVTT\n\n01:02:03.040 --> 01:02:03.500 line:0\nup\n"


@pytest.mark.parametrize(
    ("streams", "sound", "chosen", "default"),
    [
        ([stream(2), stream(3, "ger")], None, [2, 3], None),
        ([stream(2), stream(3, "en"), stream(4, None)], None, [2, 4], None),
        ([stream(2, forced=True), stream(3)], "eng", [3], None),
        ([stream(2, hearing_impaired=True), stream(3)], "eng", [3], None),
        ([stream(2), stream(3, default=True)], "ger", [3], 3),
        ([stream(2, default=True)], None, [2], 2),
        ([stream(2, default=True)], "en", [2], None),
        ([stream(2, default=True), stream(3, "deu", forced=True)], "ger", [2, 3], 3),
        ([stream(2, codec="hdmv_pgs_subtitle"), stream(3, codec="eia_608")], None, [], None),
    ],
)
def test_of_each_language_one_stream_is_used(
    streams: list[SubtitleStream], sound: str | None, chosen: list[int], default: int | None
) -> None:
    found = chosen_subtitles(replace(with_audio(language=sound), subtitles=tuple(streams)))

    assert [each.index for each in found.chosen] == chosen
    assert [each.index for each in found.chosen if each.default] == ([] if default is None else [default])
    assert len(found.left_out) == len(streams) - len(chosen)


def test_pictures_are_left_out_in_a_sentence() -> None:
    media = replace(MEDIA, subtitles=(stream(2, codec="hdmv_pgs_subtitle"), stream(3, None, "dvd_subtitle")))

    assert chosen_subtitles(media).left_out == (
        "The subtitles in 'eng' (stream 2) are pictures (PGS) and are left out.",
        "The subtitles (stream 3) are pictures (VobSub) and are left out.",
    )


def test_a_file_without_subtitles_has_nothing_to_do() -> None:
    assert TextSubtitles().plan(MEDIA, profile_of().steps, profile_of()) == []  # type: ignore[arg-type]


def made(source: Path, directory: Path) -> tuple[dict[str, str], list[str], list[Artifact]]:
    """The text of each language, what owners are told, and the artifacts."""
    media, step, warnings = probed(source, RUNNER), TextSubtitles(), list[str]()
    spec: Any = None
    (task,) = step.plan(media, spec, profile_of())
    directory.mkdir()
    workspace = Workspace(directory, source, lambda _: None, RUNNER, {}, warn=warnings.append)
    artifacts = list(step.run(StepTask(task.name, task.params, media), workspace))
    return {a.language or "": (directory / a.path).read_text() for a in artifacts}, warnings, artifacts


def srt(path: Path, *cues: tuple[str, str, str], encoding: str = "utf-8") -> Path:
    lines = (f"{n}\n{begin} --> {end}\n{text}\n\n" for n, (begin, end, text) in enumerate(cues, 1))
    path.write_bytes("".join(lines).encode(encoding))
    return path


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_a_cue_is_shown_with_the_flash_that_it_belongs_to(suffix: str, tmp_path: Path) -> None:
    """The picture begins 1.4 s into the file's clock (its first flash is at 2.6 s), which is where the presentation
    begins.
    """
    flash = flash_and_beep(tmp_path / "flash.mkv", seconds=4, video_late=1.4, audio_late=1.4)
    text = srt(tmp_path / "a.srt", ("00:00:02,600", "00:00:02,700", "flash"), ("00:00:00,100", "00:00:01,000", "cut"))
    codec = {"mkv": "srt", "mp4": "mov_text"}[suffix]
    source = tmp_path / f"a.{suffix}"
    run_ffmpeg(["-copyts", "-i", str(flash), "-i", str(text), "-map", "0", "-map", "1", "-c", "copy", "-c:s", codec,
                "-avoid_negative_ts", "disabled", str(source)])  # fmt: skip

    found, warnings, _ = made(source, tmp_path / "out")

    assert found == {"und": "WEBVTT\n\n00:00:01.200 --> 00:00:01.300\nflash\n"}
    assert warnings == []


def test_titles_and_marks_are_told_and_what_is_too_much_or_not_utf8_harms_no_other(tmp_path: Path) -> None:
    many = [("00:00:00,100", "00:00:01,000", f"{number} of many words " * 500) for number in range(80)]
    long = srt(tmp_path / "long.srt", *many)
    latin = srt(tmp_path / "latin.srt", ("00:00:00,100", "00:00:01,000", "Grüße – “Café”"), encoding="cp1252")  # noqa: RUF001
    plain = srt(tmp_path / "plain.srt", ("00:00:00,100", "00:00:01,000", "plain"))
    source = subtitled(tmp_path / "a.mkv", {"eng": long, "fra": latin, "deu": plain}, titles={"deu": "Für\x07 alle"})

    found, warnings, artifacts = made(source, tmp_path / "out")

    assert {language: text.splitlines()[-1] for language, text in found.items()} == {
        "fra": "Grüße – “Café”",  # noqa: RUF001
        "deu": "plain",
    }
    assert [artifact.title for artifact in artifacts] == [None, "Für alle"]
    assert warnings == ["The subtitles in 'eng' (stream 2) are left out: their text has more than 512 KiB."]
