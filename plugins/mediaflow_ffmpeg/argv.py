"""What all command lines of this plugin begin with, and what opens their inputs."""

from __future__ import annotations

from typing import Any, Final

from mediaflow.plugin import ALLOCATION_BYTES, safe_input_options

# max_alloc: a header that asks for a huge block of memory gets an error instead
QUIET: Final = (
    "-hide_banner", "-nostdin", "-nostats", "-loglevel", "error", "-max_alloc", str(ALLOCATION_BYTES),
)  # fmt: skip
ONE_THREAD: Final = {"threads": 1}
"""Of a few frames the start of more threads is most of the work: 0.3 core seconds instead of 0.6 for the init segments
of three renditions, 0.15 instead of 0.2 for decoding a segment of 360p.
"""


def safe(formats: str) -> dict[str, str]:
    """The options before an input as ffmpeg-python takes them."""
    options = safe_input_options(formats)
    return {name.removeprefix("-"): value for name, value in zip(options[::2], options[1::2], strict=True)}


def compiled(output: Any, *global_options: str) -> list[str]:
    """The command line of a graph of ffmpeg-python."""
    argv: list[str] = output.compile(cmd=["ffmpeg", *global_options])
    return argv
