"""How programs and steps are confined, from the settings."""

from __future__ import annotations

from mediaflow.sandbox.confinement import Confinement
from mediaflow.settings import Settings


def confinement_of(settings: Settings) -> Confinement:
    """How programs and steps are confined."""
    return Confinement.of(
        settings.sandbox, settings.sandbox_first_uid, settings.sandbox_devices, settings.sandbox_reads
    )
