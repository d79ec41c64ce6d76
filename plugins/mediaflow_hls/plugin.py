"""The hooks of this plugin."""

from __future__ import annotations

from collections.abc import Iterable

from mediaflow.plugin import ManifestFormat, hookimpl
from mediaflow_hls.render import Hls

MEDIAFLOW_API = ">=1.0,<2"
"""The versions of the plugin API that this was made for."""


@hookimpl(trylast=True)
def mediaflow_register_manifests() -> Iterable[ManifestFormat]:
    """The format `hls`."""
    return [Hls()]
