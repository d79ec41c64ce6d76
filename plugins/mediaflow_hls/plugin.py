"""The hooks of this plugin."""

from __future__ import annotations

from collections.abc import Iterable

from mediaflow.plugin import ManifestFormat, hookimpl
from mediaflow_hls.render import Hls


@hookimpl(trylast=True)
def mediaflow_register_manifests() -> Iterable[ManifestFormat]:
    """The format `hls`."""
    return [Hls()]
