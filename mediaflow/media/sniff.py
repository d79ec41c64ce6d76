"""What a file is by its first bytes, before any program looks at it.

ffmpeg's own guess can't be trusted with an upload: it takes text for video (its tty reader), opens what a playlist
names (HLS, DASH, ffconcat, whatever the file is called), and reads image sequences. So only the formats listed here
are ever given to it (`-format_whitelist`), and a file whose first bytes are none of them is refused.

Policy: images are refused (JPEG, PNG, WebP, HEIC, ...): they are neither video nor audio. A GIF, WebP or PNG that moves
is a video; a GIF that does not is refused when its frames are counted.
Junk in front of a file is refused too, even where ffmpeg would find a sound in it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from mediaflow.domain.errors import MediaRejected
from mediaflow.media.animated import is_animated

HEAD_BYTES: Final = 4096

_MAGIC: Final[tuple[tuple[bytes, tuple[str, ...]], ...]] = (
    # (regular expression at the start of the file, ffmpeg's names of the formats that it may be)
    (rb".{4}(ftyp|moov|mdat|free|skip|wide|pnot|styp|moof|sidx|uuid)", ("mov",)),  # ISO/IEC 14496-12, QuickTime
    (rb"\x1a\x45\xdf\xa3", ("matroska",)),  # EBML, RFC 8794; WebM too
    (rb"RIFF.{4}AVI[ X\x19]", ("avi",)),
    (rb"(RIFF|RF64|RIFX).{4}WAVE", ("wav",)),
    (rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c", ("asf",)),  # WMV, WMA
    (rb"FLV\x01", ("flv",)),
    (rb"GIF8[79]a", ("gif",)),
    (rb"\x47.{187}\x47.{187}\x47", ("mpegts",)),  # ISO/IEC 13818-1 packets of 188 bytes
    (rb".{4}\x47.{191}\x47.{191}\x47", ("mpegts",)),  # Blu-ray and AVCHD: four bytes of time in front of each
    (rb"\x00\x00\x01\xba", ("mpeg",)),  # program stream
    (rb"\x00\x00\x01\xb3", ("mpegvideo",)),  # bare MPEG-1 or MPEG-2 video
    (rb"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02", ("mxf",)),  # SMPTE ST 377-1 header partition
    (rb"\.RMF\x00\x00\x00", ("rm",)),
    (rb"OggS\x00", ("ogg",)),
    (rb"fLaC", ("flac",)),
    (rb"FORM.{4}AIF[FC]", ("aiff",)),
    (rb"caff\x00\x01", ("caf",)),
    (rb"#!AMR(-WB)?\n", ("amr",)),
    (rb"\x0b\x77", ("ac3", "eac3")),
    (rb"\x1f\x07\x00[\x3f\xbf]", ("dv",)),
    (
        rb"ID3[\x02-\x04]",
        ("mp3", "aac", "flac", "ac3", "eac3", "wav", "aiff"),
    ),  # a tag that may stand before any of these
    (rb"\xff[\xf0\xf1\xf8\xf9]", ("aac",)),  # ADTS: sync word, layer 0
    (rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff]", ("mp3",)),  # MPEG audio: sync word, layer not 0
)

_REFUSED: Final[tuple[tuple[bytes, str], ...]] = (
    # (regular expression at the start of the file, what it is)
    (rb"\x89PNG\r\n", "an image (PNG)"),
    (rb"\xff\xd8\xff", "an image (JPEG)"),
    (rb"RIFF.{4}WEBP", "an image (WebP)"),
    (rb".{4}ftyp(hei[cmsx]|hev[cx]|mif[12]|msf1|avi[fs]|crx )", "an image (HEIF, AVIF or camera raw)"),
    (rb"BM.{4}\x00\x00\x00\x00|II\*\x00|MM\x00\*|8BPS|\x00\x00\x00\x0c(JXL |jP  )|\xff\x0a", "an image"),
    (rb"\s*#EXTM3U", "an HLS playlist"),
    (rb"ffconcat ", "a list of other files"),
    (rb"\s*<(!doctype html|html|head|script|body)", "a web page"),
    # atomic: a comment ends at its first `-->`, or the ways to read a file of nothing else double with each of them
    (rb"\s*+(<\?xml[^>]*+>\s*+)?+(?><!--.*?-->\s*+)*+<svg", "an image (SVG)"),
    (rb"\s*(<\?xml[^>]*>\s*)?<MPD", "a DASH manifest"),
    (rb"\s*<", "an XML or HTML document"),
    (rb"PK[\x03\x05\x07]|\x1f\x8b|7z\xbc\xaf|Rar!|BZh|\xfd7zXZ|\x28\xb5\x2f\xfd", "an archive"),
    (rb"%PDF", "a PDF document"),
    (rb"\x7fELF|MZ", "a program"),
    (rb"#!(?!AMR)", "a script"),
)


def sniff(source: Path) -> tuple[str, ...]:
    """Names of ffmpeg's formats that the file may be, for `-format_whitelist`.

    Raises MediaRejected: `media.empty`, or `media.unsupported` with what the file is instead.
    """
    with source.open("rb") as file:
        return sniff_bytes(file.read(HEAD_BYTES))


def sniff_bytes(head: bytes) -> tuple[str, ...]:
    """See `sniff`; `head` is the start of the file."""
    if not head:
        raise MediaRejected("The file is empty (0 bytes).", code="media.empty")
    if is_animated(head):
        return ("apng",)  # what ffmpeg reads is unpacked before
    for pattern, noun in _REFUSED:
        if re.match(pattern, head, re.DOTALL | re.IGNORECASE):
            raise not_media(noun)
    for pattern, formats in _MAGIC:
        if re.match(pattern, head, re.DOTALL):
            return formats
    noun = "text" if _is_text(head) else "of an unknown kind, or something stands before its start"
    raise MediaRejected(f"The file is {noun}: no video or audio format begins like it.", code="media.unsupported")


def not_media(noun: str) -> MediaRejected:
    """The error of a file that is something else."""
    return MediaRejected(f"The file is {noun}, not a video or audio file.", code="media.unsupported")


def _is_text(head: bytes) -> bool:
    if re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]", head):
        return False
    # the end may be in the middle of a character
    return "\ufffd" not in head.decode(errors="replace")[:-3]
