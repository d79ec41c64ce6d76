"""What an artifact may say of itself: a mistake is told by field, value and what fits. A viewer would find it else."""

from __future__ import annotations

import math
import re
from pathlib import PurePosixPath
from typing import Final

from mediaflow.domain import keys
from mediaflow.domain.mediatypes import is_media_type
from mediaflow.domain.publication import ARTIFACTS
from mediaflow.plugin import Artifact, Foretold, Track

LONGEST_TITLE: Final = 200
LONGEST_NAME: Final = 100
MOST_SECONDS: Final = 1e6
MOST_SEGMENTS: Final = 1_000_000
MOST_FORETOLD: Final = 50_000
"""Segments of a track that may be told before they are made: no more than a task may make."""
MOST_BPS: Final = 1_000_000_000_000
_CODECS: Final = re.compile(r"[A-Za-z0-9]+([.-][A-Za-z0-9]+)*")
"""One codec of RFC 6381; it is written into manifests in quotes."""


def unfit_artifact(artifact: Artifact) -> str | None:
    """What is wrong with what an artifact says of itself, as the end of `The step says of its file`."""
    path = artifact.path
    if not keys.is_key(path) or PurePosixPath(path).name == ARTIFACTS:
        return f"that this is its path; it must be of letters, digits and ._-=@+% and not be called {ARTIFACTS}"
    if not is_media_type(artifact.content_type):
        return f"that it is {artifact.content_type!r:.100}, which is no media type; it must be like video/mp4"
    if artifact.title is not None and not (artifact.title.isprintable() and 0 < len(artifact.title) <= LONGEST_TITLE):
        return f"that its title is {artifact.title!r:.100}; it must be of 1 to {LONGEST_TITLE} printable characters"
    if artifact.language is not None and not (artifact.language.isprintable() and 0 < len(artifact.language) <= 35):
        return f"that its language is {artifact.language!r:.100}; it must be a tag such as de or pt-BR, or und"
    if artifact.track is not None and not _is_name(artifact.track):
        return f"that its track is {artifact.track!r:.100}; {_NAMES}"
    if artifact.number is not None and not 0 <= artifact.number < MOST_SEGMENTS:
        return f"that its number is {artifact.number}; it must be 0 to {MOST_SEGMENTS - 1}"
    seconds = artifact.duration_seconds
    if seconds is not None and not (math.isfinite(seconds) and 0 <= seconds <= MOST_SECONDS):
        return f"that its duration_seconds is {seconds!r}; it must be 0 to {MOST_SECONDS:.0f}"
    problem = _unfit_track(artifact.describes) if artifact.describes is not None else None
    return problem or (_unfit_foretold(artifact.foretells) if artifact.foretells is not None else None)


_NAMES: Final = f"a track's name is of letters, digits and ._-=@+%, and at most {LONGEST_NAME} long"


def _unfit_track(track: Track) -> str | None:
    for field in ("name", "audio_group"):
        name = getattr(track, field)
        if name is not None and not _is_name(name):
            return f"that it describes a track whose {field} is {name!r:.100}; {_NAMES}"
    if len(track.codecs) > LONGEST_NAME or not _CODECS.fullmatch(track.codecs):
        return f"that its codecs are {track.codecs!r:.100}; they must be as RFC 6381 has them, like avc1.640028"
    for field in ("timescale", "width", "height", "frame_rate", "channels", "sample_rate_hz"):
        number = getattr(track, field)
        if number is not None and number <= 0:
            return f"that the {field} of its track is {number}; it must be more than 0"
    for field in ("language", "label"):
        text = getattr(track, field)
        if text is not None and not (text.isprintable() and len(text) <= LONGEST_TITLE):
            return f"that the {field} of its track is {text!r:.100}; it must be of printable characters"
    return None


def _unfit_foretold(told: Foretold) -> str | None:
    if not told.runs or len(told.runs) > MOST_FORETOLD:
        return f"that it foretells {len(told.runs)} runs of segments; they must be 1 to {MOST_FORETOLD}"
    for count, seconds in told.runs:
        if count < 1 or not 0 < seconds <= MOST_SECONDS:  # nor NaN
            return (
                f"that it foretells {count} segments of {seconds!r} s; they must be 1 or more, each longer than 0 and"
                f" at most {MOST_SECONDS:.0f} s"
            )
    if told.segment_count > MOST_FORETOLD:
        return f"that it foretells {told.segment_count} segments; they must be at most {MOST_FORETOLD}"
    for field in ("peak_bps", "average_bps"):
        if not 0 < getattr(told, field) <= MOST_BPS:
            return f"that it foretells {field} {getattr(told, field)}; it must be 1 to {MOST_BPS}"
    if not 0 <= told.cost <= MOST_SECONDS:  # nor NaN
        return f"that it foretells a cost of {told.cost!r}; it must be 0 to {MOST_SECONDS:.0f}"
    return None


def _is_name(name: str) -> bool:
    return len(name) <= LONGEST_NAME and keys.is_key_part(name)
