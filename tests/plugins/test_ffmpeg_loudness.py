"""All sound as loud as wished: the gain by table, and what comes out by its bytes (EBU R 128, measured by ffmpeg)."""

from __future__ import annotations

import json
import math
import subprocess
from pathlib import Path

import pytest

from mediaflow.plugin import PlannedTask, StepSpec, TaskFiles
from mediaflow.sandbox.runner import SandboxedRunner
from mediaflow.testing import clips, measure
from mediaflow.testing.steps import SMALL_LADDER, probed, profile_of, run_task
from mediaflow_ffmpeg.audio import AacAudio
from mediaflow_ffmpeg.jobs import NO_GAIN, Gain
from mediaflow_ffmpeg.loudness import Measured, gain_for, read_summary, settled
from tests.plugins.ffmpeg_media import MEDIA, uncertain, web
from tests.plugins.test_ffmpeg_onekind import joined

SPEC = StepSpec("audio.aac", {"loudness_lufs": -16})
PROCESSES = SandboxedRunner("bwrap")
SUMMARY = """[Parsed_ebur128_0 @ 0x5581] Summary:

  Integrated loudness:
    I:         {lufs} LUFS
    Threshold: -31.7 LUFS

  Loudness range:
    LRA:         0.0 LU

  True peak:
    Peak:      {peak} dBFS
"""


@pytest.mark.parametrize(
    ("lufs", "peak", "expected"),
    [
        pytest.param(-23.0, -12.0, Gain(7.0, limited=False), id="quiet, with room for it"),
        pytest.param(-23.0, -3.0, Gain(7.0, limited=True), id="quiet, with peaks"),
        pytest.param(-9.0, 0.5, Gain(-7.0, limited=False), id="loud"),
        pytest.param(-60.0, -50.0, Gain(20.0, limited=False), id="no more than noise"),
        pytest.param(-70.0, -80.0, NO_GAIN, id="under the gate"),
        pytest.param(-math.inf, -math.inf, NO_GAIN, id="silence"),
    ],
)
def test_one_gain_leads_to_the_loudness(lufs: float, peak: float, expected: Gain) -> None:
    assert gain_for(Measured(lufs, peak), -16) == expected


def test_what_the_limiter_takes_is_given_back_once() -> None:
    tried: list[Gain] = []

    def measured(gain: Gain) -> Measured:
        tried.append(gain)
        return Measured(-17.4, -2.0)

    assert settled(Measured(-23, -3), -16, measured) == Gain(8.4, limited=True)
    assert settled(Measured(-23, -12), -16, measured) == Gain(7.0, limited=False)
    assert tried == [Gain(7.0, limited=True)]


def test_ffmpeg_s_summary_is_read_as_long_as_it_is_one() -> None:
    assert read_summary("x\n" + SUMMARY.format(lufs="-23.1", peak="-1.5")) == Measured(-23.1, -1.5)
    nothing = SUMMARY.format(lufs="0.0", peak="-inf")
    assert read_summary(nothing + SUMMARY.format(lufs="-23.1", peak="-1.5")) == Measured(-23.1, -1.5)
    assert read_summary(nothing) == Measured(-math.inf, -math.inf)
    assert read_summary("") is None
    assert read_summary(2 * SUMMARY.format(lufs="-23.1", peak="-1.5")) is None


def planned(**changes: object) -> dict[str, PlannedTask]:
    media = uncertain(MEDIA) if changes.get("uncertain") else MEDIA
    return {task.name: task for task in AacAudio().plan(media, SPEC, web(SPEC, StepSpec("video.h264")))}


def test_people_begin_to_watch_before_it_is_measured() -> None:
    tasks = planned()

    assert (tasks["audio-first"].rank, tasks["audio-first"].needs) == (0, ())
    assert tasks["audio-first"].params["count"] == 0  # the init segments, which tell of all that comes
    assert tasks["audio-loudness"].needs == ()
    assert (tasks["audio"].needs, tasks["audio"].segments) == (("audio-loudness",), 0)
    assert set(planned(uncertain=True)) == {"audio", "audio-loudness"}


def made(source: Path, directory: Path) -> tuple[Path, dict[str, object]]:
    """The smaller rendition as one file, and what was told of its loudness."""
    media, step = probed(source, PROCESSES), AacAudio()
    tasks = {task.name: task for task in step.plan(media, SPEC, profile_of(SPEC, ladder=SMALL_LADDER))}
    measured = directory / "measured"
    told = run_task(step, tasks["audio-loudness"], media, source, measured, PROCESSES)
    inputs = {"audio-loudness": TaskFiles(measured, tuple(told))}
    out = directory / "out"
    artifacts = run_task(step, tasks["audio"], media, source, out, PROCESSES, inputs=inputs)
    files = [out / each.path for each in artifacts if each.path.startswith("audio-64k/")]
    return measure.joined(directory / "joined.mp4", files), json.loads((measured / told[0].path).read_text())


def loudness(file: Path) -> Measured:
    argv = ["ffmpeg", "-nostats", "-v", "info", "-i", str(file), "-af", "ebur128=peak=true:framelog=verbose"]
    said = subprocess.run([*argv, "-f", "null", "-"], capture_output=True, text=True, check=True).stderr
    found = read_summary(said)
    assert found is not None, said[-500:]
    return found


NOISE = "anoisesrc=color=pink:sample_rate=48000:duration=12:seed=7"
WORDS = f"{NOISE},volume='if(lt(mod(t,1.5),1),1,0.02)':eval=frame,aformat=channel_layouts=stereo"


@pytest.mark.parametrize(
    "graph",
    [
        pytest.param(f"{WORDS},volume=-16dB", id="quiet speech"),
        pytest.param(f"{WORDS},volume=16dB,alimiter=limit=1", id="loud"),
        pytest.param(f"{NOISE},volume=-20dB", id="mono"),
        pytest.param(
            "aevalsrc='0.03*sin(2*PI*440*t)+if(lt(mod(t,2),0.01),0.9*sin(2*PI*900*t),0)':s=44100:d=12", id="peaks"
        ),
        pytest.param(
            "aevalsrc=" + "|".join(["0.05*sin(2*PI*300*t)"] * 6) + ":c=5.1:s=48000:d=12",
            id="surround",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_what_comes_out_is_as_loud_as_wished_and_does_not_clip(graph: str, tmp_path: Path) -> None:
    source = tmp_path / "c.mkv"
    clips.run_ffmpeg(["-f", "lavfi", "-i", graph, "-c:a", "flac", str(source)])

    file, told = made(source, tmp_path)

    heard = loudness(file)
    assert heard.lufs == pytest.approx(-16, abs=1), told
    assert heard.peak_dbtp <= -0.5, told


def test_silence_stays_silent(tmp_path: Path) -> None:
    source = tmp_path / "c.mkv"
    clips.run_ffmpeg(["-f", "lavfi", "-i", "anullsrc=duration=5", "-c:a", "flac", str(source)])

    file, told = made(source, tmp_path)

    assert told["gain_db"] == 0
    assert loudness(file).lufs <= -70


def test_sound_stays_with_the_picture_and_changes_midway_as_it_likes(tmp_path: Path) -> None:
    file, told = made(joined(tmp_path / "c.mkv"), tmp_path)

    assert told["gain_db"] != 0
    assert [at - 1 for at in measure.beep_times(file)] == pytest.approx([0.6, 2.6, 4.6, 6.6], abs=0.040)
