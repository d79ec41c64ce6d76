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
    from mediaflow.settings import Settings

Planned = list[tuple[str, "PlannedTask"]]


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path))
@click.option("--profile", help="Profile to plan for; else the one that mediaflow would choose.")
@json_option
def plan(file: Path, profile: str | None, as_json: bool) -> None:
    """Probe FILE and show its renditions, segments and tasks."""
    from mediaflow import registry
    from mediaflow.plugin import plan_encode
    from mediaflow.services.pipeline.fitting import fitted
    from mediaflow.services.pipeline.stepplans import plans_of

    settings, plugins = registry.load(os.environ)
    media = _probed(file, settings, plugins)
    chosen = _profile(file, profile, media, settings, plugins)
    encode = plan_encode(media, chosen)
    tasks: Planned = fitted([each for spec in chosen.steps for each in plans_of(plugins, spec, media, chosen)], chosen)
    if as_json:
        print_json(_document(media, chosen, encode, tasks))
    else:
        _show(file, media, chosen, encode, tasks)


def _probed(file: Path, settings: Settings, plugins: Registry) -> MediaInfo:
    from mediaflow.media.probe import probe
    from mediaflow.plugin import MediaRejected
    from mediaflow.sandbox.runner import SandboxedRunner
    from mediaflow.services.pipeline.budgets import memory_ceiling, probe_budget
    from mediaflow.services.pipeline.confinement import confinement_of

    budget, confinement = probe_budget(memory_ceiling(settings.task_memory_bytes)), confinement_of(settings)
    runner = SandboxedRunner(confinement.mode, budget=budget, confinement=confinement)
    try:
        media = probe(file, runner, max_streams=settings.max_streams, max_pixels=settings.max_pixels)
    except OSError as error:
        raise MediaRejected(f"{file} can't be read ({error.strerror})") from error
    problems = plugins.validate_media(media, _draft(file))
    if problems:
        raise MediaRejected(f"{file.name} would be rejected: {problems[0].detail}", code=problems[0].code)
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


def _document(media: MediaInfo, profile: Profile, encode: EncodePlan, tasks: Planned) -> dict[str, Any]:
    from mediaflow.plugin.wire import dump

    return {
        "profile": profile.name,
        "media": dump(media),
        "plan": dump(encode),
        "tasks": [{"step": step, **dump(task)} for step, task in tasks],
        "manifests": list(profile.manifests),
    }


def _show(file: Path, media: MediaInfo, profile: Profile, encode: EncodePlan, tasks: Planned) -> None:
    out = console()
    out.print(f"{file.name}: {_source(media)}", markup=False)
    grid = encode.grid
    pace = f"{float(grid.frame_rate):g} frames/s, {grid.segment_count} segments" if grid else "no video"
    out.print(f"Profile {profile.name}: {pace} of {float(encode.segment_seconds):g} s", markup=False)
    out.print()
    renditions = table("Rendition", "Size", "At most", "Audio")
    for video in encode.video:
        rate = f"{video.max_bitrate_bps / 1e6:g} Mbit/s"
        renditions.add_row(video.name, f"{video.width}x{video.height}", rate, video.audio or "none")
    for audio in encode.audio:
        shape = f"{audio.channels} ch, {audio.sample_rate_hz / 1000:g} kHz"
        renditions.add_row(audio.name, shape, f"{audio.bitrate_bps / 1000:g} kbit/s", "")
    out.print(renditions)
    out.print()
    rows = table("Task", "Step", "Cores", "Core seconds", "After", "Makes")
    for step, task in tasks:
        name = task.name + (" (optional)" if task.optional else "")
        rows.add_row(
            name, step, str(task.load_units), f"{task.weight:.1f}", ", ".join(task.needs), ", ".join(task.makes)
        )
    out.print(rows)


def _source(media: MediaInfo) -> str:
    parts = [f"{media.duration_seconds:.1f} s"]
    if media.video:
        width, height = media.video.display_size
        parts.append(f"{media.video.codec} {width}x{height} at {float(media.video.frame_rate):.4g} frames/s")
    if media.audio:
        parts.append(f"{media.audio.codec} {media.audio.channels} ch {media.audio.sample_rate_hz / 1000:g} kHz")
    return ", ".join(parts)
