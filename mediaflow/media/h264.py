"""What a sequence parameter set of H.264 says (ITU-T H.264, 7.3.2.1.1)."""

from __future__ import annotations

from typing import Final

from mediaflow.media.boxes import BadBoxes
from mediaflow.media.codecs import Bits

_MOST_BYTES: Final = 1024
_HIGH: Final = 100
_MOST_ZEROS: Final = 32


def shows_frames(unit: bytes) -> bool:
    """Whether each picture is a frame: no fields, of which two lines stand for one, whatever a container says. BadBoxes
    for what is no parameter set, or has scaling matrices of its own, which nobody reads here.
    """
    if len(unit) > _MOST_BYTES:
        raise BadBoxes("a set of parameters is too long")
    # three bytes that would be taken for a beginning have a fourth between them (7.4.1)
    bits = Bits(unit.replace(b"\0\0\3", b"\0\0")[1:])
    profile = bits.take(8)
    bits.take(16)  # constraints and level
    _number(bits)
    if profile >= _HIGH:
        _skip_high(bits)
    _number(bits)  # of frames before the count begins again
    _skip_order(bits)
    _number(bits)  # reference frames
    bits.take(1)  # gaps
    _number(bits)  # width
    _number(bits)  # height
    return bool(bits.take(1))


def _skip_high(bits: Bits) -> None:
    if _number(bits) == 3:  # 4:4:4
        bits.take(1)
    _number(bits)  # depth of luma
    _number(bits)  # and of chroma
    bits.take(1)
    if bits.take(1):
        raise BadBoxes("there are scaling matrices")


def _skip_order(bits: Bits) -> None:
    kind = _number(bits)
    if kind == 0:
        _number(bits)
    elif kind == 1:
        bits.take(1)
        _number(bits)
        _number(bits)
        for _ in range(_number(bits)):
            _number(bits)


def _number(bits: Bits) -> int:
    """An Exp-Golomb number (9.1)."""
    zeros = 0
    while not bits.take(1):
        zeros += 1
        if zeros > _MOST_ZEROS:
            raise BadBoxes("a number is too long")
    return (1 << zeros) - 1 + bits.take(zeros)
