"""HEVC and AV1 beside H.264 with real encoders, and what is planned for every encoder of the table."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from mediaflow.plugin import Artifact, MediaInfo, Part, PlannedTask, StepSpec, VideoRendition, read_track
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow.testing import clips, measure
from mediaflow.testing.artifacts import check_rates
from mediaflow.testing.steps import probed, profile_of, run_task
from mediaflow_ffmpeg.families import FAMILIES
from mediaflow_ffmpeg.initsegment import without_dependencies
from mediaflow_ffmpeg.jobs import Encoder
from mediaflow_ffmpeg.options import quality
from mediaflow_ffmpeg.video import Av1Video, EncodedVideo, H264Video, HevcVideo
from tests.plugins.ffmpeg_media import MEDIA, beside_tasks, uncertain, video_tasks, web, with_video
from tests.plugins.test_ffmpeg_parts import ODD

PROCESSES = SandboxedRunner("bwrap")
SECONDS: Final = 9.4
"""Four segments of two seconds, and a fifth that is shorter."""
QUICK: Final[dict[str, dict[str, Any]]] = {"hevc": {"preset": "superfast"}, "av1": {"preset": 10}}
STEPS: Final[dict[str, type[EncodedVideo]]] = {"hevc": HevcVideo, "av1": Av1Video}
ALL_STEPS: Final[dict[str, type[EncodedVideo]]] = {"h264": H264Video, **STEPS}
_OF: Final = f"size=320x180:rate=25:duration={SECONDS}"
MOVING: Final = f"testsrc2={_OF}"
PLAIN: Final = {"noise.mp4": f"nullsrc={_OF},geq='random(1)*255':128:128", "still.mp4": f"color=gray:{_OF}"}
SOURCES: Final = (*PLAIN, *ODD)
each_codec = pytest.mark.parametrize("codec", sorted(STEPS))


def planned(codec: str, media: MediaInfo, **params: Any) -> dict[str, PlannedTask]:
    spec = StepSpec(f"video.{codec}", QUICK[codec] | params)
    return {task.name: task for task in STEPS[codec]().plan(media, spec, profile_of(StepSpec("video.h264"), spec))}


def made(
    codec: str, task: PlannedTask, source: Path, work: Path, part: Part | None, *, awaited: bool = False
) -> list[Artifact]:
    media = probed(source, PROCESSES)
    return run_task(STEPS[codec](), task, media, source, work, PROCESSES, part=part, awaited=awaited)


def digest(artifacts: list[Artifact], work: Path, track: str) -> str:
    (init,) = [each for each in artifacts if each.role == "init" and each.track == track]
    return hashlib.md5((work / init.path).read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["noise.mp4", *(pytest.param(name, marks=pytest.mark.slow) for name in SOURCES[1:])])
# of AV1 they take half a minute
@pytest.mark.parametrize("codec", ["hevc", pytest.param("av1", marks=pytest.mark.slow)])
def test_init_segments_of_a_codec_are_the_same_whoever_makes_them_of_whatever(
    codec: str, name: str, tmp_path: Path
) -> None:
    source, track, found = tmp_path / name, f"180p-{codec}", set()
    options = ODD.get(name, "-c:v libx264 -preset ultrafast").split()
    clips.run_ffmpeg(["-f", "lavfi", "-i", PLAIN.get(name, MOVING), *options, str(source)])
    tasks = planned(codec, probed(source, PROCESSES))
    runs: list[tuple[str, Part | None, bool]] = [
        (f"{codec}-inits", None, False),
        (f"{codec}-0", Part((track,), 0, 0), False),
        (f"{codec}-0", Part((track,), 1, 2), True),
        (f"{codec}-0", Part((track,), 4, 1), False),
    ]
    for number, (task, part, awaited) in enumerate(runs):
        work = tmp_path / f"{codec}-{name}-{number}"
        artifacts = made(codec, tasks[task], source, work, part, awaited=awaited)
        found.add(digest(artifacts, work, track))
    assert len(found) == 1


@each_codec
def test_segments_are_decoded_each_by_itself_and_begin_on_the_grid(codec: str, tmp_path: Path) -> None:
    source = clips.make_clip(tmp_path / "clip.mp4", seconds=SECONDS)
    task, work = planned(codec, probed(source, PROCESSES), keyframe_seconds=1)[f"{codec}-0"], tmp_path / "work"

    artifacts = made(codec, task, source, work, None)

    track = read_track(work / f"180p-{codec}")
    (init,) = [each for each in artifacts if each.role == "init" and each.track == track.name]
    assert init.describes is not None
    assert init.describes.codecs.split(".")[0] == {"hevc": "hvc1", "av1": "av01"}[codec]
    assert [segment.sample_count for segment in track.segments] == [50, 50, 50, 50, 35]
    for number in range(5):
        alone = measure.joined(tmp_path / f"{number}.mp4", [work / init.path, track.path(number)])
        clips.run_ffmpeg(["-xerror", "-i", str(alone), "-f", "null", "-"])
        shown = ["-show_entries", "packet=flags", "-of", "json"]
        told = subprocess.check_output(["ffprobe", "-v", "error", *shown, str(alone)])
        flags = [packet["flags"][0] == "K" for packet in json.loads(told)["packets"]]
        assert [place for place, key in enumerate(flags) if key] == [0, 25]


@each_codec
def test_what_is_foretold_holds_where_the_cap_is_all_that_holds(codec: str, tmp_path: Path) -> None:
    source = tmp_path / "rich.mp4"
    rich = f"mandelbrot=size=320x180:rate=25:end_scale=0.01,noise=alls=20:allf=t,trim=duration={SECONDS}"
    clips.run_ffmpeg(["-f", "lavfi", "-i", rich, "-c:v", "libx264", "-preset", "ultrafast", "-crf", "8", str(source)])
    task, work = planned(codec, probed(source, PROCESSES), crf=10)[f"{codec}-0"], tmp_path / "work"

    artifacts = made(codec, task, source, work, Part(task.makes, 0, 5))

    for init in (each for each in artifacts if each.role == "init"):
        assert init.foretells is not None
        mine = [each for each in artifacts if each.role == "segment" and each.track == init.track]
        rates = [(each.duration_seconds or 0.0, 8 * each.size_bytes) for each in mine]
        check_rates(init.foretells, rates, codec)
        assert sum(bits for _, bits in rates) / SECONDS > 0.5 * init.foretells.average_bps, "the cap was not reached"


def test_a_box_without_samples_is_taken_out_and_nothing_else() -> None:
    def box(kind: bytes, *bodies: bytes) -> bytes:
        body = b"".join(bodies)
        return (8 + len(body)).to_bytes(4) + kind + body

    def init(*more: bytes) -> bytes:
        table = box(b"stbl", box(b"stsd", b"codec"), *more, box(b"stts", bytes(8)))
        media = box(b"mdia", box(b"mdhd", bytes(4)), box(b"minf", table))
        return box(b"ftyp", b"iso6") + box(b"moov", box(b"mvhd"), box(b"trak", media)) + box(b"sdtp", b"elsewhere")

    assert without_dependencies(init(box(b"sdtp", bytes(4)))) == init()
    assert without_dependencies(init()) == init()
    assert without_dependencies(b"") == b""
    for broken in (init()[:40], (7).to_bytes(4) + b"moovx", (1 << 20).to_bytes(4) + b"moov"):
        assert without_dependencies(broken) == broken


# --- what is planned


@each_codec
def test_beside_h264_a_codec_opens_and_makes_the_same_sizes(codec: str) -> None:
    tasks = beside_tasks(codec, MEDIA)
    names = tuple(f"{name}-{codec}" for name in ("1080p", "720p", "480p", "360p"))
    assert {name: (task.makes, task.rank, task.segments, task.optional) for name, task in tasks.items()} == {
        f"{codec}-inits": (names, 0, 0, True),
        f"{codec}-0": (names, 2, 3, False),
    }


@each_codec
def test_only_what_is_large_is_made_when_somebody_watches_it(codec: str) -> None:
    tasks = beside_tasks(codec, MEDIA, min_height=720, when="on_demand")
    (task,) = tasks.values()
    assert (task.name, task.makes, task.when) == (
        f"{codec}-on-demand",
        (f"1080p-{codec}", f"720p-{codec}"),
        "on_demand",
    )
    assert task.optional
    # 2.4:1 in 1080p has 800 lines
    wide = beside_tasks(codec, with_video(width=1920, height=800), min_height=1080)
    assert wide[f"{codec}-0"].makes == (f"1080p-{codec}",)
    assert beside_tasks(codec, with_video(width=854, height=480), min_height=720) == {}


@each_codec
def test_a_codec_alone_opens_as_h264_does(codec: str) -> None:
    spec = StepSpec(f"video.{codec}")
    tasks = {task.name: task for task in STEPS[codec]().plan(MEDIA, spec, web(spec))}
    assert [(task.name, task.rank) for task in tasks.values()] == [
        (f"{codec}-first", 0),
        (f"{codec}-inits", 0),
        (f"{codec}-low", 1),
        (f"{codec}-0", 2),
    ]


@each_codec
def test_what_has_no_certain_length_is_one_task(codec: str) -> None:
    assert [(name, task.rank) for name, task in beside_tasks(codec, uncertain(MEDIA)).items()] == [(f"{codec}-0", 2)]


HARDWARE: Final = [name for name, family in FAMILIES.items() if family.devices]


@pytest.mark.parametrize("encoder", HARDWARE)
def test_what_hardware_makes_is_made_in_whole(encoder: str) -> None:
    """Nobody has seen that its init segments fit those of another part."""
    assert [(name, task.segments) for name, task in video_tasks(MEDIA, encoder=encoder).items()] == [("video-0", 0)]


@pytest.mark.parametrize("name", FAMILIES)
def test_each_row_has_a_usual_preset_and_takes_its_own_quality(name: str) -> None:
    family = FAMILIES[name]
    step = ALL_STEPS[family.codec]()
    preset = int(family.usual) if family.usual.isdigit() else family.usual
    for crf in (family.least, family.most):
        assert list(step.check({"encoder": name, "preset": preset, "crf": int(crf)})) == []
    assert set(family.hasty) | set(family.hasty.values()) <= set(family.presets)
    for _, crf in family.by_lines:
        assert family.least <= crf <= family.most
    rendition = VideoRendition("1080p", 1920, 1080, 5_000_000, None)
    assert quality(Encoder(family=name, preset=family.usual), rendition) == dict(family.by_lines)[1080]


@pytest.mark.parametrize(
    ("codec", "params", "sentence"),
    [
        ("h264", {"encoder": "libx265"}, "encoder: 'libx265' is none of libx264, h264_nvenc, h264_qsv, h264_vaapi"),
        ("hevc", {"encoder": 5, "what": 1}, "encoder: 5 is none of libx265"),
        ("h264", {"encoder": "h264_vaapi", "tune": "film"}, "tune: no parameter has this name"),
        ("h264", {"encoder": "h264_nvenc", "preset": "veryfast"}, "preset: 'veryfast' is none of p1, p2"),
        ("h264", {"min_height": 720}, "min_height: no parameter has this name"),
        ("av1", {"preset": "slow"}, "preset: 'slow' is not a whole number from 4 to 12"),
        ("av1", {"crf": 30.5}, "crf: 30.5 is not a whole number from 10 to 60"),
    ],
)
def test_parameters_are_those_of_the_encoder(codec: str, params: dict[str, Any], sentence: str) -> None:
    (said,) = ALL_STEPS[codec]().check(params)
    assert said.startswith(sentence)
