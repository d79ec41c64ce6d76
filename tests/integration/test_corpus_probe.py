"""Real and hostile files: each is refused or measured as its manifest says, and none makes us look anywhere else.

The corpus is not part of this repository: `MEDIAFLOW_CORPUS` names its directory, else it lies beside the checkout.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

import pytest

from mediaflow.domain.errors import MediaRejected
from mediaflow.domain.media import MediaInfo
from mediaflow.media.animated import readable
from mediaflow.media.probe import probe
from mediaflow.plugin import MediaContext
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow_validation.plugin import mediaflow_validate_media
from tests.corpus import Sample, samples
from tests.integration.tripwires import tripwires_set

pytestmark = pytest.mark.skipif(not samples(), reason="the corpus is not at hand (MEDIAFLOW_CORPUS)")
CONTEXT = MediaContext({"max_duration_seconds": 86400, "max_pixels": 75_000_000, "max_streams": 32})

POLICY = MappingProxyType(
    {
        # one behaviour each, every time: None is accepted
        "svt__multiple_audio.mp4": None,
        "androidx__sample_audio_only_15s.mp4": None,
        "rails__audio.mp3": None,
        "sannies__test-pod.m4a": None,
        "androidx__bear_with_picture.flac": None,
        "sindresorhus__fixture.wav": None,
        "androidx__bbb_6ch_8kHz_opus.ogg": None,
        "mozilla__no_timescale.mp4": None,
        "hostile/truncated_webm.webm": None,
        "sindresorhus__fixture-babys-songbook.m4b.m4a": "media.truncated",
        "abema__sample_qt.mp4": "media.truncated",
        "webmproject__fixed_lacing_bad_lace_size.mkv": "media.undecodable",
        "rails__image.gif": "media.unsupported",
        "recurser__Landscape_6.jpg": "media.unsupported",
        "sindresorhus__fixture.apng": None,
        "libvips__1.webp": "media.unsupported",
        "androidx__200kB-garbage-prefix.mp3": "media.unsupported",
        "hostile/html_then_mp4.mp4": "media.unsupported",
    }
)
REASONS = MappingProxyType(
    {
        "androidx__sample_vvc.mp4": "media.unsupported",
        "androidx__sample_fragmented_widevine.mp4": "media.encrypted",
        "Eyevinn__prog_8s_enc_dashinit.mp4": "media.encrypted",
        "photoprism__quicktime-jpeg.mov": "media.undecodable",
        "streamio__broken.mp4": "media.truncated",
        "hostile/truncated_moov_at_end.mp4": "media.truncated",
        "hostile/empty.mp4": "media.empty",
        "hostile/hls_local_victim.mp4": "media.unsupported",
    }
)


def named(verdict: str) -> list[Any]:
    return [pytest.param(sample, id=sample.name) for sample in samples() if sample.verdict == verdict]


@pytest.fixture(scope="module", autouse=True)
def _nobody_calls() -> Iterator[None]:
    """A connection where hostile files point fails the module."""
    with tripwires_set() as tripwires:
        yield
        assert tripwires.connections() == 0


def looked_at(sample: Sample) -> MediaInfo:
    """Probe and validate as a worker does. Raises MediaRejected for either."""
    runner = SandboxedRunner("bwrap")
    with readable(sample.path, runner) as source:
        media = probe(source, runner, max_streams=32, max_pixels=75_000_000)
    for problem in mediaflow_validate_media(media, CONTEXT):
        raise MediaRejected(problem.detail, code=problem.code)
    return media


def expect_sane(media: MediaInfo, sample: Sample) -> None:
    expected = sample.expected
    if expected.get("display_size") and media.video:
        assert list(media.video.display_size) == expected["display_size"]
    for kind in ("video", "audio"):
        if expected.get(f"has_{kind}") is not None:
            assert (getattr(media, kind) is not None) == expected[f"has_{kind}"]
    assert 0 < media.duration_seconds < 400
    if media.video is not None:
        assert 1 < media.video.frame_rate <= 60
        assert media.video.rotation_degrees in (0, 90, 180, 270)
        assert media.video.start_seconds >= 0
        assert media.video.frame_count <= 10883


@pytest.mark.parametrize("sample", named("accept"))
def test_a_good_file_is_measured_as_it_is(sample: Sample) -> None:
    expect_sane(looked_at(sample), sample)


@pytest.mark.parametrize("sample", named("reject"))
def test_a_bad_file_is_rejected_with_a_reason_for_people(sample: Sample) -> None:
    with pytest.raises(MediaRejected) as caught:
        looked_at(sample)
    expect_reason(caught.value, REASONS.get(sample.name))


@pytest.mark.parametrize("sample", named("policy"))
def test_a_doubtful_file_is_treated_the_same_every_time(sample: Sample) -> None:
    code = POLICY[sample.name]
    if code is None:
        expect_sane(looked_at(sample), sample)
        return
    with pytest.raises(MediaRejected) as caught:
        looked_at(sample)
    expect_reason(caught.value, code)


def expect_reason(error: MediaRejected, code: str | None) -> None:
    assert error.code.startswith("media.")
    assert code in (None, error.code)
    assert error.detail.endswith(".")
    assert not any(text in error.detail for text in ("/tmp", "media/", "root:", "0x", "None"))
