"""What an artifact says of itself is told by field and value when a viewer, or a manifest, would choke on it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mediaflow.plugin import Artifact, Foretold, Track
from mediaflow.services.pipeline.madefiles import unfit_artifact

TRACK = Track("360p", "video", "avc1.640028", 12800, width=640, height=360)
INIT = Artifact("360p/init.mp4", "init", "video/mp4", 800, track="360p", describes=TRACK)
SEGMENT = Artifact("360p/0.m4s", "segment", "video/mp4", 9, track="360p", number=0, duration_seconds=4.0)


def describing(**fields: Any) -> Artifact:
    return replace(INIT, describes=replace(TRACK, **fields))


def foretelling(*runs: tuple[int, float], peak: int = 9, average: int = 9) -> Artifact:
    return replace(INIT, foretells=Foretold(runs, peak, average))


@pytest.mark.parametrize(
    ("artifact", "said"),
    [
        (replace(SEGMENT, path="a b"), "that this is its path"),
        (replace(SEGMENT, path="a" * 300), "that this is its path"),
        (replace(SEGMENT, duration_seconds=float("nan")), "that its duration_seconds is nan"),
        (replace(SEGMENT, duration_seconds=float("inf")), "that its duration_seconds is inf"),
        (replace(SEGMENT, duration_seconds=-1.0), "that its duration_seconds is -1.0"),
        (replace(SEGMENT, number=-1), "that its number is -1"),
        (replace(SEGMENT, track="../../../x"), "that its track is '../../../x'"),
        (replace(SEGMENT, track='"'), "that its track is '\"'"),
        (describing(name="a\nb"), r"whose name is 'a\nb'"),
        (describing(audio_group='a"'), "whose audio_group is 'a\"'"),
        (describing(codecs='avc1",URI="x'), "that its codecs are 'avc1\",URI=\"x'"),
        (describing(codecs="avc1\n#EXT"), r"that its codecs are 'avc1\n#EXT'"),
        (describing(codecs=""), "that its codecs are ''"),
        (describing(timescale=0), "that the timescale of its track is 0"),
        (describing(height=-2), "that the height of its track is -2"),
        (foretelling(), "that it foretells 0 runs of segments"),
        (foretelling((10**9, 2.0)), "that it foretells 1000000000 segments; they must be at most 50000"),
        (foretelling((30_000, 2.0), (30_000, 1.0)), "that it foretells 60000 segments"),
        (foretelling((0, 2.0)), "that it foretells 0 segments of 2.0 s"),
        (foretelling((2, float("nan"))), "that it foretells 2 segments of nan s"),
        (foretelling((2, -1.0)), "that it foretells 2 segments of -1.0 s"),
        (foretelling((2, float("inf"))), "that it foretells 2 segments of inf s"),
        (foretelling((2, 2.0), peak=10**30), "that it foretells peak_bps 1000000000000000000000000000000"),
        (foretelling((2, 2.0), average=0), "that it foretells average_bps 0"),
        (describing(label="a\nb"), r"that the label of its track is 'a\nb'"),
    ],
)
def test_what_is_wrong_is_told_with_its_value(artifact: Artifact, said: str) -> None:
    assert said in (unfit_artifact(artifact) or "")


@pytest.mark.parametrize(
    "codecs", ["avc1.640028", "mp4a.40.2", "av01.0.04M.10.0.110.09.16.09.0", "hvc1.1.6.L93.B0", "vp09.00.10.08", "ec-3"]
)
def test_what_is_right_is_taken(codecs: str) -> None:
    assert unfit_artifact(describing(codecs=codecs)) is None
    assert unfit_artifact(SEGMENT) is None
    assert unfit_artifact(foretelling((9_000, 2.0), (1, 0.04))) is None
