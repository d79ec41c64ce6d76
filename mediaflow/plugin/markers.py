"""The markers of mediaflow's hooks: decorate your implementations with `hookimpl`."""

from __future__ import annotations

from typing import Final

import pluggy

PROJECT_NAME: Final = "mediaflow"
ENTRY_POINT_GROUP: Final = "mediaflow"
API_VERSION: Final = "1.5"
"""Of this package's names and hooks. The second number grows with what is added, the first with what is changed or
removed; a plugin declares its range as `MEDIAFLOW_API = ">=1.0,<2"`.
"""

hookspec = pluggy.HookspecMarker(PROJECT_NAME)
hookimpl = pluggy.HookimplMarker(PROJECT_NAME)
