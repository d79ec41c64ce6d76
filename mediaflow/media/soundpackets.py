"""Which sound of an MP4 or MOV can be cut into segments without encoding it: AAC-LC as every player has it."""

from __future__ import annotations

from itertools import islice
from operator import sub
from typing import Final, NamedTuple

from mediaflow.domain.media import SoundPackets
from mediaflow.media.boxes import BadBoxes, boxes, children, one
from mediaflow.media.sampletables import edit_of, track_of

FRAME_SAMPLES: Final = 1024
"""Of a packet of AAC-LC."""
MOST_PRIMING_SAMPLES: Final = 2112
"""What encoders say before the sound begins: 1024 samples, Apple's 2112."""
_RATES_HZ: Final = {3: 48000, 4: 44100}
"""By their index (ISO/IEC 14496-3, 1.6.3.4): what every player has beside pictures."""
_AAC_LC: Final = 2
_AAC: Final = 0x40
_PEAK_SECONDS: Final = 2
_SOUND_ENTRY: Final = {0: 28, 1: 44}
"""Bytes of a sound sample entry before its boxes, by its version (ISO/IEC 14496-12, 12.2.3; QuickTime's second)."""


class _Sound(NamedTuple):
    rate_hz: int
    channels: int


def sound_packets(trak: memoryview, movie_scale: int, size: int, most: int) -> SoundPackets:
    """Those of a track of at most so many. BadBoxes tells why they can't be taken as they are."""
    sound = _configuration(trak)
    track = track_of(trak, movie_scale, size, most, heard=True)
    begin, end, delay = edit_of(trak, track.timescale, movie_scale)
    count = min(len(track.decoded), max(0, -(-end // FRAME_SAMPLES)))
    if track.timescale != sound.rate_hz or track.longest != FRAME_SAMPLES:
        raise BadBoxes("packets of sound are not as long as those of AAC are")
    if track.decoded[-1] != (len(track.decoded) - 1) * FRAME_SAMPLES:
        raise BadBoxes("there are gaps in the sound")
    priming = max(0, begin)
    if delay or priming > MOST_PRIMING_SAMPLES or count <= 3:
        raise BadBoxes("an edit list moves the sound, or leaves nothing of it")
    ends = track.ends[: count + 1]
    width = min(count, -(-_PEAK_SECONDS * sound.rate_hz // FRAME_SAMPLES))
    most_bytes = max(map(sub, islice(ends, width, None), ends))
    # as ffmpeg has it: what is shown lasts no longer than the track's header says
    last = min(end, priming + _declared(one(trak, b"mdia", b"mdhd"))) - (count - 1) * FRAME_SAMPLES
    if not 0 < last <= 2 * FRAME_SAMPLES:
        raise BadBoxes("the sound ends long before its edit list does")
    return SoundPackets(
        count=count,
        last_samples=last,
        sample_rate_hz=sound.rate_hz,
        channels=sound.channels,
        priming_samples=priming,
        average_bps=_bps(ends[-1], count, sound.rate_hz),
        peak_bps=_bps(most_bytes, width, sound.rate_hz),
    )


def _declared(mdhd: memoryview) -> int:
    """The length of a track, in its ticks (ISO/IEC 14496-12, 8.4.2)."""
    return int.from_bytes(mdhd[24:32] if mdhd[0] else mdhd[16:20], "big")


def _bps(size_bytes: int, packets: int, rate_hz: int) -> int:
    return -(-size_bytes * 8 * rate_hz // (packets * FRAME_SAMPLES))


def _configuration(trak: memoryview) -> _Sound:
    """What the decoder is told (ISO/IEC 14496-3, 1.6.2.1). Newer kinds of AAC are not taken: not every player has them,
    and their packets are longer.
    """
    entries = list(boxes(one(trak, b"mdia", b"minf", b"stbl", b"stsd")[8:]))
    if len(entries) != 1 or entries[0][0] != b"mp4a":
        raise BadBoxes("the sound is not all of one stream of AAC")
    entry = entries[0][1]
    begin = _SOUND_ENTRY.get(int.from_bytes(entry[8:10], "big"))
    if begin is None:
        raise BadBoxes("the sound is described in another version")
    # QuickTime has it in a box of its own
    inner = next(children(entry[begin:], b"wave"), entry[begin:])
    told = bytes(_decoder_told(bytes(one(inner, b"esds")[4:])))
    bits = int.from_bytes(told[:5].ljust(5, b"\0"), "big")
    kind, rate, channels, rest = bits >> 35, bits >> 31 & 15, bits >> 27 & 15, bits >> 24 & 7
    if kind != _AAC_LC or rate not in _RATES_HZ or channels not in (1, 2) or rest or _extended(told):
        raise BadBoxes("not every player has this kind of AAC")
    return _Sound(_RATES_HZ[rate], channels)


def _extended(told: bytes) -> bool:
    """Whether more than AAC-LC follows (1.6.5.2, 0x2b7 and 5): an extension that is switched off does not."""
    return len(told) > 2 and not (told[2:4] == b"\x56\xe5" and len(told) > 4 and told[4] >> 7 == 0)


def _decoder_told(descriptors: bytes) -> bytes:
    """What an `esds` box has for the decoder (ISO/IEC 14496-1, 7.2.6.5 to 7.2.6.7)."""
    stream = _descriptor(descriptors, 3)
    flags = stream[2]
    behind = 3 + 2 * (flags >> 7) + 2 * (flags >> 5 & 1)
    if flags >> 6 & 1:
        behind += 1 + stream[behind]
    decoder = _descriptor(stream[behind:], 4)
    if decoder[0] != _AAC:
        raise BadBoxes("the sound is not AAC")
    return _descriptor(decoder[13:], 5)


def _descriptor(data: bytes, tag: int) -> bytes:
    """The body of the one that begins there (8.3.3: seven bits of its length in each byte)."""
    if data[0] != tag:
        raise BadBoxes("the sound is not described as AAC is")
    length, position = 0, 1
    while True:
        byte = data[position]
        length, position = length << 7 | byte & 0x7F, position + 1
        if byte < 0x80 or position > 4:
            return data[position : position + length]
