"""Which of a file's subtitles become captions: one stream of text in each language. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mediaflow.plugin import MediaInfo, SubtitleStream

TEXT_CODECS: Final = frozenset(("subrip", "srt", "ass", "ssa", "mov_text", "webvtt", "text"))
_PICTURES: Final = {
    "hdmv_pgs_subtitle": "PGS",
    "dvd_subtitle": "VobSub",
    "dvb_subtitle": "DVB",
    "xsub": "XSUB",
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """A stream that becomes captions. `said` is how sentences call it; a `default` one is shown unasked."""

    index: int
    said: str
    language: str | None = None
    default: bool = False


@dataclass(frozen=True, slots=True)
class Subtitles:
    """What is made of a file's subtitles. `left_out` are sentences about what is not."""

    chosen: tuple[Chosen, ...] = ()
    left_out: tuple[str, ...] = ()


def chosen_subtitles(media: MediaInfo) -> Subtitles:
    """Of each language the stream that has all of the text and nothing but what is spoken, as far as its marks tell:
    not the forced one, and not the one for the deaf, if there is another.
    """
    best: dict[str | None, SubtitleStream] = {}
    texts = [each for each in media.subtitles if each.codec in TEXT_CODECS]
    for each in sorted(texts, key=lambda s: (s.forced, s.hearing_impaired, not s.default, s.index)):
        best.setdefault(_key(each.language), each)
    used = sorted(best.values(), key=lambda each: each.index)
    shown = _unasked(used, media)
    chosen = tuple(Chosen(s.index, _said(s), s.language, default=s is shown) for s in used)
    return Subtitles(chosen, tuple(_left_out(media.subtitles, used)))


def _unasked(used: Sequence[SubtitleStream], media: MediaInfo) -> SubtitleStream | None:
    """The one that is shown unasked. Forced ones in the language of the sound are what a viewer would miss. `default`
    says little (MP4 and Matroska mark the first stream if nobody says otherwise): it counts where the sound is not
    known to be in the same language.
    """
    sound = None if media.audio is None else _key(media.audio.language)
    forced = [each for each in used if each.forced and sound in (None, _key(each.language))]
    wished = [each for each in used if each.default and (sound is None or _key(each.language) != sound)]
    return next(iter(forced + wished), None)


def _left_out(all_of_them: Sequence[SubtitleStream], used: Sequence[SubtitleStream]) -> list[str]:
    sentences = []
    for each in all_of_them:
        if each.codec in _PICTURES:
            sentences.append(f"The subtitles {_said(each)} are pictures ({_PICTURES[each.codec]}) and are left out.")
        elif each.codec not in TEXT_CODECS:
            sentences.append(f"The subtitles {_said(each)} are of an unknown kind ({each.codec}) and are left out.")
        elif each not in used:
            sentences.append(f"The subtitles {_said(each)} are left out: there are others in the same language.")
    return sentences


def _said(stream: SubtitleStream) -> str:
    language = f"in {stream.language!r} " if stream.language else ""
    return f"{language}(stream {stream.index})"


def _key(language: str | None) -> str | None:
    """`eng` and `en` are one: files have either, and these two letters tell almost all of them apart."""
    if language is None:
        return None
    return _SHORT.get(language.lower(), language.lower())


_SHORT: Final = {
    "eng": "en",
    "ger": "de",
    "deu": "de",
    "fra": "fr",
    "fre": "fr",
    "spa": "es",
    "ita": "it",
    "por": "pt",
    "nld": "nl",
    "dut": "nl",
    "rus": "ru",
    "jpn": "ja",
    "zho": "zh",
    "chi": "zh",
    "kor": "ko",
    "ara": "ar",
    "pol": "pl",
    "swe": "sv",
    "nor": "no",
    "dan": "da",
    "fin": "fi",
    "tur": "tr",
    "ces": "cs",
    "cze": "cs",
}
"""ISO 639-2 -> 639-1 where a file might say both; what is not here is told apart by `captions` themselves."""
