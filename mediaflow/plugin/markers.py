"""The markers of mediaflow's hooks: decorate your implementations with `hookimpl`."""

from __future__ import annotations

from typing import Final

import pluggy

PROJECT_NAME: Final = "mediaflow"
ENTRY_POINT_GROUP: Final = "mediaflow"

hookspec = pluggy.HookspecMarker(PROJECT_NAME)
hookimpl = pluggy.HookimplMarker(PROJECT_NAME)
