"""What captions may be, whoever makes them."""

from __future__ import annotations

from typing import Any, Final

LARGEST_BYTES: Final = 512 * 1024
"""Two hours of a film have about 150 KiB, and a file of nothing but markup costs seconds of parsing a megabyte."""
MOST_LANGUAGES: Final = 50
LONGEST_LABEL: Final = 100

CaptionList = list[dict[str, Any]]
"""As an asset's document has them."""
