"""What was foretold comes true, with real ffmpeg: lengths, rates, init segments, seams, and what is told meanwhile."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from mediaflow.plugin import (
    Artifact,
    AudioRendition,
    Foretold,
    Limits,
    MediaInfo,
    MediaRejected,
    Step,
    StepSpec,
    WrittenTrack,
    read_track,
)
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow.testing import clips, measure
from mediaflow.testing.artifacts import check_rates, check_told
from mediaflow.testing.steps import probed, profile_of, run_task
from mediaflow_ffmpeg.audio import AacAudio
from mediaflow_ffmpeg.commands import audio_command
from mediaflow_ffmpeg.jobs import AudioJob
from mediaflow_ffmpeg.opening import sound_segments
from mediaflow_ffmpeg.verify import read_tracks
from mediaflow_ffmpeg.video import H264Video

PROCESSES = SandboxedRunner("bwrap")
VIDEO = StepSpec("video.h264", {"preset": "ultrafast"})
SECONDS = 5.4
"""Two segments of two seconds, and a third that is shorter."""


@dataclass(frozen=True)
class Done:
    """What one task made, and what it told of while it worked."""

    directory: Path
    made: list[Artifact]
    told: list[Artifact]
    files: list[int]
    """The inodes of what it told of, then."""

    def tell(self, artifact: Artifact) -> None:
        self.told.append(artifact)
        self.files.append((self.directory / artifact.path).stat().st_ino)

    def check_told(self) -> None:
        """What was told of is what was returned, and was left alone: it was being read."""
        check_told(self.told, self.made)
        assert [(self.directory / artifact.path).stat().st_ino for artifact in self.told] == self.files

    def track(self, name: str) -> WrittenTrack:
        return read_track(self.directory / name)

    def foretold(self, track: str) -> Foretold:
        (told,) = (artifact.foretells for artifact in self.made if artifact.role == "init" and artifact.track == track)
        assert told is not None
        return told


def run(step: Step, names: Sequence[str], source: Path, directory: Path, media: MediaInfo | None = None) -> list[Done]:
    """Run the planned tasks of these names. `media` are another file's facts, as when less can be decoded than the
    packets promise.
    """
    media = media or probed(source, PROCESSES)
    spec = VIDEO if step.name == VIDEO.step else StepSpec(step.name)
    planned = {task.name: task for task in step.plan(media, spec, profile_of(VIDEO, spec))}
    found = []
    for name in names:
        done = Done(directory / name, [], [], [])
        done.made.extend(run_task(step, planned[name], media, source, done.directory, PROCESSES, made=done.tell))
        found.append(done)
    return found


def noisy(path: Path) -> Path:
    """What compresses worst, so that every cap is reached."""
    pictures = f"testsrc2=size=320x180:rate=25:duration={SECONDS},noise=alls=100:allf=t"
    sound = f"anoisesrc=sample_rate=48000:duration={SECONDS}"
    inputs = ["-f", "lavfi", "-i", pictures, "-f", "lavfi", "-i", sound]
    clips.run_ffmpeg([*inputs, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", str(path)])
    return path


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return noisy(tmp_path_factory.mktemp("source") / "noisy.mp4")


@pytest.fixture(scope="module")
def picture(source: Path) -> list[Done]:
    """The first segment, the whole smallest rendition, the other one."""
    return run(H264Video(), ("video-first", "video-low", "video-0"), source, source.parent)


@pytest.fixture(scope="module")
def sound(source: Path) -> list[Done]:
    """The first segment, and all of it."""
    return run(AacAudio(), ("audio-first", "audio"), source, source.parent)


def test_the_opening_is_the_beginning_of_the_whole(picture: list[Done], sound: list[Done]) -> None:
    for first, whole, name in ((picture[0], picture[1], "90p"), (sound[0], sound[1], "audio-64k")):
        mine = [artifact for artifact in first.made if artifact.track == name]
        assert [artifact.path for artifact in mine] == [f"{name}/init.mp4", f"{name}/00000.m4s"]
        inits = [(done.directory / name / "init.mp4").read_bytes() for done in (first, whole)]
        assert inits[0] == inits[1]
        assert [a.describes for a in whole.made if a.path == f"{name}/init.mp4"] == [mine[0].describes]
    # sound depends on nothing that comes after a frame: it is the same sound
    begins = [(done.directory / "audio-64k" / "00000.m4s").read_bytes() for done in sound]
    assert begins[0] == begins[1]


def test_all_is_as_long_as_foretold(picture: list[Done], sound: list[Done]) -> None:
    assert picture[0].foretold("90p").runs == ((2, 2.0), (1, 1.4))
    for done, name in ((picture[1], "90p"), (picture[2], "180p")):
        assert [segment.sample_count for segment in done.track(name).segments] == [50, 50, 35]
    for name in ("audio-96k", "audio-64k"):
        lengths = [segment.duration for segment in sound[1].track(name).segments]
        assert lengths == sound_segments(round(SECONDS * 48000), 48000, Fraction(2))
        assert sum(count for count, _ in sound[0].foretold(name).runs) == 3
        told = [seconds for count, seconds in sound[0].foretold(name).runs for _ in range(count)]
        assert [length / 48000 for length in lengths] == pytest.approx(told)


def test_no_run_of_segments_is_larger_than_foretold(picture: list[Done], sound: list[Done]) -> None:
    for first, whole, name in ((picture[0], picture[1], "90p"), (sound[0], sound[1], "audio-64k")):
        track = whole.track(name)
        sizes = [(s.duration / track.init.timescale, 8 * s.size_bytes) for s in track.segments]
        check_rates(first.foretold(name), sizes, name)
        assert sum(bits for _, bits in sizes) / SECONDS > 0.5 * first.foretold(name).average_bps, (
            "the noise reaches the cap"
        )


def test_each_segment_is_told_of_once_when_it_is_whole(picture: list[Done], sound: list[Done]) -> None:
    for done in (*picture[1:], sound[1]):
        done.check_told()
        assert {artifact.path for artifact in done.told} == {artifact.path for artifact in done.made}
        for track in {artifact.track for artifact in done.told}:
            mine = [artifact for artifact in done.told if artifact.track == track]
            assert [artifact.number for artifact in mine] == [None, 0, 1, 2], "the init segment, and then in order"


def frames(parts: Sequence[Path], target: Path) -> list[tuple[int, str]]:
    """When each decoded frame is shown, in its track's ticks, and what is seen or heard."""
    arguments = ["-copyts", "-i", str(measure.joined(target, parts)), "-fps_mode", "passthrough"]
    lines = clips.run_ffmpeg([*arguments, "-f", "framemd5", "-"]).splitlines()
    fields = [line.split(",") for line in lines if not line.startswith("#")]
    return [(int(field[2]), field[5]) for field in fields]


def test_who_begins_with_the_opening_notices_no_seam(picture: list[Done], sound: list[Done], tmp_path: Path) -> None:
    first, low = (done.directory / "90p" for done in picture[:2])
    opening = [first / "init.mp4", first / "00000.m4s"]
    rest = [low / "00001.m4s", low / "00002.m4s"]

    seen = frames([*opening, *rest], tmp_path / "joined.mp4")

    assert len(seen) == 135
    steps = {after - before for (before, _), (after, _) in pairwise(seen)}
    assert len(steps) == 1, "no frame is late, early or missing at the seam"
    alone = frames([opening[0], *rest], tmp_path / "rest.mp4")
    assert seen[50:] == alone, "nothing after the seam needs what was before it"
    assert seen[:50] == frames(opening, tmp_path / "opening.mp4")

    first, whole = (done.directory / "audio-64k" for done in sound)
    heard = frames([first / "init.mp4", first / "00000.m4s", *sorted(whole.glob("0000[12].m4s"))], tmp_path / "s.mp4")
    assert {b - a for (a, _), (b, _) in pairwise(heard)} == {1024}
    assert heard == frames([whole / "init.mp4", *sorted(whole.glob("*.m4s"))], tmp_path / "whole.mp4")


def without_last_frames(path: Path, count: int) -> Path:
    """A silent clip whose last packets are there, and are no pictures: its packets promise more than it has."""
    clips.silent(path, seconds=SECONDS)
    asked = ["ffprobe", "-v", "error", "-show_entries", "packet=pos,size", "-of", "json", str(path)]
    done = PROCESSES.run(asked, reads=[path], limits=Limits(20))
    data = bytearray(path.read_bytes())
    for packet in json.loads(done.stdout)["packets"][-count:]:
        begins, size = int(packet["pos"]), int(packet["size"])
        data[begins : begins + size] = bytes(size)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("missing", "told"), [(1, 4), (2, 4), (8, 3)])
def test_frames_that_do_not_decode_are_made_up_for(missing: int, told: int, tmp_path: Path) -> None:
    source = without_last_frames(tmp_path / "c.mp4", missing)

    (done,) = run(H264Video(), ("video-low",), source, tmp_path)

    assert [segment.sample_count for segment in done.track("90p").segments] == [50, 50, 35]
    done.check_told()
    assert len(done.told) == told, "the last one is made anew where more is missing than a frame or two"
    assert not (done.directory / "again").exists()


@pytest.mark.parametrize(("missing", "told"), [(0.05, 4), (0.3, 3)])
def test_sound_that_does_not_decode_is_made_up_for(missing: float, told: int, tmp_path: Path) -> None:
    whole = clips.audio_only(tmp_path / "whole.m4a", seconds=SECONDS)
    short = clips.audio_only(tmp_path / "short.m4a", seconds=SECONDS - missing)

    (done,) = run(AacAudio(), ("audio",), short, tmp_path, probed(whole, PROCESSES))

    for name in ("audio-96k", "audio-64k"):
        assert sum(segment.duration for segment in done.track(name).segments) == round(SECONDS * 48000) + 1024
    done.check_told()
    assert len(done.told) == 2 * told


def test_what_begins_otherwise_opens_nothing(tmp_path: Path) -> None:
    whole = probed(clips.make_clip(tmp_path / "whole.mp4", seconds=3.0), PROCESSES)
    short = clips.make_clip(tmp_path / "short.mp4", seconds=1.5)

    with pytest.raises(MediaRejected, match="its picture does not begin as it should"):
        run(H264Video(), ("video-first",), short, tmp_path / "video", whole)
    with pytest.raises(MediaRejected, match="can be decoded"):
        run(AacAudio(), ("audio-first",), short, tmp_path / "audio", whole)


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    directory = tmp_path_factory.mktemp("tones")
    return {
        rate: clips.audio_only(directory / f"{rate}.m4a", seconds=26, sample_rate_hz=rate, channels=1)
        for rate in (48000, 44100)
    }


@pytest.mark.parametrize("rate", [48000, 44100])
@pytest.mark.parametrize(
    ("segment_seconds", "samples"),
    [("2", 600_001), ("4", 1_100_000), ("4004/1000", 900_000), ("6", 1_024 * 700), ("2", 1_024 * 94 - 1)],
)
def test_the_muxer_cuts_sound_where_it_is_foretold(
    rate: int, segment_seconds: str, samples: int, tones: dict[int, Path], tmp_path: Path
) -> None:
    length = Fraction(segment_seconds)
    rendition = AudioRendition("audio-64k", 64_000, 1, rate)
    job = AudioJob((rendition,), length, 0.0, samples / rate, None)
    argv = audio_command(job, probed(tones[rate], PROCESSES), tones[rate], Path())
    # just so many samples, cut by the HLS muxer
    graph = argv.index("-filter_complex") + 1
    argv[graph] = argv[graph].replace("[s1]", f",atrim=end_sample={samples}[s1]")

    PROCESSES.run(argv, reads=[tones[rate]], writes=tmp_path, limits=Limits(60), on_line=lambda _: None)

    (track,) = read_tracks(tmp_path, ["audio-64k"], 0)
    measured = [segment.duration for segment in track.segments]
    assert measured == sound_segments(samples, rate, length)
    assert sum(measured) == samples + 1024
