"""Whether programs and steps are confined on this machine as they should be, before they are trusted with an upload."""

from __future__ import annotations

from mediaflow.domain.errors import ConfigurationError
from mediaflow.sandbox.selftest import sandbox_fails
from mediaflow.services.pipeline.confinement import confinement_of
from mediaflow.services.pipeline.stepcode import code_places
from mediaflow.settings import Settings


def check_sandbox(settings: Settings) -> None:
    """Raise ConfigurationError, with what to do, when sandboxes can't be made or something gets out of one.

    To be called when the plugins are loaded: their modules are looked at too.
    """
    if settings.sandbox == "off":
        return
    if (reason := sandbox_fails(confinement_of(settings), code_places())) is not None:
        raise ConfigurationError(reason)
