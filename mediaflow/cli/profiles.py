"""`mediaflow profiles`: what a file can be turned into."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from mediaflow.client.output import console, json_option, print_json, table

if TYPE_CHECKING:
    from mediaflow.domain.profile import Rung
    from mediaflow.plugin import Profile


@click.command()
@json_option
def profiles(as_json: bool) -> None:
    """List the profiles: built in, of plugins, and of MEDIAFLOW_PROFILES_DIR."""
    from mediaflow import registry

    settings, plugins = registry.load(os.environ)
    found = [plugins.profiles[name] for name in sorted(plugins.profiles)]
    if as_json:
        print_json([_document(profile, default=profile.name == settings.default_profile) for profile in found])
        return
    rows = table("Profile", "What it makes", "Ladder", "Steps", "Manifests", "From")
    for profile in found:
        rows.add_row(
            profile.name + (" (default)" if profile.name == settings.default_profile else ""),
            profile.description,
            ", ".join(_rung(profile, rung) for rung in profile.ladder),
            ", ".join(step.step for step in profile.steps),
            ", ".join(profile.manifests),
            profile.source,
        )
    console().print(rows)


def _rung(profile: Profile, rung: Rung) -> str:
    """A rung with the bit rate that counts: of the sound where nothing makes pictures."""
    if any(step.step.startswith("video.") for step in profile.steps):
        return f"{rung.name} {rung.video_bitrate_bps / 1e6:g} Mbit/s"
    return f"{rung.name} {rung.audio_bitrate_bps / 1e3:g} kbit/s"


def _document(profile: Profile, *, default: bool) -> dict[str, Any]:
    return {
        "name": profile.name,
        "description": profile.description,
        "default": default,
        "segment_seconds": profile.segment_seconds,
        "frame_rate_max": profile.frame_rate_max,
        "ladder": [
            {
                "name": rung.name,
                "height": rung.height,
                "video_bitrate_bps": rung.video_bitrate_bps,
                "audio_bitrate_bps": rung.audio_bitrate_bps,
            }
            for rung in profile.ladder
        ],
        "steps": [{"step": step.step, "params": dict(step.params)} for step in profile.steps],
        "manifests": list(profile.manifests),
        "downloads": list(profile.downloads),
        "copies": profile.copies,
        "original": profile.original,
        "source": profile.source,
    }
