"""`mediaflow plan`: what a file would become, without doing it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mediaflow.client.output import console, json_option, print_json, table

if TYPE_CHECKING:
    from mediaflow.plugin import EncodePlan, MediaInfo, PlannedTask, Profile
    from mediaflow.registry import Registry
    from mediaflow.services.pipeline.outlook import Outlook, RenditionOutlook, TaskOutlook
    from mediaflow.settings import Settings

Planned = list[tuple[str, "PlannedTask"]]


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path))
@click.option("--profile", help="Profile to plan for; else the one that mediaflow would choose.")
@json_option
def plan(file: Path, profile: str | None, as_json: bool) -> None:
    """Probe FILE and show its renditions, segments and tasks, what is left out, and why."""
    from mediaflow import registry
    from mediaflow.services.pipeline.fitting import fitted
    from mediaflow.services.pipeline.stepplans import encode_plan, plans_of

    settings, plugins = registry.load(os.environ)
    media = _probed(file, settings, plugins)
    chosen = _profile(file, profile, media, settings, plugins)
    tasks: Planned = fitted([each for spec in chosen.steps for each in plans_of(plugins, spec, media, chosen)], chosen)
    encode = encode_plan(media, chosen, tasks)
    told = _outlook(media, chosen, encode, tasks)
    if as_json:
        print_json(_document(media, chosen, encode, tasks, told))
    else:
        _show(file, media, encode, tasks, told)


def _outlook(media: MediaInfo, profile: Profile, encode: EncodePlan, tasks: Planned) -> Outlook:
    """What the API tells of an asset (`GET /assets/{id}/plan`), of which nothing is made yet."""
    from mediaflow.domain.ladder import rung_choices
    from mediaflow.services.pipeline.foreseen import KeptPlan, foreseen
    from mediaflow.services.pipeline.outlook import Standing
    from mediaflow.services.pipeline.parts import divided
    from mediaflow.services.pipeline.planview import outlook

    plan = KeptPlan(encode, rung_choices(media, profile), tuple(foreseen(tasks)))
    standings = [Standing(piece.whole or piece.task.name, piece.part, "pending") for piece in divided(tasks)]
    return outlook(profile.name, media, plan, standings, {})


def _probed(file: Path, settings: Settings, plugins: Registry) -> MediaInfo:
    from mediaflow.media.animated import readable
    from mediaflow.media.probe import probe
    from mediaflow.plugin import MediaRejected
    from mediaflow.sandbox.runner import SandboxedRunner
    from mediaflow.services.pipeline.budgets import memory_ceiling, probe_budget
    from mediaflow.services.pipeline.confinement import confinement_of

    budget, confinement = probe_budget(memory_ceiling(settings.task_memory_bytes)), confinement_of(settings)
    runner = SandboxedRunner(confinement.mode, budget=budget, confinement=confinement)
    try:
        with readable(file, runner) as source:
            media = probe(source, runner, max_streams=settings.max_streams, max_pixels=settings.max_pixels)
    except OSError as error:
        raise MediaRejected(f"{file} can't be read ({error.strerror})") from error
    from mediaflow.domain.errors import all_said

    problems = plugins.validate_media(media, _draft(file))
    if problems:
        raise MediaRejected(f"{file.name} would be rejected: {all_said(problems)}", code=problems[0].code)
    return media


def _profile(file: Path, name: str | None, media: MediaInfo, settings: Settings, plugins: Registry) -> Profile:
    from mediaflow.domain.suggest import suggestion
    from mediaflow.plugin import InvalidInput

    name = name or plugins.choose_profile(media, _draft(file)) or settings.default_profile
    if name not in plugins.profiles:
        raise InvalidInput(f"there is no profile {name!r}{suggestion(name, plugins.profiles)}")
    return plugins.profiles[name]


def _draft(file: Path) -> Any:
    from mediaflow.plugin import UploadDraft
    from mediaflow.services.access.names import ADMIN

    return UploadDraft(owner=ADMIN, filename=file.name, size_bytes=file.stat().st_size)


def _document(media: MediaInfo, profile: Profile, encode: EncodePlan, tasks: Planned, told: Outlook) -> dict[str, Any]:
    from mediaflow.plugin.wire import dump

    document = dump(told)
    told_tasks = document.pop("tasks")
    return {
        **document,
        "media": dump(media),
        "plan": dump(encode),
        "tasks": [{**dump(task), **more} for (_, task), more in zip(tasks, told_tasks, strict=True)],
        "manifests": list(profile.manifests),
        "downloads": list(profile.downloads),
    }


def _show(file: Path, media: MediaInfo, encode: EncodePlan, tasks: Planned, told: Outlook) -> None:
    out = console()
    out.print(f"{file.name}: {_source(media)}", markup=False)
    grid = told.grid
    pace = "no video"
    if grid:
        most = "at most " if encode.grid is not None and encode.grid.begins else ""
        each = f"{most}{grid.segment_seconds:g} s ({grid.segment_frames} frames)"
        pace = f"{grid.frame_rate:g} frames/s, {grid.segments} segments of {each}"
    out.print(f"Profile {told.profile}: {pace}", markup=False)
    out.print()
    renditions = table("Rendition", "Size", "At most", "Bytes", "When", "Why")
    sounds = {a.name: f"{a.channels} ch, {a.sample_rate_hz / 1000:g} kHz" for a in encode.audio}
    for rendition in told.renditions:
        renditions.add_row(*_rendition(rendition, sounds.get(rendition.name, "")))
    out.print(renditions)
    for left in told.left_out or ():
        out.print(f"Left out: {left.rung}. {left.why}", markup=False)
    out.print()
    rows = table("Task", "Step", "Cores", "Core seconds", "Parts", "Bytes", "After", "Makes")
    for (_, planned), task in zip(tasks, told.tasks or (), strict=True):
        rows.add_row(*_task(planned, task))
    out.print(rows)
    for why in dict.fromkeys(task.why for task in told.tasks or ()):
        names = ", ".join(task.name for task in told.tasks or () if task.why == why)
        out.print(f"{names}: {why}", markup=False)


def _rendition(told: RenditionOutlook, sound: str) -> tuple[str, ...]:
    size = f"{told.width}x{told.height}" if told.width else sound
    return (told.name, size, _rate(told.max_bitrate_bps), _bytes(told.expected_bytes), told.when, told.why or "")


def _task(planned: PlannedTask, told: TaskOutlook) -> tuple[str, ...]:
    parts = "as watched" if told.when == "on_demand" else str(len(told.parts) or 1)
    return (
        told.name + (" (optional)" if told.optional else ""),
        told.step,
        str(told.load_units),
        f"{told.core_seconds:.1f}",
        parts,
        "" if told.expected_bytes is None else _bytes(told.expected_bytes),
        ", ".join(planned.needs),
        ", ".join(told.makes),
    )


def _rate(bps: int) -> str:
    return f"{bps / 1e6:g} Mbit/s" if bps >= 1e6 else f"{bps / 1000:g} kbit/s"


def _bytes(count: int) -> str:
    """At most so many, in decimal megabytes."""
    return f"<= {count / 1e6:.3g} MB"


def _source(media: MediaInfo) -> str:
    parts = [f"{media.duration_seconds:.1f} s"]
    if media.video:
        width, height = media.video.display_size
        parts.append(f"{media.video.codec} {width}x{height} at {float(media.video.frame_rate):.4g} frames/s")
    if media.audio:
        parts.append(f"{media.audio.codec} {media.audio.channels} ch {media.audio.sample_rate_hz / 1000:g} kHz")
    return ", ".join(parts)
