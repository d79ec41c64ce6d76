"""From the artifacts of a job's steps to a presentation and outputs: nothing is missing, no name is twice. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import quote

from mediaflow.domain import keys
from mediaflow.domain.errors import TaskFailed
from mediaflow.domain.presentation import Artifact, ArtifactRole, Foretold, Presentation, Rendition, Segment, Track
from mediaflow.domain.publication import Files, FileType, Output, OutputKind, described
from mediaflow.services.text.languages import known_language, language_name

_SUFFIX: Final = re.compile(r"[A-Za-z0-9]{1,10}")
KINDS: Final[dict[ArtifactRole, OutputKind]] = {
    "thumbnail": "image",
    "image": "image",
    "storyboard": "storyboard",
    "preview": "preview",
    "captions": "captions",
    "download": "download",
    "file": "file",
}
"""What artifacts become that are outputs of their own; the rest is media."""


def is_found(artifact: Artifact) -> bool:
    """True for captions of the asset, which are shown from files of their own (`foundcaptions.py`). Those that
    say no language are a file like any other.
    """
    return artifact.role == "captions" and artifact.language is not None


@dataclass(frozen=True, slots=True)
class Produced:
    """What one task's winning attempt made; `path` is its directory below the asset's prefix (`g1/video-0.1`).

    `places` tells of those artifacts that lie elsewhere below the asset's prefix, because another attempt or task had
    made them before.
    """

    path: str
    artifacts: tuple[Artifact, ...]
    places: Mapping[str, str] = field(default_factory=dict)

    def place(self, artifact: Artifact) -> str:
        """Where the artifact lies below the asset's prefix."""
        return self.places.get(artifact.path, f"{self.path}/{artifact.path}")

    @property
    def task(self) -> str:
        """The name of the task (`video-0`)."""
        return self.path.rpartition("/")[2].rpartition(".")[0]


def files_of(produced: Iterable[Produced]) -> tuple[Files, ...]:
    """What may be sent of all this, and as what: by the directories of the attempts that made it."""
    types: dict[str, dict[str, FileType]] = {}
    for source in produced:
        types.setdefault(f"{source.path}/", {})
        for artifact in (each for each in source.artifacts if not is_found(each)):
            generation, attempt, rest = source.place(artifact).split("/", 2)
            what = FileType(KINDS.get(artifact.role, "media"), artifact.content_type)
            types.setdefault(f"{generation}/{attempt}/", {})[rest] = what
    return tuple(described(prefix, found) for prefix, found in types.items())


Place = Callable[[Produced, Artifact], str]
"""The path of a file as manifests name it."""


def beside_manifests(source: Produced, artifact: Artifact) -> str:
    """Where the file lies as seen from manifests, which have a directory of their own beside it."""
    return f"../{source.place(artifact).split('/', 1)[1]}"


def outputs_of(produced: Iterable[Produced]) -> list[Output]:
    """What steps made that has a name of its own. TaskFailed (`job.name_taken`) names the tasks that share one."""
    makers: dict[str, str] = {}
    outputs = []
    for source in produced:
        for artifact in source.artifacts:
            if (kind := KINDS.get(artifact.role)) is None or is_found(artifact):
                continue
            if (other := makers.setdefault(artifact.path, source.task)) != source.task:
                raise TaskFailed(
                    f"The tasks {other!r} and {source.task!r} both made an output called {artifact.path!r}: take one of"
                    " their steps out of the profile, or have it call its file otherwise.",
                    code="job.name_taken",
                )
            path, size = f"{source.path}/{artifact.path}", artifact.size_bytes
            apart = artifact.role == "image"
            outputs.append(Output(artifact.path, kind, path, artifact.content_type, size, artifact.title, apart))
    return outputs


def build_presentation(produced: Iterable[Produced], place: Place = beside_manifests) -> Presentation:
    """All tracks with their segments in order. TaskFailed (`job.incomplete`) names what is missing."""
    inits: dict[str, tuple[Track, str]] = {}
    promised: dict[str, tuple[int, Foretold, Artifact]] = {}
    segments: dict[str, dict[int, Segment]] = defaultdict(dict)
    makers: dict[tuple[str, int], str] = {}
    for source in produced:
        for artifact in source.artifacts:
            if artifact.role == "init" and artifact.describes is not None:
                track = artifact.describes
                if track.name not in inits:
                    inits[track.name] = (track, quote(place(source, artifact)))
                if artifact.foretells is not None:
                    generation = keys.generation_of(f"{source.path}/") or 0
                    promised.setdefault(track.name, (generation, artifact.foretells, artifact))
            elif artifact.role == "segment" and artifact.track is not None and artifact.number is not None:
                seconds, uri = artifact.duration_seconds or 0.0, quote(place(source, artifact))
                segment = Segment(uri, seconds, artifact.size_bytes)
                _claim(makers, (artifact.track, artifact.number), source.task)
                segments[artifact.track][artifact.number] = segment
    # Of what is made on demand there is an init segment alone, which foretells the rest. Each part of any other track
    # has such a one as well: what these foretell is there, and is not written down once for each of them.
    renditions = [
        foretold_rendition(track, *promised[name])
        if name in promised and not segments[name]
        else Rendition(named(track), uri, _in_order(name, segments[name]))
        for name, (track, uri) in inits.items()
    ]
    if stray := segments.keys() - inits.keys():
        raise TaskFailed(f"{sorted(stray)[0]} has segments but no init segment.", code="job.incomplete")
    presentation = presentation_of(renditions)
    if not presentation.video and not presentation.audio:
        raise TaskFailed("No step made anything that can be played.", code="job.incomplete")
    return presentation


def foretold_rendition(
    track: Track, generation: int, told: Foretold, init: Artifact, first: Artifact | None = None
) -> Rendition:
    """A track that is made while it is watched: each segment at its address. `first` is like all of them."""
    first = first or init
    lengths = [seconds for count, seconds in told.runs for _ in range(count)]
    suffix = _suffix(first, is_init=False)
    segments = (
        Segment(_address(generation, track.name, number, suffix), seconds, 0) for number, seconds in enumerate(lengths)
    )
    address = _address(generation, track.name, -1, _suffix(init, is_init=True))
    return Rendition(named(track), address, tuple(segments), told)


def _suffix(like: Artifact, *, is_init: bool) -> str:
    """The ending of its kind."""
    name = like.path.rpartition("/")[2]
    ending = name.rpartition(".")[2]
    if like.role == "init" and not is_init:
        ending = "m4s"
    return f".{ending}" if "." in name and _SUFFIX.fullmatch(ending) else ".bin"


def _address(generation: int, track: str, number: int, suffix: str) -> str:
    """As manifests name it, which have a directory of their own beside the tracks'."""
    address = keys.segment_address(generation, track, number, suffix)
    return quote(f"../{address.split('/', 1)[1]}")


def presentation_of(renditions: Iterable[Rendition]) -> Presentation:
    """All of them in order, as long as the longest: of the video, where there is any."""
    renditions = list(renditions)
    video = sorted((r for r in renditions if r.track.kind == "video"), key=_by_size, reverse=True)
    audio = sorted((r for r in renditions if r.track.kind == "audio"), key=_by_choice)
    measured = max((r.duration_seconds for r in (video or audio)), default=0.0)
    return Presentation(measured, tuple(video), tuple(audio))


def made_in_any_case(presentation: Presentation) -> Presentation:
    """The same without what is made where it is watched; while all of it still is, with the smallest picture alone.

    No video where that would be the same presentation: there is nothing to offer less of.
    """
    made = tuple(r for r in presentation.video if r.foretold is None) or presentation.video[-1:]
    if len(made) == len(presentation.video):
        return replace(presentation, video=(), audio=())
    groups = {rendition.track.audio_group for rendition in made}
    audio = tuple(r for r in presentation.audio if (r.track.audio_group or r.track.name) in groups)
    return replace(presentation, video=made, audio=audio)


def sounds_of(presentation: Presentation) -> dict[str, str]:
    """For pictures, the track of their sound, where both are made while they are watched."""
    sounds = {rendition.track.name for rendition in presentation.audio if rendition.foretold is not None}
    pairs = {r.track.name: r.track.audio_group for r in presentation.video if r.foretold is not None}
    return {picture: sound for picture, sound in pairs.items() if sound in sounds}


def _claim(makers: dict[tuple[str, int], str], segment: tuple[str, int], task: str) -> None:
    if segment not in makers:
        makers[segment] = task
        return
    who = f"The task {task!r}" if makers[segment] == task else f"The tasks {makers[segment]!r} and {task!r}"
    raise TaskFailed(
        f"{who} made two segments with the number {segment[1]} of {segment[0]!r}; each has a number of its own.",
        code="job.name_taken",
    )


def named(track: Track) -> Track:
    """The track with its language as players know it (files say `ger` or `deu`), and with a name for their menus."""
    language = known_language(track.language)
    label = track.label or (language_name(language) if language else None)
    return replace(track, language=language, label=label)


def _in_order(name: str, segments: dict[int, Segment]) -> tuple[Segment, ...]:
    for number in range(len(segments)):
        if number not in segments:
            raise TaskFailed(f"{name} lacks segment {number} of {len(segments)}.", code="job.incomplete")
    if not segments:
        raise TaskFailed(f"{name} has no segments.", code="job.incomplete")
    return tuple(segments[number] for number in range(len(segments)))


def _by_size(rendition: Rendition) -> tuple[int, int]:
    track = rendition.track
    return ((track.width or 0) * (track.height or 0), rendition.size_bytes)


def _by_choice(rendition: Rendition) -> tuple[bool, str, int]:
    """The defaults first, then the other languages by name; each from large to small."""
    track = rendition.track
    other = not _is_default(track)
    return other, (track.label or track.name).casefold() if other else "", -rendition.size_bytes


def describe_renditions(presentation: Presentation, on_demand: Collection[str] = ()) -> list[dict[str, Any]]:
    """What the API says of each rendition; `bitrate_bps` is the measured average with its audio. Those tracks are made
    `on_demand`.
    """
    audio = {rendition.track.name: rendition for rendition in presentation.audio}
    return [
        {
            **_describe(rendition, audio.get(rendition.track.audio_group or "")),
            "when": "on_demand" if rendition.track.name in on_demand else "eager",
        }
        for rendition in (presentation.video or [r for r in presentation.audio if _is_default(r.track)])
    ]


def _is_default(track: Track) -> bool:
    """False for what is another choice than the default of its group: another language is no other quality."""
    return track.audio_group in (None, track.name)


def _describe(rendition: Rendition, audio: Rendition | None) -> dict[str, Any]:
    track = rendition.track
    codecs = [track.codecs, *([audio.track.codecs] if audio else [])]
    return {
        "name": track.name,
        "width": track.width,
        "height": track.height,
        "frame_rate": round(float(track.frame_rate), 3) if track.frame_rate else None,
        "bitrate_bps": _bitrate(rendition) + (_bitrate(audio) if audio else 0),
        "codecs": ",".join(codecs),
        "segments": len(rendition.segments),
    }


def _bitrate(rendition: Rendition) -> int:
    if rendition.foretold is not None:
        return rendition.foretold.average_bps
    return round(8 * rendition.size_bytes / max(rendition.duration_seconds, 0.001))
