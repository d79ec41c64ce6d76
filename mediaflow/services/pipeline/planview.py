"""From a plan and how its tasks stand to what people are told of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

from mediaflow.domain.media import MediaInfo
from mediaflow.domain.plan import EncodePlan, VideoRendition
from mediaflow.domain.planwords import COPIED, why_audio, why_encoded, why_left_out, why_parts, why_video
from mediaflow.domain.profile import When
from mediaflow.domain.states import WorkState
from mediaflow.services.pipeline.foreseen import Foreseen, KeptPlan
from mediaflow.services.pipeline.outlook import (
    GridFacts,
    LeftOut,
    MadeOf,
    Outlook,
    PartOutlook,
    RenditionOutlook,
    SourceFacts,
    Standing,
    State,
    TaskOutlook,
)

STATES: Final[dict[WorkState, State]] = {
    "pending": "waiting",
    "running": "running",
    "done": "made",
    "failed": "failed",
    "cancelled": "failed",
}


def outlook(
    profile: str, media: MediaInfo, plan: KeptPlan, standings: Sequence[Standing], made: Mapping[str, MadeOf]
) -> Outlook:
    """The plan of a source, with how its tasks stand, and what is `made` of the tracks whose segments have records."""
    renditions = tuple(_Renditions(plan, standings, made).all())
    demanded = [each for each in renditions if each.when == "on_demand"]
    bytes_of = {each.name: each.expected_bytes for each in renditions}
    left_out = (LeftOut(each.rung, why_left_out(each)) for each in plan.rungs or () if each.made is None)
    tasks = (_task(each, standings, bytes_of) for each in plan.tasks or ())
    return Outlook(
        profile=profile,
        source=_source(media),
        grid=_grid(plan.encode),
        renditions=renditions,
        left_out=None if plan.rungs is None else tuple(left_out),
        tasks=None if plan.tasks is None else tuple(tasks),
        made_on_demand=MadeOf(
            sum(each.segments_made or 0 for each in demanded), sum(each.made_bytes or 0 for each in demanded)
        ),
    )


def _source(media: MediaInfo) -> SourceFacts:
    video, audio = media.video, media.audio
    width, height = (None, None) if video is None else video.display_size
    return SourceFacts(
        container=media.container,
        size_bytes=media.size_bytes,
        duration_seconds=round(media.duration_seconds, 3),
        width=width,
        height=height,
        frame_rate=None if video is None else _rounded(video.frame_rate),
        video_codec=None if video is None else video.codec,
        audio_codec=None if audio is None else audio.codec,
        channels=None if audio is None else audio.channels,
        sample_rate_hz=None if audio is None else audio.sample_rate_hz,
    )


def _grid(encode: EncodePlan) -> GridFacts | None:
    if (grid := encode.grid) is None:
        return None
    seconds = _rounded(grid.segment_seconds)
    return GridFacts(_rounded(grid.frame_rate), grid.segment_frames, seconds, grid.segment_count, grid.frame_count)


def _rounded(value: Fraction) -> float:
    return round(float(value), 3)


@dataclass(frozen=True, slots=True)
class _Renditions:
    """What is told of each rendition of a plan."""

    plan: KeptPlan
    standings: Sequence[Standing]
    made: Mapping[str, MadeOf]

    def all(self) -> Iterator[RenditionOutlook]:
        """Pictures from large to small, then the sound."""
        encode, grid = self.plan.encode, self.plan.encode.grid
        choices = {choice.made: choice for choice in self.plan.rungs or ()}
        for video in encode.video:
            choice, task = choices.get(video.name), self._task(video.name)
            when = video.when if task is None else task.when
            beside = encode.video[0].copied
            why = COPIED if video.copied else None
            if choice is not None and not video.copied:
                why = why_video(choice, when, beside_copy=beside)
            if why is not None and video is encode.video[0] and encode.not_copied is not None:
                why = f"{why} {why_encoded(encode.not_copied)}"
            segments = grid.segment_count if grid else None
            yield self._one(video.name, "video", video.max_bitrate_bps, when, why, segments, video)
        for audio in encode.audio:
            task = self._task(audio.name)
            when = "eager" if task is None else task.when
            heard_with = [video.name for video in encode.video if video.audio == audio.name]
            why = why_audio(heard_with, when, copied=audio.copied)
            yield self._one(audio.name, "audio", audio.bitrate_bps, when, why, task.segments or None if task else None)

    def _task(self, track: str) -> Foreseen | None:
        """The task that makes all of a track."""
        return next((t for t in self.plan.tasks or () if t.rank and track in t.makes), None)

    def _one(
        self,
        name: str,
        kind: Literal["video", "audio"],
        cap_bps: int,
        when: When,
        why: str | None,
        segments: int | None,
        video: VideoRendition | None = None,
    ) -> RenditionOutlook:
        grid, made = self.plan.encode.grid, self.made.get(name)
        expected, measured = cap_bps * self.plan.encode.duration_seconds / 8, False
        if made is not None and made.size_bytes and made.segments and segments:
            expected, measured = made.size_bytes * segments / made.segments, True
        return RenditionOutlook(
            name=name,
            kind=kind,
            width=video.width if video else None,
            height=video.height if video else None,
            frame_rate=_rounded(grid.frame_rate) if video and grid else None,
            max_bitrate_bps=cap_bps,
            when=when,
            why=why,
            segments=segments,
            segments_made=self._count(name, segments),
            made_bytes=made.size_bytes if made else None,
            expected_bytes=round(expected),
            measured=measured,
        )

    def _count(self, track: str, segments: int | None) -> int | None:
        """How many of its segments are there: records of what is made in any case go some time after it is published,
        and tasks of what is made on demand are not kept.
        """
        made, task = self.made.get(track), self._task(track)
        recorded = made.segments if made else None
        if task is None:
            return recorded
        done = [each for each in self.standings if each.planned == task.name and each.state == "done"]
        if task.segments:
            return max(recorded or 0, sum(each.part.count for each in done if each.part and task.when == "eager"))
        return segments if done else recorded or 0


def _task(task: Foreseen, standings: Sequence[Standing], bytes_of: Mapping[str, int]) -> TaskOutlook:
    mine = [each for each in standings if each.planned == task.name]
    if task.segments:  # the init segments of what is made on demand are no part of it
        mine = [each for each in mine if each.part is not None and each.part.count]
    parts = [
        PartOutlook(each.part.first, each.part.count, STATES[each.state]) for each in mine if each.part is not None
    ]
    counted: dict[State, int] = dict.fromkeys(STATES.values(), 0)
    for each in mine:
        counted[STATES[each.state]] += 1
    is_whole = task.rank > 0 and bool(task.makes) and all(name in bytes_of for name in task.makes)
    return TaskOutlook(
        name=task.name,
        step=task.step,
        when=task.when,
        optional=task.optional,
        load_units=task.load_units,
        makes=task.makes,
        segments=task.segments,
        in_parts=bool(task.segments),
        why=why_parts(
            segments=task.segments,
            makes_tracks=any(name in bytes_of for name in task.makes),
            opens=task.rank == 0,
            when=task.when,
        ),
        parts=tuple(sorted(parts, key=lambda part: part.first)),
        states=counted,
        core_seconds=task.weight,
        expected_bytes=sum(bytes_of[name] for name in task.makes) if is_whole else None,
        findings=next((each.findings for each in mine if each.findings), None),
    )
