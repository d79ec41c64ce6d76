"""Media types (RFC 9110, section 8.3.1): which are well-formed, and which a browser may show as they are."""

from __future__ import annotations

import re
from typing import Final

OTHER_TYPE: Final = "application/octet-stream"
LONGEST: Final = 200
_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_MEDIA_TYPE: Final = re.compile(rf'{_WORD}/{_WORD}([ \t]*;[ \t]*{_WORD}=({_WORD}|"([ !#-\[\]-~]|\\[ -~])*"))*')
_SHOWN: Final = frozenset(
    {
        "application/json",
        "application/vnd.apple.mpegurl",
        "application/x-mpegurl",
        "image/avif",
        "image/gif",
        "image/jpeg",
        "image/png",
        "image/webp",
        "text/plain",
        "text/vtt",
    }
)
_SOUND_AND_PICTURES: Final = frozenset(
    {
        *(
            "3gpp",
            "3gpp2",
            "aac",
            "ac3",
            "ac4",
            "av1",
            "basic",
            "eac3",
            "flac",
            "h264",
            "h265",
            "iso.segment",
            "matroska",
        ),
        *("matroska", "mp2t", "mp3", "mp4", "mp4a-latm", "mpeg", "ogg", "opus", "quicktime", "vnd.wave", "vorbis"),
        *("vp8", "vp9", "wav", "webm", "x-flac", "x-m4a", "x-m4v", "x-matroska", "x-mpegurl"),
        *("x-ms-wmv", "x-msvideo", "x-wav"),
    }
)
"""Subtypes of audio and video (IANA's, and what is in use beside them). `audio/html` is one that somebody made up."""


def is_media_type(text: str) -> bool:
    """True for `type/subtype` with or without parameters, in characters that a header can have."""
    return len(text) <= LONGEST and _MEDIA_TYPE.fullmatch(text) is not None


def is_shown(content_type: str) -> bool:
    """True when a browser that opens such a file by its address runs nothing that is in it.

    Named are those that are harmless; HTML, SVG, PDF, scripts, anything of XML (browsers run scripts in that too) and
    what nobody has heard of are not. It holds with `nosniff` only.
    """
    bare = content_type.partition(";")[0].strip().lower()
    return bare in _SHOWN or (bare.startswith(("audio/", "video/")) and bare.partition("/")[2] in _SOUND_AND_PICTURES)
