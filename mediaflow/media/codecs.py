"""What a sample entry says of its codec: the RFC 6381 string and the figures that manifests tell.

Sources: ISO/IEC 14496-15 (avcC, hvcC and annex E), the AV1, VP9, Opus and FLAC bindings to ISO-BMFF, ISO/IEC 14496-1
and 14496-3 (esds), ETSI TS 102 366 annex F (dac3, dec3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from mediaflow.media.boxes import BadBoxes, one, u32

_VISUAL_BYTES: Final = 78
_AUDIO_BYTES: Final = 28
"""What a sample entry has before its boxes (14496-12, 12.1.3 and 12.2.3)."""
_AC3_CHANNELS: Final = (2, 1, 2, 3, 3, 4, 4, 5)
"""Full-bandwidth channels by audio coding mode (TS 102 366, 4.4.2.3)."""
_DEPENDENT_CHANNELS: Final = (2, 2, 1, 1, 2, 2, 2, 1, 1)
"""Channels of each bit of chan_loc, from the lowest (TS 102 366, F.6.2.13)."""


@dataclass(frozen=True, slots=True)
class SampleFacts:
    """`kind` is video or audio; `width` and `height` in pixels, or `channels` and `sample_rate_hz`, are 0 else."""

    kind: str
    codecs: str
    width: int = 0
    height: int = 0
    channels: int = 0
    sample_rate_hz: int = 0


def sample_facts(kind: bytes, entry: memoryview) -> SampleFacts:
    """The facts of a sample entry of that type. Raises BadBoxes for a codec that is not known."""
    name = kind.decode("latin1")
    if name in _VIDEO:
        size = int.from_bytes(entry[24:26]), int.from_bytes(entry[26:28])
        return SampleFacts("video", _VIDEO[name](name, entry[_VISUAL_BYTES:]), width=size[0], height=size[1])
    if name in _AUDIO:
        codecs, channels, rate = _AUDIO[name](name, entry[_AUDIO_BYTES:])
        channels = channels or int.from_bytes(entry[16:18])
        return SampleFacts("audio", codecs, channels=channels, sample_rate_hz=rate or u32(entry, 24) >> 16)
    raise BadBoxes(f"its samples are of type {name!r}; known are {', '.join((*_VIDEO, *_AUDIO))}")


class Bits:
    """Reads numbers of some bits each, the highest bit first."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._value, self._left = int.from_bytes(data), 8 * len(data)

    def take(self, count: int) -> int:
        """The next so many. BadBoxes when there are none."""
        self._left -= count
        if self._left < 0:
            raise BadBoxes("a codec's configuration is cut off")
        return self._value >> self._left & (1 << count) - 1


def _avc(name: str, boxes: memoryview) -> str:
    return f"{name}.{bytes(one(boxes, b'avcC')[1:4]).hex()}"


def _hevc(name: str, boxes: memoryview) -> str:
    bits = Bits(one(boxes, b"hvcC")[1:13])
    space, tier, profile = bits.take(2), bits.take(1), bits.take(5)
    compatible = int(f"{bits.take(32):032b}"[::-1], 2)
    constraints = bits.take(48).to_bytes(6).rstrip(b"\0")
    parts = [f"{('', 'A', 'B', 'C')[space]}{profile}", f"{compatible:X}", f"{'LH'[tier]}{bits.take(8)}"]
    return ".".join([name, *parts, *(f"{byte:X}" for byte in constraints)])


def _av1(name: str, boxes: memoryview) -> str:
    bits = Bits(one(boxes, b"av1C")[1:3])
    profile, level, tier = bits.take(3), bits.take(5), bits.take(1)
    high, twelve = bits.take(1), bits.take(1)
    return f"{name}.{profile}.{level:02d}{'MH'[tier]}.{8 + 2 * high + 2 * (high and twelve):02d}"


def _vpx(name: str, boxes: memoryview) -> str:
    # a full box: four bytes of version and flags before profile, level and bit depth
    bits = Bits(one(boxes, b"vpcC")[4:7])
    return f"{name}.{bits.take(8):02d}.{bits.take(8):02d}.{bits.take(4):02d}"


def _mpeg4(name: str, boxes: memoryview) -> tuple[str, int, int]:
    """`mp4a.<object type>[.<audio object type>]`, from the DecoderConfig (tag 4) and DecoderSpecificInfo (tag 5)."""
    data, position, object_type = bytes(one(boxes, b"esds")[4:]), 0, None
    while position < len(data):
        tag = data[position]
        position, length = _descriptor_length(data, position + 1)
        if tag == 3:  # ES_Descriptor: id, flags, and up to three parts that the flags tell of
            flags = data[position + 2]
            position += 3 + (2 if flags & 0x80 else 0) + (2 if flags & 0x20 else 0)
            position += 1 + data[position] if flags & 0x40 else 0
        elif tag == 4:  # DecoderConfigDescriptor: thirteen bytes, then its children
            object_type = data[position]
            position += 13
        elif tag == 5 and object_type == 0x40:
            aac, channels = _aac(Bits(data[position : position + length]))
            return f"{name}.40.{aac}", channels, 0
        else:
            position += length
    if object_type is None or object_type == 0x40:
        raise BadBoxes("the MPEG-4 audio has no decoder configuration")
    return f"{name}.{object_type:02x}", 0, 0


def _aac(bits: Bits) -> tuple[int, int]:
    """Audio object type and channels of an AudioSpecificConfig (14496-3, 1.6.2.1)."""
    kind = bits.take(5)
    kind = 32 + bits.take(6) if kind == 31 else kind
    if bits.take(4) == 0xF:
        bits.take(24)  # a rate that has no number
    # the entry's own channel count is 2 in every file (14496-12, 12.2.3.2); the configuration tells the truth
    channels = bits.take(4)
    return kind, 8 if channels == 7 else channels


def _descriptor_length(data: bytes, position: int) -> tuple[int, int]:
    """Where the descriptor's body begins and how long it is: seven bits a byte, the eighth says that more follow."""
    length = 0
    while True:
        byte = data[position]
        position += 1
        length = length << 7 | byte & 0x7F
        if not byte & 0x80:
            return position, length


def _opus(name: str, boxes: memoryview) -> tuple[str, int, int]:
    return name, one(boxes, b"dOps")[1], 48000  # what every decoder gives (RFC 7845, 5.1)


def _flac(name: str, boxes: memoryview) -> tuple[str, int, int]:
    # a full box, a metadata block's header, then STREAMINFO (RFC 9639, 8.2): 80 bits of sizes before the rate
    bits = Bits(one(boxes, b"dfLa")[8:22])
    bits.take(80)
    rate = bits.take(20)
    return name, bits.take(3) + 1, rate


def _ac3(name: str, boxes: memoryview) -> tuple[str, int, int]:
    bits = Bits(one(boxes, b"dac3")[:3])
    bits.take(2 + 5 + 3)
    return name, _AC3_CHANNELS[bits.take(3)] + bits.take(1), 0


def _eac3(name: str, boxes: memoryview) -> tuple[str, int, int]:
    bits = Bits(one(boxes, b"dec3"))
    bits.take(13 + 3)
    bits.take(2 + 5 + 1 + 1 + 3)  # the first independent substream: rate, bit stream id, service
    channels = _AC3_CHANNELS[bits.take(3)] + bits.take(1)
    bits.take(3)
    if bits.take(4):  # dependent substreams add channels
        places = bits.take(9)
        channels += sum(count for bit, count in enumerate(_DEPENDENT_CHANNELS) if places >> bit & 1)
    return name, channels, 0


_VIDEO: Final[Mapping[str, Callable[[str, memoryview], str]]] = MappingProxyType(
    {"avc1": _avc, "avc3": _avc, "hvc1": _hevc, "hev1": _hevc, "av01": _av1, "vp09": _vpx, "vp08": _vpx}
)
_AUDIO: Final[Mapping[str, Callable[[str, memoryview], tuple[str, int, int]]]] = MappingProxyType(
    {"mp4a": _mpeg4, "Opus": _opus, "fLaC": _flac, "ac-3": _ac3, "ec-3": _eac3}
)
"""By sample entry: the codecs string; for audio also channels and sample rate (0: the entry's own are right)."""
