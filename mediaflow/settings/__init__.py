"""Every setting of the core: one table, read once, frozen."""

from mediaflow.settings.loading import (
    CORE,
    MASK,
    RESERVED,
    SettingInfo,
    describe,
    load_settings,
    owned_specs,
    visible_settings,
)
from mediaflow.settings.table import Settings

__all__ = [
    "CORE",
    "MASK",
    "RESERVED",
    "SettingInfo",
    "Settings",
    "describe",
    "load_settings",
    "owned_specs",
    "visible_settings",
]
