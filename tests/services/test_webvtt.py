"""Caption files: what is read, what is left out, what is refused and where; and that our own are read by others."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediaflow.domain.errors import InvalidInput
from mediaflow.services.text.cuetext import subrip_text, webvtt_text
from mediaflow.services.text.webvtt import Cue, as_segment, parse_captions, write_webvtt
from tests.growth import MOST, growth

WEBVTT = """WEBVTT - a title
Kind: captions

NOTE
written by hand

STYLE
::cue { background: url(https://evil.example/pixel) }

REGION
id:fred
width:40%

intro
00:01.000 --> 00:02.500 align:start position:10% region:fred onclick:1
Hello <b>there</b>

00:00:00.250 --> 01:00:00.000
second in the file, first in time
"""
SUBRIP = """1
00:00:01,000 --> 00:00:02,500 X1:10 X2:20 Y1:1 Y2:2
{\\an8}<font color="red">Hello</font> <i>there</i>
R&D: 1 < 2

2
0:00:03.000 --> 0:00:04.000
Second
"""


def test_webvtt_keeps_times_text_and_positions_and_nothing_else() -> None:
    assert parse_captions(WEBVTT.encode()) == (
        Cue(250, 3_600_000, "second in the file, first in time"),
        Cue(1000, 2500, "Hello <b>there</b>", "align:start position:10%"),
    )


def test_subrip_becomes_the_same() -> None:
    assert parse_captions(SUBRIP.encode()) == (
        Cue(1000, 2500, "Hello <i>there</i>\nR&amp;D: 1 &lt; 2"),
        Cue(3000, 4000, "Second"),
    )


@pytest.mark.parametrize("form", [WEBVTT, SUBRIP], ids=["webvtt", "subrip"])
@pytest.mark.parametrize(
    "change",
    [
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: text.rstrip("\n").encode(),
        lambda text: text.encode() + b"\n\n\n",
    ],
    ids=["byte order mark", "windows", "old mac", "no last line end", "many last line ends"],
)
def test_line_ends_and_a_byte_order_mark_do_not_matter(form: str, change: object) -> None:
    assert parse_captions(change(form)) == parse_captions(form.encode())  # type: ignore[operator]


def test_a_subrip_file_may_lack_its_numbers() -> None:
    assert len(parse_captions(re.sub(r"^[12]\n", "", SUBRIP, flags=re.M).encode())) == 2


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        (b"", "Line 1: a WebVTT file begins with"),
        (b"\n\nHello", "Line 3: a WebVTT file begins with"),
        (b"<html>", "not with '<html>'"),
        (b"WEBVTTX\n\n00:01.000 --> 00:02.000\na", "Line 1: a WebVTT file begins with"),
        (b"WEBVTT", "The file holds no captions"),
        (b"WEBVTT\n\n00:01.000 --> 00:02.000\n<i> </i>\n", "The file holds no captions"),
        (b"WEBVTT\n\n1\nHello\n", "Line 3: a cue needs its times"),
        (b"WEBVTT\n\nHello\n", "Line 3: a cue needs its times, such as `00:01.000 --> 00:04.000`, not 'Hello'"),
        (b"WEBVTT\n\n00:01,000 --> 00:02,000\nHello\n", "Line 3: expected a cue's times"),
        (b"WEBVTT\n\n00:01.000 --> 00:02.000\na\n00:03.000 --> 00:04.000\nb", "Line 5: an empty line must end the cue"),
        (b"WEBVTT\n\n00:02.000 --> 00:01.000\nHello\n", "Line 3: the cue ends at 00:01.000, which is not after"),
        (b"WEBVTT\n\n00:02.000 --> 00:02.000\nHello\n", "Line 3: the cue ends at 00:02.000, which is not after"),
        (b"WEBVTT\n\n00:02.000 --> 00:61.000\nHello\n", "Line 3: 00:61.000 is no time"),
        (b"WEBVTT\n\n00:02.000 --> 24:00:00.000\nHello\n", "Line 3: 24:00:00.000 lies beyond the 24 hours"),
        (
            b"1\n00:00:01,000 --> 00:00:02,000\nHello\n\nWorld\n",
            "Line 5: expected a cue's times, such as `00:00:01,000",
        ),
        (b"1\n00:00:01,000 --> 00:00:02,000\nHello\n2\n00:00:03,000 --> 00:00:04,000\n", "Line 5: an empty line"),
        (b"1\n00:00:01,0 --> 00:00:02,000\nHello\n", "Line 1: a WebVTT file begins with"),
        (b"WEBVTT\n\n00:01.000 --> 00:02.000\ncaf\xe9\n", "Line 4: this is not UTF-8; save the file as UTF-8"),
        ("WEBVTT\n".encode("utf-16"), "Line 1: this is UTF-16; save the file as UTF-8"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(file: bytes, sentence: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_captions(file)

    assert sentence in caught.value.detail
    assert caught.value.code == "captions.invalid"


@pytest.mark.parametrize(
    ("payload", "written"),
    [
        ("plain", "plain"),
        ("a & b < c > d", "a &amp; b &lt; c &gt; d"),
        ("a &amp; b &lt;i&gt; &#60;script&#62;", "a &amp; b &lt;i&gt; &lt;script&gt;"),
        ("<script>alert(1)</script>", "alert(1)"),
        ('<img src=x onerror="alert(1)">', ""),
        ("<b onclick=x>bold</b>", "<b>bold</b>"),
        ("<b><i>both</b></i>", "<b><i>both</i></b>"),
        ("</b>never opened", "never opened"),
        ("<b>never closed", "<b>never closed</b>"),
        ("<c.yellow.bg_blue.x&y>text</c>", "<c.yellow.bg_blue>text</c>"),
        ("<v Fred & Ann>hi", "<v Fred &amp; Ann>hi</v>"),
        ("<v.loud Fred>hi</v>", "<v.loud Fred>hi</v>"),
        ("<v>nobody</v>", "nobody"),
        ("<lang en-GB>colour</lang>", "<lang en-GB>colour</lang>"),
        ('<lang x" y>colour</lang>', "colour"),
        ("<ruby>\u6f22<rt>kan</rt></ruby>", "<ruby>\u6f22<rt>kan</rt></ruby>"),
        ("<rt>alone</rt>", "alone"),
        ("karao<00:00:01.000>ke", "karaoke"),
        ("line\n\n \n&#10;&#10;line", "line\nline"),
        ("bell\x07 nul\x00 next\x85line", "bell nul nextline"),
        ("00:01 --> 00:02", "00:01 --&gt; 00:02"),
        ("<b>" * 50 + "deep", "<b>" * 8 + "deep" + "</b>" * 8),
        ("\u202b\u05e9\u05dc\u05d5\u05dd", "\u202b\u05e9\u05dc\u05d5\u05dd"),
    ],
)
def test_cue_text_holds_what_we_know_and_nothing_else(payload: str, written: str) -> None:
    assert webvtt_text(payload) == written


@pytest.mark.parametrize(
    ("payload", "written"),
    [
        ("AT&T &amp; <3", "AT&amp;T &amp;amp; &lt;3"),
        ("<u>under</u> <v Fred>text</v>", "<u>under</u> text"),
        ("{\\pos(1,2)}here {not a command}", "here {not a command}"),
    ],
)
def test_subrip_text_means_itself(payload: str, written: str) -> None:
    assert subrip_text(payload) == written


@pytest.mark.parametrize(
    ("given_settings", "kept"),
    [
        ("line:0 align:left", "line:0 align:left"),
        (
            "line:85%,end position:50%,center size:80% vertical:rl",
            "line:85%,end position:50%,center size:80% vertical:rl",
        ),
        ("align:middle align:end", "align:center"),
        ("line:101% position:10 size:-1% vertical:up region:x colour:red", ""),
    ],
)
def test_settings_are_positions_only(given_settings: str, kept: str) -> None:
    (cue,) = parse_captions(f"WEBVTT\n\n00:01.000 --> 00:02.000 {given_settings}\na".encode())

    assert cue.settings == kept


def test_a_segment_is_tied_to_the_media_s_clock() -> None:
    file = write_webvtt([Cue(1000, 2000, "a")])

    assert as_segment(file, 1) == (
        "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:90000,LOCAL:00:00:00.000\n\n00:00:01.000 --> 00:00:02.000\na\n"
    )


cues = st.lists(
    st.builds(
        lambda start, length, text, webvtt: Cue(start, start + length, (webvtt_text if webvtt else subrip_text)(text)),
        st.integers(0, 86_000_000),
        st.integers(1, 300_000),
        st.text(min_size=1, max_size=60) | st.text("<>/&;-bivc. \n\r:#10", max_size=60),
        st.booleans(),
    ).filter(lambda cue: bool(cue.text)),
    min_size=1,
    max_size=8,
)


@given(cues)
def test_what_we_write_reads_back_as_it_was(given_cues: list[Cue]) -> None:
    ordered = tuple(sorted(given_cues, key=lambda cue: (cue.start_milliseconds, cue.end_milliseconds)))

    written = write_webvtt(ordered)

    assert parse_captions(written.encode()) == ordered
    assert parse_captions(as_segment(written, 1).encode()) == ordered


@given(st.binary(max_size=300) | st.text("WEBVT\n0123:.,-> <b/&x", max_size=300).map(str.encode))
def test_whatever_comes_is_captions_or_a_refusal(data: bytes) -> None:
    try:
        found = parse_captions(data)
    except InvalidInput:
        return
    assert all(cue.end_milliseconds > cue.start_milliseconds and cue.text for cue in found)


@pytest.mark.parametrize(
    ("begin", "unit"), [("", "<"), ("", "<b."), ("<c", ".a"), ("", "&"), ("", "<b>"), ("<v ", "a"), ("", "{\\")]
)
@pytest.mark.parametrize("text_of", [webvtt_text, subrip_text])
def test_hostile_text_costs_no_more_than_its_length(text_of: Callable[[str], str], begin: str, unit: str) -> None:
    assert growth(lambda size: text_of(begin + unit * size), 20_000) < MOST
