"""Which settings of x264 look how good, at what cost: `python -m tests.benchmarks.frontier RESULTS [SETTINGS ...]`.

Each clip of `six_clips` is encoded in each rung's size from decoded pictures, by one thread, with each of the settings
(`veryfast,aq-strength=0.6 21,24`: a preset, options of x264, and CRFs; `plain`: the plain way), and judged by VMAF at
the source's size. RESULTS is a file of JSON lines, which a second run goes on with; `--table` prints them in Markdown,
as in `frontier.md`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

from tests.benchmarks.clips import six_clips
from tests.benchmarks.quality import PLAIN, Raw, encoded, raw, vmaf

SELECTED: Final = "lt(mod(t,10),4)"
"""Four seconds of every ten: what is easy and what is difficult in a clip, in two fifths of the time."""
PEAK: Final = 1.8
"""The cap, against the plain way's bit rate."""
ENOUGH: Final = 94.0


@dataclass(frozen=True, slots=True)
class Result:
    """One encode: VMAF, seconds of a core, and its bit rate. `setting` is `plain`, or a setting with a CRF."""

    clip: str
    height: int
    setting: str
    vmaf: float
    seconds: float
    kbps: float

    @property
    def key(self) -> tuple[str, int, str]:
        return self.clip, self.height, self.setting


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("settings", nargs="*", default=["plain"])
    parser.add_argument("--table", action="store_true", help="print what was measured, and measure nothing")
    arguments = parser.parse_args()
    known = [Result(**json.loads(line)) for line in _lines(arguments.results)]
    if arguments.table:
        print(table(known))
        return
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_TMP")) as directory:
        _measure(Path(directory), arguments.results, arguments.settings, {each.key for each in known})


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _measure(directory: Path, results: Path, settings: list[str], known: set[tuple[str, int, str]]) -> None:
    for clip, path in six_clips(directory).items():
        pictures = dict(_pictures(clip, path, directory))
        source = next(iter(pictures.values()))

        def one(height: int, setting: str, options: list[str], clip: str = clip, source: Raw = source) -> None:
            made = directory / f"{clip}-{height}-{setting.replace(' ', '_')}.mp4"
            seconds = encoded(pictures[height], options, made)  # noqa: B023  (done before the next clip)
            length = source.frames / float(Fraction(source.rate))
            result = Result(clip, height, setting, vmaf(made, source), seconds, made.stat().st_size * 8 / 1000 / length)
            made.unlink()
            with results.open("a") as file:
                file.write(json.dumps(asdict(result)) + "\n")

        with ThreadPoolExecutor(2) as pool:
            work = [
                pool.submit(one, height, setting, options)
                for spec in settings
                for height in pictures
                for setting, options in _encodes(spec, height, source)
                if (clip, height, setting) not in known
            ]
            for each in work:
                each.result()
        for done in pictures.values():
            done.path.unlink()


def _pictures(clip: str, path: Path, directory: Path) -> Iterator[tuple[int, Raw]]:
    """Those of each rung that is not larger than the source, the largest in the source's own size."""
    sizes = [(height, raw(path, directory / f"{clip}-{height}.yuv", height, selected=SELECTED)) for height, _ in PLAIN]
    for number, (height, made) in enumerate(sizes):
        is_the_same = any((made.width, made.height) == (lower.width, lower.height) for _, lower in sizes[number + 1 :])
        if not is_the_same:
            yield height, made


def _encodes(spec: str, height: int, source: Raw) -> Iterator[tuple[str, list[str]]]:
    """Names and options of the encodes of a setting."""
    rate = dict(PLAIN)[height]
    if spec == "plain":
        yield spec, ["-preset", "medium", "-b:v", str(rate)]
        return
    setting, _, crfs = spec.partition(" ")
    preset, *params = setting.split(",")
    group = str(round(2 * float(Fraction(source.rate))))
    for crf in crfs.split(","):
        options = ["-preset", preset, "-crf", crf, "-g", group, "-keyint_min", group, "-sc_threshold", "0"]
        options += ["-maxrate", str(round(PEAK * rate)), "-bufsize", str(round(2 * PEAK * rate))]
        yield f"{setting} {crf}", options + (["-x264-params", ":".join(params)] if params else [])


# --- what came of it


def table(results: list[Result]) -> str:
    """For each rung and each setting that all clips were made with: how far VMAF is above what is asked of it, at least
    and in the mean; bits and seconds against the plain way.
    """
    by_rung: dict[tuple[int, str], dict[str, Result]] = defaultdict(dict)
    for result in results:
        by_rung[result.height, result.setting][result.clip] = result
    lines = [
        "| rung | preset, options, CRF | VMAF above the goal, least | of | mean | bits | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    for (height, setting), found in sorted(by_rung.items(), key=lambda item: (-item[0][0], item[0][1])):
        plain = by_rung[height, "plain"]
        if setting != "plain" and found.keys() == plain.keys():
            lines.append(_row(height, setting, found, plain))
    return "\n".join(lines)


def _row(height: int, setting: str, found: Mapping[str, Result], plain: Mapping[str, Result]) -> str:
    above = {clip: made.vmaf - min(plain[clip].vmaf - 1, ENOUGH) for clip, made in found.items()}
    bits = math.prod(made.kbps / plain[clip].kbps for clip, made in found.items()) ** (1 / len(found))
    seconds = math.prod(made.seconds / plain[clip].seconds for clip, made in found.items()) ** (1 / len(found))
    worst = min(above, key=above.__getitem__)
    mean = statistics.mean(above.values())
    return f"| {height}p | {setting} | {above[worst]:+.1f} | {worst} | {mean:+.1f} | {bits:.2f} | {seconds:.2f} |"


if __name__ == "__main__":
    main()
