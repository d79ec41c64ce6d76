"""Every setting of the core: one table, read once, frozen."""

from mediaflow.settings.table import (
    CORE,
    MASK,
    RESERVED,
    SettingInfo,
    Settings,
    describe,
    load_settings,
    owned_specs,
    visible_settings,
)

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
