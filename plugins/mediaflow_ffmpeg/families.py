"""The encoders that a profile may name, and what each is told: one row for each, for who has the card to check it
(`mediaflow doctor` encodes a few frames by every row).

All keep to the same rules: constant quality under a cap, so that rate control does not look across parts; key frames
on the grid's frames and nowhere else; closed groups of pictures; no headers but in the init segment.
Rows of hardware follow `ffmpeg -h encoder=NAME` of ffmpeg 5.1 and have been run on no card by us.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal

from mediaflow_ffmpeg.x264 import CRF, PRESET_COST, Curve

Codec = Literal["h264", "hevc", "av1"]
_DRI: Final = ("/dev/dri/renderD*",)
"""Render nodes: they encode, and set no mode of a screen."""
_NVIDIA: Final = ("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia[0-9]*")


@dataclass(frozen=True, slots=True)
class Family:
    """`presets` are the encoder's own names for them, with the CPU time that they take against x264's veryfast; `hasty`
    are those for what somebody waits for, which need the same init segment. `quality` is the option that says how good,
    within `least` and `most`, and `by_lines` the usual one for so many lines. Of a rung's bit rate the cap is `share`,
    and what comes out is below `holds` times the cap. `pixels` is what is handed to it, by `uploads` into the
    `devices`' memory, and `opening` opens one. `one_thread` are the options of one that takes no more. One that `aims`
    is given so much of the cap as the rate to aim at. Only `whole` numbers are a quality for some.

    One that `stitches` was seen to write the same init segment for any pictures, parts and numbers of threads. What
    others make is made in whole, and is there when all of it is.
    """

    encoder: str
    codec: Codec
    presets: Mapping[str, float]
    usual: str
    quality: str
    least: float
    most: float
    by_lines: Curve
    options: Mapping[str, Any] = field(default_factory=dict)
    tunes: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    preset_option: str = "preset"
    hasty: Mapping[str, str] = field(default_factory=dict)
    share: float = 1.0
    holds: float = 1.0
    aims: float = 0.0
    whole: bool = False
    stitches: bool = False
    pixels: str = "yuv420p"
    uploads: bool = False
    devices: tuple[str, ...] = ()
    opening: tuple[str, ...] = ()
    one_thread: Mapping[str, Any] = field(default_factory=lambda: {"threads": 1})

    @property
    def step(self) -> str:
        """The step whose parameter `encoder` may name it."""
        return f"video.{self.codec}"


_X264: Final = Family(
    encoder="libx264",
    codec="h264",
    presets=PRESET_COST,
    usual="veryfast",
    quality="crf",
    least=10,
    most=40,
    by_lines=CRF,
    tunes=("film", "animation", "grain", "stillimage", "fastdecode"),
    profiles=("high", "main", "baseline"),
    stitches=True,
    # the rest is in `x264.py`
)
_NVENC: Final = Family(
    encoder="h264_nvenc",
    codec="h264",
    presets={f"p{number}": 0.1 for number in range(1, 8)},
    usual="p5",
    quality="cq",
    least=10,
    most=45,
    # NVIDIA's scale for one quality is about 3 above x264's
    by_lines=((720, 22.0), (1080, 24.0), (2160, 27.0)),
    profiles=("high", "main", "baseline"),
    options={
        "rc": "vbr",
        # without a target of its own, `cq` and the cap are what there is
        "b:v": 0,
        "no-scenecut": 1,
        "forced-idr": 1,
        "strict_gop": 1,
        "bf": 2,
        "b_ref_mode": "disabled",
        "rc-lookahead": 20,
        "spatial-aq": 1,
        # of the source's captions and the like nothing
        "a53cc": 0,
        "extra_sei": 0,
    },
    devices=_NVIDIA,
)
_QSV: Final = Family(
    encoder="h264_qsv",
    codec="h264",
    presets=dict.fromkeys(("veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"), 0.1),
    usual="medium",
    quality="global_quality",
    least=10,
    most=45,
    by_lines=((720, 21.0), (1080, 23.0), (2160, 26.0)),
    profiles=("high", "main", "baseline"),
    options={
        "look_ahead": 0,
        "adaptive_i": 0,
        "forced_idr": 1,
        "idr_interval": 0,
        "bf": 2,
        "b_strategy": 0,
        "repeat_pps": 0,
        "a53cc": 0,
    },
    # with a rate, a greater cap and a quality it keeps to the quality (QVBR)
    aims=0.75,
    whole=True,
    # what runs in software is uploaded by the encoder itself
    pixels="nv12",
    devices=_DRI,
)
_VAAPI: Final = Family(
    encoder="h264_vaapi",
    codec="h264",
    presets={str(number): 0.1 for number in range(1, 8)},
    usual="4",
    preset_option="compression_level",
    quality="global_quality",
    least=10,
    most=45,
    by_lines=((720, 21.0), (1080, 23.0), (2160, 26.0)),
    profiles=("high", "main", "constrained_baseline"),
    options={
        # constant quality under a cap; a driver that has no such mode says so, in `mediaflow doctor`
        "rc_mode": "QVBR",
        "idr_interval": 0,
        "bf": 2,
        "b_depth": 1,
        "sei": 0,
    },
    aims=0.75,
    whole=True,
    pixels="nv12",
    uploads=True,
    devices=_DRI,
    opening=("-init_hw_device", "vaapi=gpu", "-filter_hw_device", "gpu"),
)
_X265: Final = Family(
    encoder="libx265",
    codec="hevc",
    # veryfast and fast are measured, at 720p: fast needs as many bits for the same VMAF
    presets={"superfast": 2.0, "veryfast": 2.8, "faster": 3.0, "fast": 3.9, "medium": 6.0, "slow": 15.0},
    usual="veryfast",
    quality="crf",
    least=10,
    most=45,
    # measured at 720p with five clips of tests/benchmarks/clips.py: 0.49 to 0.79 of the bits of x264 with CRF 19,
    # and a VMAF of 0.6 less to 1.0 more
    by_lines=((720, 22.0), (1080, 24.0), (2160, 27.0)),
    options={
        "forced-idr": 1,
        # hvc1: what the samples need is in the init segment alone, as Apple's players want it
        "tag:v": "hvc1",
        # info and the like would put the encoder's own settings into the init segment
        # chromaloc: to the left, where scaling puts it; else the source's own would stand there
        "x265-params": "open-gop=0:scenecut=0:info=0:repeat-headers=0:chromaloc=0:log-level=error",
    },
    stitches=True,
    share=0.7,
)
_SVT_PARAMS: Final = "scd=0:chroma-sample-position=vertical"
"""No key frames at scene cuts; colour to the left, whatever the source's frames say."""
_SVT: Final = Family(
    encoder="libsvtav1",
    codec="av1",
    # 8 and 10 are measured
    presets={"4": 20.0, "5": 13.0, "6": 9.0, "7": 6.0, "8": 3.8, "9": 2.8, "10": 1.9, "11": 1.7, "12": 1.5},
    usual="8",
    quality="crf",
    least=10,
    most=60,
    # measured likewise: 0.60 to 0.94 of the bits, and a VMAF of 0.3 less to 1.5 more; preset 10 has 0.1 to 1.1 less
    # than preset 8 for as many bits
    by_lines=((720, 22.0), (1080, 25.0), (2160, 30.0)),
    options={"svtav1-params": _SVT_PARAMS},
    # of its own threads: it heeds none of ffmpeg's options
    one_thread={"svtav1-params": f"{_SVT_PARAMS}:lp=1"},
    whole=True,
    stitches=True,
    hasty=dict.fromkeys(("4", "5", "6", "7", "8", "9", "10", "11"), "12"),
    share=0.6,
    holds=1.25,
)

FAMILIES: Final[Mapping[str, Family]] = MappingProxyType(
    {family.encoder: family for family in (_X264, _NVENC, _QSV, _VAAPI, _X265, _SVT)}
)
USUAL: Final[Mapping[Codec, str]] = MappingProxyType({"h264": "libx264", "hevc": "libx265", "av1": "libsvtav1"})
"""The encoder of a step whose parameters name none."""


def of_codec(codec: Codec) -> list[Family]:
    """The encoders that a step may use."""
    return [family for family in FAMILIES.values() if family.codec == codec]
