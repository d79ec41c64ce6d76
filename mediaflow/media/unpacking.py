"""A program of its own, run in a sandbox: an animated WebP or PNG becomes an animated PNG without transparency.

    python -I unpacking.py SOURCE TARGET MOST_PIXELS MOST_FRAMES

Frames are put together as a browser shows them, over white, each for its time; Pillow (libwebp) reads them, which this
file imports beside the standard library alone. What is wrong is said in one sentence, with 2 as the exit code.
"""

from __future__ import annotations

import struct
import sys
import zlib
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

from PIL import Image

_HASTY_MS: Final = 10
_USUAL_MS: Final = 100
"""What browsers show a frame for that asks for less than they do: as in a GIF."""
_MOST_MS: Final = 65535
_FEWEST: Final = 2
_MOST_PIXELS_IN_ALL: Final = 1 << 32
"""Of a file of 230 KB: two minutes of a core (measured). Two thousand images of 1920x1080."""
_MOST_BYTES: Final = 256 << 20
_FLAGS, _ALPHA = 20, 0x10
"""Of a WebP's extended header (its specification's "Extended File Format")."""
_KINDS: Final = ("WEBP", "PNG")


def unpack(source: str, target: str, most_pixels: int, most_frames: int) -> None:
    """Write the target. ValueError with a sentence for what is not to be shown."""
    Image.MAX_IMAGE_PIXELS = most_pixels
    with Image.open(_with_alpha(source), formats=_KINDS) as image:
        count, (width, height) = getattr(image, "n_frames", 1), image.size
        if count < _FEWEST:
            raise ValueError("It is one image that does not move.")
        if width * height > most_pixels or count > most_frames or count * width * height > _MOST_PIXELS_IN_ALL:
            raise ValueError(f"{count} images of {width}x{height} are too many; as MP4 or WebM they are taken.")
        with Path(target).open("wb") as file:
            _begin(file, width, height, count)
            for number in range(count):
                image.seek(number)
                frame = image.convert("RGBA")
                shown = Image.new("RGB", image.size, "white")
                shown.paste(frame, mask=frame.getchannel("A"))
                asked = float(image.info.get("duration") or 0)
                _write(file, number, shown, round(asked) if asked > _HASTY_MS else _USUAL_MS)
            _chunk(file, b"IEND", b"")


def _with_alpha(source: str) -> BytesIO:
    """The file in memory, where Pillow has it in any case. A WebP that says that nothing in it is transparent leaves
    out what no frame covers, and Pillow shows that black: so it says that something is.
    """
    if Path(source).stat().st_size > _MOST_BYTES:
        raise ValueError(f"It is larger than {_MOST_BYTES >> 20} MiB.")
    data = bytearray(Path(source).read_bytes())
    if data[8:16] == b"WEBPVP8X":
        data[_FLAGS] |= _ALPHA
    return BytesIO(data)


def _begin(file: BinaryIO, width: int, height: int, count: int) -> None:
    """The head of an animated PNG (W3C PNG, third edition, 11.2.1 and 11.3.6.1): eight bits of red, green and blue."""
    file.write(b"\x89PNG\r\n\x1a\n")
    _chunk(file, b"IHDR", struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0))
    _chunk(file, b"acTL", struct.pack(">2I", count, 1))


def _write(file: BinaryIO, number: int, shown: Image.Image, milliseconds: int) -> None:
    """One frame, all of it (11.3.6.2 and 11.3.6.3). Sequence numbers count its two chunks, but for the first frame."""
    width, height = shown.size
    first = max(0, 2 * number - 1)
    delay = min(milliseconds, _MOST_MS)
    _chunk(file, b"fcTL", struct.pack(">5I2H2B", first, width, height, 0, 0, delay, 1000, 0, 0))
    # each line begins with its filter: none
    rows, line = shown.tobytes(), 3 * width
    packed = zlib.compressobj(1)
    parts = [packed.compress(b"\0" + rows[at : at + line]) for at in range(0, len(rows), line)]
    data = b"".join((*parts, packed.flush()))
    _chunk(file, *((b"IDAT", data) if number == 0 else (b"fdAT", struct.pack(">I", first + 1) + data)))


def _chunk(file: BinaryIO, kind: bytes, body: bytes) -> None:
    file.write(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)))


def main(arguments: list[str]) -> int:
    """Run it."""
    source, target, pixels, frames = arguments
    try:
        unpack(source, target, int(pixels), int(frames))
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except (OSError, EOFError, SyntaxError, Image.DecompressionBombError) as error:
        sys.stderr.write(f"It can't be decoded ({type(error).__name__}).\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
