"""What a profile's parameters ask of a video step: which encoder, set how, for which of the ladder's renditions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from mediaflow.plugin import VideoRendition
from mediaflow_ffmpeg.families import FAMILIES, USUAL, Codec, Family, of_codec
from mediaflow_ffmpeg.jobs import Encoder
from mediaflow_ffmpeg.params import Choice, Number, problems
from mediaflow_ffmpeg.x264 import lines

_ENCODER: Final = "encoder"
_KEYFRAMES: Final = Number("keyframe_seconds", 0.5, 10)
_BESIDE: Final = (Number("min_height", 0, 4320, whole=True), Choice("when", ("eager", "on_demand")))
"""Of the codecs that stand beside H.264, which has all sizes and the ladder's own word."""


def wrong(codec: Codec, params: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each parameter that is unknown or has a value that this encoder does not take."""
    names = tuple(family.encoder for family in of_codec(codec))
    named = params.get(_ENCODER, USUAL[codec])
    # of an encoder that there is not nobody knows the parameters
    if not isinstance(named, str) or named not in names:
        yield f"{_ENCODER}: {named!r} is none of {', '.join(names)}"
        return
    yield from problems(params, [Choice(_ENCODER, names), *_known(FAMILIES[named])])


def encoder_of(codec: Codec, params: Mapping[str, Any]) -> Encoder:
    """The encoder with its settings, of parameters that `wrong` has nothing to say about."""
    family = FAMILIES[params.get(_ENCODER, USUAL[codec])]
    own = {name: params[name] for name in ("crf", "tune", "profile", "keyframe_seconds") if name in params}
    # YAML has numbers where a preset is one
    return Encoder(family=family.encoder, preset=str(params.get("preset", family.usual)), **own)


def chosen(family: Family, params: Mapping[str, Any], ladder: Sequence[VideoRendition]) -> tuple[VideoRendition, ...]:
    """The renditions of the ladder that are made, from `min_height` lines on, under the encoder's caps."""
    return tuple(
        replace(
            rendition,
            max_bitrate_bps=round(family.share * rendition.max_bitrate_bps),
            when=params.get("when", rendition.when),
        )
        for rendition in ladder
        if lines(rendition) >= params.get("min_height", 0)
    )


def _known(family: Family) -> Sequence[Choice | Number]:
    numbered = all(preset.isdigit() for preset in family.presets)
    least, most = (pick(map(int, family.presets)) if numbered else 0 for pick in (min, max))
    return [
        Number("preset", least, most, whole=True) if numbered else Choice("preset", tuple(family.presets)),
        Number("crf", family.least, family.most, whole=family.whole),
        *([Choice("tune", family.tunes)] if family.tunes else []),
        *([Choice("profile", family.profiles)] if family.profiles else []),
        _KEYFRAMES,
        *(() if family.codec == "h264" else _BESIDE),
    ]
