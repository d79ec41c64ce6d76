"""What texts cost grows with their length and not with its square, whatever stands in them."""

from __future__ import annotations

import contextlib
import unicodedata
from collections.abc import Callable, Iterator

import pytest

from mediaflow.api.http.fields import Text
from mediaflow.domain.errors import MediaflowError
from mediaflow.domain.marks import MOST_MARKS, with_few_marks
from mediaflow.domain.suggest import nearest
from mediaflow.media.sniff import sniff_bytes
from mediaflow.observability.scrubbing import Scrubber
from mediaflow.services.access.jwt_form import opened
from mediaflow.services.text.languages import known_language
from mediaflow.services.text.plain import sanitised
from mediaflow.services.text.search import prefixes_of, words_of
from mediaflow.services.text.webvtt import as_segment, parse_captions, write_webvtt
from tests.growth import MOST, growth

MARKS = {
    "of two classes": "\u0301\u0316",  # what sorting moves
    "that stand for marks": "\u0f73",  # itself of class 0, U+0F71 U+0F72 when it is taken apart
    "of half width": "\uff9e",
    "with joiners": "\u0301\u200d\u0316",
}


def runs(unit: str, size: int) -> str:
    return "a" + (unit * size)[:size]


@pytest.mark.parametrize("unit", [*MARKS.values(), "e\u0301", "\u1112\u1161", "\ufdfa", "\u00a8", "日"])
def test_normalising_a_title_and_its_words_is_linear(unit: str) -> None:
    assert growth(lambda size: sanitised(runs(unit, size)), 1500) < MOST
    assert growth(lambda size: words_of(runs(unit, size), "", []), 1500) < MOST
    assert growth(lambda size: prefixes_of(runs(unit, size)), 1500) < MOST


@pytest.mark.parametrize("unit", MARKS.values(), ids=MARKS)
def test_no_run_of_marks_is_longer_than_stream_safe_text_allows(unit: str) -> None:
    kept = with_few_marks("x" + unit * 100 + "y")
    assert kept.startswith("x")
    assert kept.endswith("y")
    assert len(kept) <= 2 + (300 if "\u200d" in unit else MOST_MARKS)
    assert with_few_marks("e" + unit[0] * MOST_MARKS) == "e" + unit[0] * MOST_MARKS


@pytest.mark.parametrize(
    "text", ["Zo\u00eb", "e\u0301", "\u0938\u094d\u0924\u0947", "\u1112\u1161\u11ab", "\u05e9\u05c1\u05b8"]
)
def test_what_people_write_stays(text: str) -> None:
    assert sanitised(text) == unicodedata.normalize("NFC", text)


def test_a_text_that_is_too_long_is_not_looked_at() -> None:
    field = Text(longest=255)

    def refused(size: int) -> None:
        with contextlib.suppress(Exception):
            field.deserialize(text[size])

    text = {size: runs(MARKS["of two classes"], size) for size in (100_000, 400_000)}
    assert growth(refused, 100_000) < 2


def cues(payload: str) -> bytes:
    return f"WEBVTT\n\n00:01.000 --> 00:04.000\n{payload}\n".encode()


CAPTIONS = [
    *("<", "<c.", "<c.a", "<v a", "</b", "<b>", "&", "&#1", "&#x1", "&amp", "{\\", "<0:", "\u0301", "<i><b></i>", "\n"),
]


@pytest.mark.parametrize("unit", CAPTIONS)
def test_captions_are_linear(unit: str) -> None:
    def webvtt(size: int) -> None:
        with contextlib.suppress(MediaflowError):
            as_segment(write_webvtt(parse_captions(cues((unit * size)[:size]))), 0)

    def subrip(size: int) -> None:
        with contextlib.suppress(MediaflowError):
            parse_captions(f"1\n00:00:01,000 --> 00:00:04,000\n{(unit * size)[:size]}\n".encode())

    assert growth(webvtt, 2000) < MOST
    assert growth(subrip, 2000) < MOST


def headed(size: int) -> Iterator[bytes]:
    yield b"WEBVTT\n\n" + b"00:01.000 --> 00:04.000\nx\n\n" * (size // 28)
    yield b"WEBVTT" + b" " * size
    yield b"WEBVTT\n\n" + b" " * size + b"-->"
    yield b"WEBVTT\n\n00:01.000 --> 00:04.000 " + b"line:1 " * (size // 7) + b"\nx\n"
    yield b"WEBVTT\n\n00:01.000 " + b"-->" * (size // 3)
    yield b"\n" * size
    yield b"WEBVTT\n\nNOTE" + b"\t " * (size // 2) + b"\n\n"


@pytest.mark.parametrize("which", range(7))
def test_files_of_captions_are_linear(which: int) -> None:
    def read(size: int) -> None:
        with contextlib.suppress(MediaflowError):
            parse_captions([*headed(size)][which])

    assert growth(read, 4000) < MOST


def test_a_reference_to_a_number_of_5000_digits_is_no_fault_of_ours() -> None:
    (cue,) = parse_captions(cues(f"a&#{'1' * 5000};b &#65; &#x{'f' * 5000};"))
    assert cue.text == "a\ufffdb A \ufffd"


def a_scrub(size: int, unit: str) -> str:
    return Scrubber(["a long secret"]).text((unit * size)[:size])


SECRETIVE = [
    "eyJ-",
    "eyJa.eyJ",
    "eyJ.",
    "?token",
    "&code",
    "://a:",
    "bearer ",
    "cookie  ",
    "authorization=",
    "mfk_",
    "/stream/",
]


@pytest.mark.parametrize("unit", SECRETIVE)
def test_masking_a_line_of_the_log_is_linear(unit: str) -> None:
    assert growth(lambda size: a_scrub(size, unit), 2000) < MOST


def refusing(work: Callable[[str], object], unit: str) -> Callable[[int], None]:
    def refused(size: int) -> None:
        with contextlib.suppress(MediaflowError):
            work((unit * size)[:size])

    return refused


@pytest.mark.parametrize("unit", ["a", "a.", "a-", "-", "eyJ", "A=", "\u0301"])
def test_tokens_and_tags_of_languages_are_linear(unit: str) -> None:
    assert growth(refusing(opened, unit), 2000) < MOST
    assert growth(refusing(known_language, unit), 2000) < MOST


HEADS = [b"!---->", b"!-- ", b"<!---->", b"<!-- --> ", b"<?xml ", b" ", b"<!--", b"-->"]


@pytest.mark.parametrize("unit", HEADS)
def test_the_first_bytes_of_a_file_are_told_apart_in_linear_time(unit: bytes) -> None:
    """A file of 120 bytes, `<` and 20 times `!---->`, took 0.16 s, and twice as much for each more."""

    def told(size: int) -> None:
        with contextlib.suppress(MediaflowError):
            sniff_bytes(b"<" + (unit * size)[:size])

    assert growth(told, 16) < MOST
    assert growth(told, 1000) < MOST


def test_a_drawing_with_comments_before_it_is_one() -> None:
    with pytest.raises(MediaflowError, match="SVG"):
        sniff_bytes(b'<?xml version="1.0"?>\n<!-- a -->\n<!-- b --><svg xmlns="x"/>')


def test_a_misspelt_name_is_compared_in_linear_time() -> None:
    known = ["web-h264", "a" * 150]
    assert growth(lambda size: nearest("ab" * size, known), 2000) < MOST
    assert nearest("web-h265", known) == "web-h264"
