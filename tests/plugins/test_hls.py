"""HLS playlists: recorded ones in `tests/data/hls/` (`UPDATE_GOLDEN=1` writes them anew), and what holds for any."""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import m3u8
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediaflow.plugin import Foretold, Presentation, Rendition, Segment, Track
from mediaflow.testing.manifests import sample_audio, sample_presentations, sample_video
from mediaflow_hls.bandwidth import average_bps, peak_bps, target_duration
from mediaflow_hls.plugin import mediaflow_register_manifests
from mediaflow_hls.render import Hls

GOLDEN = Path(__file__).parents[1] / "data" / "hls"


def rendered(presentation: Presentation) -> dict[str, str]:
    return {manifest.path: manifest.body for manifest in Hls().render(presentation)}


def test_the_plugin_offers_hls() -> None:
    assert [form.name for form in mediaflow_register_manifests()] == ["hls"]


@pytest.mark.parametrize("kind", sample_presentations())
def test_the_playlists_are_the_recorded_ones(kind: str) -> None:
    text = "".join(f"== {path}\n{body}" for path, body in rendered(sample_presentations()[kind]).items())
    file = GOLDEN / f"{kind.replace(' ', '-')}.txt"

    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(text)

    assert text == file.read_text()


def segment(seconds: float, size: int) -> Segment:
    return Segment("../v.1/00000.m4s", seconds, size)


@pytest.mark.parametrize(
    ("segments", "peak", "average"),
    [
        pytest.param([(4, 500), (4, 1000), (4, 500)], 2000, 1334, id="the largest segment"),
        pytest.param([(4, 1000), (1, 1000)], 3200, 3200, id="a short end counts with the one before only"),
        pytest.param([(4, 100), (2, 1000)], 4000, 1467, id="half a target duration counts alone"),
        pytest.param([(1, 1000)], 8000, 8000, id="shorter than half a target duration in all"),
    ],
)
def test_the_peak_is_over_runs_of_half_to_one_and_a_half_target_durations(
    segments: list[tuple[float, int]], peak: int, average: int
) -> None:
    given = replace(sample_video(), segments=tuple(segment(seconds, size) for seconds, size in segments))

    assert (peak_bps(given, 4), average_bps(given)) == (peak, average)
    # what is made while it is watched has no sizes yet: its bit rates are told
    told = replace(given, foretold=Foretold(((2, 4.0),), peak_bps=7, average_bps=5))
    assert (peak_bps(told, 4), average_bps(told)) == (7, 5)


@pytest.mark.parametrize(("longest", "target"), [(4.0, 4), (4.004, 4), (4.5, 5), (3.96, 4), (0.04, 1)])
def test_the_target_duration_is_the_longest_segment_rounded(longest: float, target: int) -> None:
    rendition = replace(sample_video(), segments=(segment(longest, 1), segment(0.01, 1)))

    assert target_duration([rendition]) == target


def test_a_variant_counts_its_audio_and_names_both_codecs() -> None:
    presentation = sample_presentations()["video and audio"]

    master = m3u8.loads(rendered(presentation)["master.m3u8"])

    for playlist in master.playlists:
        video = next(r for r in presentation.video if f"{r.track.name}.m3u8" == playlist.uri)
        audio = next(r for r in presentation.audio if r.track.name == playlist.stream_info.audio)
        info = playlist.stream_info
        assert info.bandwidth == peak_bps(video, 4) + peak_bps(audio, 4)
        assert info.average_bandwidth == average_bps(video) + average_bps(audio)
        assert info.codecs == "avc1.64001f,mp4a.40.2"
        assert info.resolution == (video.track.width, video.track.height)


def test_audio_alone_is_variants_without_groups() -> None:
    master = rendered(sample_presentations()["audio only"])["master.m3u8"]

    assert "EXT-X-MEDIA" not in master
    assert "AUDIO=" not in master
    assert 'CODECS="mp4a.40.2"\naudio-128k.m3u8' in master


def test_captions_are_a_group_that_every_variant_names() -> None:
    bodies = rendered(sample_presentations()["languages and captions"])
    master = m3u8.loads(bodies["master.m3u8"])
    subtitles = [media for media in master.media if media.type == "SUBTITLES"]

    assert [(m.name, m.language, m.default, m.autoselect, m.uri) for m in subtitles] == [
        ("English", "en", "YES", "YES", "text_en.m3u8"),
        ("Português 'do Brasil'", "pt-BR", "NO", "YES", "text_pt-BR.m3u8"),
    ]
    assert {m.group_id for m in subtitles} == {p.stream_info.subtitles for p in master.playlists} == {"captions"}
    media = m3u8.loads(bodies["text_en.m3u8"])
    assert [(s.uri, s.duration, s.init_section) for s in media.segments] == [("en.vtt", 10.0, None)]
    assert (media.target_duration, media.is_endlist, media.playlist_type) == (10, True, "vod")


@pytest.mark.parametrize("kind", ["languages and captions", "audio only in languages"])
def test_languages_are_choices_of_one_group_with_one_default(kind: str) -> None:
    presentation = sample_presentations()[kind]
    master = m3u8.loads(rendered(presentation)["master.m3u8"])
    audio = [media for media in master.media if media.type == "AUDIO"]

    assert [(m.group_id, m.name, m.language, m.default, m.uri) for m in audio] == [
        ("audio-128k", "English", "en", "YES", "audio-128k.m3u8"),
        ("audio-128k", "Deutsch", "de", "NO", "audio-de-128k.m3u8"),
    ]
    (playlist,) = master.playlists
    assert playlist.stream_info.audio == "audio-128k"
    assert playlist.uri == ("720p.m3u8" if presentation.video else "audio-128k.m3u8")


def test_a_variant_counts_the_largest_choice_of_its_group() -> None:
    heavy = sample_audio("audio-de", language="de", label="Deutsch", group="audio-128k")
    heavy = replace(heavy, segments=tuple(replace(s, size_bytes=s.size_bytes * 3) for s in heavy.segments))
    video, usual = sample_video(audio_group="audio-128k"), sample_audio()

    (playlist,) = m3u8.loads(rendered(Presentation(10.0, (video,), (heavy, usual)))["master.m3u8"]).playlists

    assert playlist.stream_info.bandwidth == peak_bps(video, 4) + peak_bps(heavy, 4)


def test_choices_of_one_name_are_numbered() -> None:
    choices = [sample_audio(), *(sample_audio(f"more-{n}", group="audio-128k", label=" Main\n") for n in range(2))]

    master = m3u8.loads(rendered(Presentation(10.0, (), tuple(choices)))["master.m3u8"])

    assert [media.name for media in master.media] == ["Main", "Main 2", "Main 3"]


def test_a_video_whose_audio_was_not_made_is_silent() -> None:
    presentation = Presentation(10.0, (sample_video(audio_group="audio-128k"),), ())

    assert "AUDIO=" not in rendered(presentation)["master.m3u8"]


def test_the_first_variant_is_the_best_one_for_two_megabits() -> None:
    small, middle, large = (sample_video(f"{height}p", height=height) for height in (360, 720, 2160))
    heavy = replace(large, segments=tuple(replace(s, size_bytes=s.size_bytes * 4) for s in large.segments))

    master = m3u8.loads(rendered(Presentation(10.0, (heavy, middle, small), ()))["master.m3u8"])

    assert [playlist.uri for playlist in master.playlists] == ["720p.m3u8", "2160p.m3u8", "360p.m3u8"]


def test_while_nothing_is_made_the_first_variant_is_the_one_that_costs_nothing() -> None:
    small, middle, large = (
        replace(
            sample_video(f"{height}p", height=height), foretold=Foretold(((3, 4.0),), 9_000_000, 9_000_000, cost=cost)
        )
        for height, cost in ((360, 0.1), (720, 0.4), (1080, 0.0))
    )
    master = m3u8.loads(rendered(Presentation(12.0, (large, middle, small), ()))["master.m3u8"])
    costly = m3u8.loads(rendered(Presentation(12.0, (middle, small), ()))["master.m3u8"])

    assert [playlist.uri for playlist in master.playlists] == ["1080p.m3u8", "720p.m3u8", "360p.m3u8"]
    assert costly.playlists[0].uri == "360p.m3u8"


def test_the_first_variant_is_one_that_everything_plays() -> None:
    presentation = sample_presentations()["video and audio"]
    h264 = presentation.video[0]
    av1 = replace(h264, track=replace(h264.track, name="720p-av1", codecs="av01.0.05M.08"))
    small = replace(h264, segments=tuple(replace(each, size_bytes=1) for each in h264.segments))
    first, second = (
        [line for line in rendered(replace(presentation, video=video))["master.m3u8"].splitlines() if line[0] != "#"]
        for video in ((av1, small), (av1, replace(av1, track=replace(av1.track, name="360p-av1"))))
    )
    assert first == [f"{small.track.name}.m3u8", "720p-av1.m3u8"]
    assert second in (["720p-av1.m3u8", "360p-av1.m3u8"], ["360p-av1.m3u8", "720p-av1.m3u8"])


@pytest.mark.parametrize(
    ("language", "written"),
    [("eng", 'LANGUAGE="eng"'), ("pt-BR", 'LANGUAGE="pt-BR"'), ("und", None), (None, None), ('e",URI="x', None)],
)
def test_a_language_is_written_only_when_it_is_one(language: str | None, written: str | None) -> None:
    presentation = Presentation(10.0, (sample_video(audio_group="audio-128k"),), (sample_audio(language=language),))

    master = rendered(presentation)["master.m3u8"]

    assert (written in master) if written else ("LANGUAGE" not in master)


def test_a_track_called_master_does_not_hide_the_entry() -> None:
    presentation = Presentation(10.0, (sample_video("master"),), ())

    assert set(rendered(presentation)) == {"master.m3u8", "master-track.m3u8"}


segments = st.lists(
    st.builds(segment, st.floats(min_value=0.01, max_value=12), st.integers(min_value=1, max_value=10_000_000)),
    min_size=1,
    max_size=40,
)


@given(segments, segments)
def test_any_presentation_reads_back_as_it_was(video: list[Segment], audio: list[Segment]) -> None:
    track = Track("v", "video", "avc1.640028", 1000, width=1920, height=1080, frame_rate=Fraction(30000, 1001),
                  audio_group="a")  # fmt: skip
    sound = Track("a", "audio", "mp4a.40.2", 48000, channels=2)
    presentation = Presentation(
        1.0,
        (Rendition(track, "../v.1/init.mp4", tuple(video)),),
        (Rendition(sound, "../a.1/init.mp4", tuple(audio)),),
    )

    bodies = rendered(presentation)
    master = m3u8.loads(bodies["master.m3u8"])
    media = {name: m3u8.loads(bodies[f"{name}.m3u8"]) for name in ("v", "a")}

    info = master.playlists[0].stream_info
    assert info.average_bandwidth <= info.bandwidth
    assert info.frame_rate == 29.97
    assert master.media[0].uri == "a.m3u8"
    assert media["v"].target_duration == media["a"].target_duration
    for name, given_segments in (("v", video), ("a", audio)):
        playlist = media[name]
        assert playlist.is_endlist
        assert playlist.playlist_type == "vod"
        assert [s.uri for s in playlist.segments] == [s.uri for s in given_segments]
        for read, written in zip(playlist.segments, given_segments, strict=True):
            assert read.duration == pytest.approx(written.duration_seconds, abs=1e-6)
            assert int(read.duration + 0.5) <= playlist.target_duration
            assert read.init_section.uri == f"../{name}.1/init.mp4"
