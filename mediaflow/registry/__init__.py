"""The plugins: loaded, checked and frozen at start, with the profiles that are checked against what they offer."""

from mediaflow.registry.hooks import Hooks
from mediaflow.registry.registry import LISTENER_FAILURES, Registry, installed, load

__all__ = ["LISTENER_FAILURES", "Hooks", "Registry", "installed", "load"]
