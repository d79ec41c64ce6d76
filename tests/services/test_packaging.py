"""Artifacts of several tasks become one presentation, or an error that names the gap."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from mediaflow.domain.errors import TaskFailed
from mediaflow.domain.presentation import Artifact, Foretold, Track
from mediaflow.domain.publication import FileType, Output, Publication
from mediaflow.services.pipeline.packaging import (
    Produced,
    build_presentation,
    describe_renditions,
    files_of,
    outputs_of,
)


def track(name: str, height: int) -> Track:
    return Track(
        name,
        "video",
        "avc1.64001f",
        12800,
        width=height * 16 // 9,
        height=height,
        frame_rate=Fraction(25),
        audio_group="a",
    )


def init(of: Track) -> Artifact:
    return Artifact(f"{of.name}/init.mp4", "init", "video/mp4", 800, track=of.name, describes=of)


def segment(name: str, number: int, size: int = 1000) -> Artifact:
    path = f"{name}/{number:05}.m4s"
    return Artifact(path, "segment", "video/iso.segment", size, track=name, number=number, duration_seconds=4.0)


AUDIO = Track("a", "audio", "mp4a.40.2", 48000, channels=2, sample_rate_hz=48000)


def test_spans_of_one_track_are_joined_in_order_with_the_first_init() -> None:
    high, low = track("720p", 720), track("360p", 360)
    first = Produced("g1/video-0.1", (init(low), init(high), segment("720p", 0), segment("360p", 0)))
    second = Produced("g1/video-1.3", (init(low), init(high), segment("720p", 1), segment("360p", 1)))
    sound = Produced("g1/audio.1", (init(AUDIO), segment("a", 0, 100), segment("a", 1, 100)))

    made = build_presentation([second, first, sound])

    assert [r.track.name for r in made.video] == ["720p", "360p"]
    assert [s.uri for s in made.video[0].segments] == ["../video-0.1/720p/00000.m4s", "../video-1.3/720p/00001.m4s"]
    assert made.duration_seconds == 8.0
    described = describe_renditions(made)
    assert described[0] == {
        "name": "720p",
        "width": 1280,
        "height": 720,
        "frame_rate": 25.0,
        "bitrate_bps": 2200,
        "codecs": "avc1.64001f,mp4a.40.2",
        "segments": 2,
        "when": "eager",
    }


def test_languages_are_named_as_players_know_them() -> None:
    high = track("720p", 720)
    german = replace(AUDIO, name="a-ger", language="ger", audio_group="a")
    produced = [
        Produced("g1/video-0.1", (init(high), segment("720p", 0))),
        Produced("g1/audio.1", (init(replace(AUDIO, language="und")), segment("a", 0))),
        Produced("g1/audio-ger.1", (init(german), segment("a-ger", 0, 2000))),
    ]

    made = build_presentation(produced)

    named = {r.track.name: (r.track.language, r.track.label, r.track.audio_group) for r in made.audio}
    assert named == {"a": (None, None, None), "a-ger": ("de", "Deutsch", "a")}


def test_a_language_is_no_quality_of_its_own() -> None:
    german = replace(AUDIO, name="a-ger", language="ger", audio_group="a")
    produced = [Produced("g1/audio.1", (init(AUDIO), segment("a", 0), init(german), segment("a-ger", 0)))]

    assert [rendition["name"] for rendition in describe_renditions(build_presentation(produced))] == ["a"]


@pytest.mark.parametrize(
    ("artifacts", "sentence"),
    [
        ((init(AUDIO), segment("a", 0), segment("a", 2)), "a lacks segment 1"),
        ((init(AUDIO),), "a has no segments"),
        ((segment("a", 0),), "a has segments but no init segment"),
        ((), "No step made anything"),
    ],
)
def test_a_gap_is_named(artifacts: tuple[Artifact, ...], sentence: str) -> None:
    with pytest.raises(TaskFailed, match=sentence) as caught:
        build_presentation([Produced("g1/x.1", artifacts)])
    assert caught.value.code == "job.incomplete"


@pytest.mark.parametrize(("task", "who"), [("y", "The tasks 'x' and 'y'"), ("x", "The task 'x'")])
def test_two_segments_of_one_number_are_told(task: str, who: str) -> None:
    produced = [Produced("g1/x.1", (init(AUDIO), segment("a", 0))), Produced(f"g1/{task}.1", (segment("a", 0),))]
    with pytest.raises(TaskFailed, match=f"{who} made two segments with the number 0 of 'a'") as caught:
        build_presentation(produced)
    assert caught.value.code == "job.name_taken"


# --- what has a name of its own


SOUND = Artifact("extra/sound.m4a", "download", "audio/mp4", 500, title="The sound alone")


def test_everything_but_media_becomes_an_output() -> None:
    artifacts = (
        Artifact("frame.png", "image", "image/png", 150),
        Artifact("picture.jpg", "thumbnail", "image/jpeg", 100),
        Artifact("board.vtt", "storyboard", "text/vtt", 200),
        Artifact("said.vtt", "captions", "text/vtt", 300),
        Artifact("notes", "file", "text/plain", 400),
        SOUND,
    )
    high = track("720p", 720)
    produced = [Produced("g1/video-0.2", (init(high), segment("720p", 0))), Produced("g1/extras.1", artifacts)]

    outputs = outputs_of(produced)

    assert outputs == [
        Output("frame.png", "image", "g1/extras.1/frame.png", "image/png", 150, apart=True),
        Output("picture.jpg", "image", "g1/extras.1/picture.jpg", "image/jpeg", 100),
        Output("board.vtt", "storyboard", "g1/extras.1/board.vtt", "text/vtt", 200),
        Output("said.vtt", "captions", "g1/extras.1/said.vtt", "text/vtt", 300),
        Output("notes", "file", "g1/extras.1/notes", "text/plain", 400),
        Output("extra/sound.m4a", "download", "g1/extras.1/extra/sound.m4a", "audio/mp4", 500, "The sound alone"),
    ]
    # the picture of the asset is a thumbnail, whatever images there are before it
    for shown, first in ((outputs, "picture.jpg"), (outputs[:1], None)):
        publication = Publication(1, tuple(shown), (), 4.0)
        output = publication.first("image")
        assert (output and output.name) == first


def test_two_tasks_with_one_output_are_both_named() -> None:
    with pytest.raises(
        TaskFailed, match=r"'one-0' and 'two-0' both made an output called 'extra/sound\.m4a'"
    ) as caught:
        outputs_of([Produced("g1/one-0.1", (SOUND,)), Produced("g1/two-0.3", (SOUND,))])
    assert caught.value.code == "job.name_taken"


def test_thousands_of_segments_are_told_in_a_few_words() -> None:
    high, strange = track("720p", 720), replace(segment("720p", 7), content_type="video/x-strange")
    segments = [segment("720p", number) for number in range(3000) if number != 7]
    (files,) = files_of([Produced("g1/video-0.1", (init(high), *segments, strange, SOUND))])

    assert files.prefix == "g1/video-0.1/"
    assert files.types == {
        "720p/*.m4s": FileType("media", "video/iso.segment"),
        "720p/00007.m4s": FileType("media", "video/x-strange"),
        "720p/init.mp4": FileType("media", "video/mp4"),
        "extra/sound.m4a": FileType("download", "audio/mp4"),
    }
    told = {path: files.what(f"g1/video-0.1/{path}") for path in ("720p/00007.m4s", "720p/02999.m4s", "other/0.m4s")}
    assert [what and what.content_type for what in told.values()] == ["video/x-strange", "video/iso.segment", None]


def test_what_the_parts_of_a_track_foretell_is_written_down_once_and_only_where_it_is_not_there() -> None:
    told = Foretold(((2, 4.0),), 9000, 8000)
    high, low = track("720p", 720), track("360p", 360)
    parts = [Produced(f"g1/video_{n}.1", (replace(init(low), foretells=told), segment("360p", n))) for n in range(2)]
    watched = Produced("g1/video_init.1", (replace(init(high), foretells=told),))

    made = build_presentation([watched, *parts])

    assert [(r.track.name, r.foretold) for r in made.video] == [("720p", told), ("360p", None)]
    assert [s.uri for s in made.video[0].segments] == ["../tracks/720p/00000.m4s", "../tracks/720p/00001.m4s"]
    assert [s.uri for s in made.video[1].segments] == ["../video_0.1/360p/00000.m4s", "../video_1.1/360p/00001.m4s"]
