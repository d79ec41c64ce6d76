"""What names and content types say, as far as they say anything.

Clients make both up: systems send `text/vnd.trolltech.linguist` for `.ts` and `model/vnd.mts` for `.mts`. So an
extension of media wins over any content type, an unknown extension or none is accepted, and only what nobody uploads to
a video service on purpose is refused here, to save the transfer.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Final

_MEDIA_EXTENSIONS: Final = (
    "3g2 3gp aac ac3 aif aiff amr asf avi caf dv eac3 f4v flac flv gif m1v m2t m2ts m2v m4a m4b m4v mka mkv mov mp2 mp3"
    " mp4 mpe mpeg mpg mpv mts mxf oga ogg ogm ogv opus qt rm rmvb ts vob wav webm wma wmv"
)
MEDIA_EXTENSIONS: Final = frozenset(_MEDIA_EXTENSIONS.split(" "))
_NOUNS: Final = MappingProxyType(
    {
        "a web page": "htm html mht mhtml shtml xhtml",
        "a document": "css csv doc docx json md pdf ppt pptx rtf txt xls xlsx xml yaml yml",
        "a playlist; upload the media that it names": "ffconcat m3u m3u8 mpd pls",
        "a program or script": (
            "apk app bat cgi cmd com deb dll exe jar js jsp msi php pl ps1 py rb rpm scr sh so vbs wasm"
        ),
        "an archive; upload what is in it": "7z bz2 gz iso rar tar tgz xz zip zst",
        "an image": "avif bmp heic heif ico jpeg jpg jxl png psd svg tif tiff",
    }
)
_REFUSED: Final = MappingProxyType({ext: noun for noun, exts in _NOUNS.items() for ext in exts.split(" ")})
_MOVING_TYPES: Final = ("image/apng", "image/gif", "image/webp")
"""Images that may move: their bytes tell."""
_REFUSED_TYPES: Final = ("text/", "image/", "font/", "message/", "multipart/")
_APPLICATIONS: Final = "dash+xml javascript json pdf vnd.apple.mpegurl x-mpegurl x-msdownload x-sh xhtml+xml xml zip"
_REFUSED_APPLICATIONS: Final = frozenset(f"application/{name}" for name in _APPLICATIONS.split(" "))


def refused_extension(filename: str) -> str | None:
    """What a file of that name is, when it is obviously not media; else None. `video.mp4.html` is a web page."""
    return _REFUSED.get(_extension(filename))


def refused_content_type(filename: str, content_type: str | None) -> str | None:
    """The bare content type when it is obviously not media's and the name does not say otherwise; else None."""
    if content_type is None or _extension(filename) in MEDIA_EXTENSIONS:
        return None
    bare = content_type.split(";")[0].strip().lower()
    if bare in _MOVING_TYPES:
        return None
    return bare if bare.startswith(_REFUSED_TYPES) or bare in _REFUSED_APPLICATIONS else None


def _extension(filename: str) -> str:
    return PurePosixPath(filename.strip()).suffix.lower().removeprefix(".")
