"""The filter graph of sound, built with ffmpeg-python. Pure: values in, nodes out; each filter has its reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mediaflow.plugin import AudioRendition
from mediaflow_ffmpeg.graph import Node, seconds
from mediaflow_ffmpeg.jobs import NO_GAIN, Gain
from mediaflow_ffmpeg.loudness import PEAK_DBTP

PAD_SAMPLES: Final = 4096
"""Decoders give a frame or two more or less than packets promise."""
LIMITER: Final = {
    # Surround is mixed down as ITU-R BS.775-4 says (front and 0.7 of centre and surround each), so that dialogue keeps
    # its level beside other films: where all of it is loud, that is up to 7.7 dB more than there is room for.
    "limit": 0.891,
    # no gain beyond that
    "level": 0,
    # nothing is late by what it looks ahead
    "latency": 1,
}
"""Loudest samples 1 dB below full scale: coding adds as much again."""


def audio_graph(
    source: Node,
    renditions: Sequence[AudioRendition],
    *,
    channels: int = 2,
    gain: Gain = NO_GAIN,
    by_count: bool = False,
    pad_seconds: float | None = None,
    samples: range | None = None,
    sought: bool = False,
    padded: bool = False,
) -> list[Node]:
    """One node for each rendition, all from one decode and one resampling, of a source of so many `channels`.

    `by_count` tells the time by counting samples, for sources whose timestamps are nonsense. What is shorter than
    `pad_seconds` ends with silence. Of `samples` of the presentation, just those come out if no more than `PAD_SAMPLES`
    are missing in the end, or any number with `padded`; decoding began only shortly before them with `sought`.
    """
    first = renditions[0]
    if by_count:
        source = source.filter("asetpts", "STARTPTS+N/SR/TB")
    # async=1 fills gaps with silence and cuts overlaps; first_pts=0 leads audio that begins late in with silence.
    # Without them, what is missing would move all that follows to an earlier time, away from the picture.
    begin = samples.start if samples is not None and sought else 0
    if begin:
        # `first_pts` counts samples of the filter's input
        source = source.filter("aresample", first.sample_rate_hz)
    node = source.filter("aresample", first.sample_rate_hz, **{"async": 1, "first_pts": begin})
    node = _raised(mixed_down(node, first, channels), first, gain)
    if pad_seconds is not None:
        node = node.filter("apad", whole_dur=seconds(pad_seconds))
    if samples is not None:
        start, end = samples.start - begin, samples.stop - begin
        node = node.filter("apad", **({"whole_len": end} if padded else {"pad_len": PAD_SAMPLES}))
        node = node.filter("atrim", end_sample=end, **({"start_sample": start} if start else {}))
    if len(renditions) == 1:
        return [node]
    split = node.filter_multi_output("asplit", len(renditions))
    return [split[number] for number in range(len(renditions))]


def mixed_down(node: Node, rendition: AudioRendition, channels: int) -> Node:
    """In the rendition's channels and rate, of a source of so many `channels`."""
    layout = "mono" if rendition.channels == 1 else "stereo"
    # fltp: integers would be made quieter by 7.7 dB when six channels become two
    node = node.filter("aformat", sample_fmts="fltp", sample_rates=rendition.sample_rate_hz, channel_layouts=layout)
    return node.filter("alimiter", **LIMITER) if channels > rendition.channels else node


def _raised(node: Node, rendition: AudioRendition, gain: Gain) -> Node:
    """As loud as wished; after the down-mix, which is what was measured."""
    if gain.db:
        node = node.filter("volume", f"{gain.db}dB", precision="float")
    if gain.limited:
        # a peak lies between samples, too (ITU-R BS.1770-4, annex 2): four times as many have nearly all of it
        node = node.filter("aresample", 4 * rendition.sample_rate_hz)
        node = node.filter("alimiter", **{**LIMITER, "limit": round(10 ** (PEAK_DBTP / 20), 4)})
        node = node.filter("aresample", rendition.sample_rate_hz)
    return node
