"""What blueprints and commands of plugins get: settings, who is asking, and assets by the rules that the API keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from mediaflow.domain.states import AssetState, Visibility
from mediaflow.plugin.metrics import Metrics
from mediaflow.plugin.records import EventReader, Records


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking. A `user` owns things, an `admin` sees everybody's."""

    user: str
    role: Literal["user", "admin"]


@dataclass(frozen=True, slots=True)
class AssetView:
    """An asset as its caller may know it. `created_at` is seconds since the epoch (UTC).

    `owner` is None for who may only watch it, because it is public or unlisted.
    """

    id: str
    title: str
    description: str
    tags: tuple[str, ...]
    visibility: Visibility
    state: AssetState
    playable: bool
    created_at: float
    duration_seconds: float | None
    owner: str | None


class ServiceContext(Protocol):
    """Keep it in your views and commands, and ask it when they run: in a request it answers for that request's caller,
    in a command for the operator, who is an admin.
    """

    @property
    def settings(self) -> Mapping[str, Any]:
        """All settings by name, but no secrets other than the plugin's own."""
        ...

    @property
    def metrics(self) -> Metrics:
        """Counts what the plugin declared."""
        ...

    @property
    def records(self) -> Records:
        """The plugin's own documents; they know no caller."""
        ...

    @property
    def events(self) -> EventReader:
        """The log of all events, everybody's; it knows no caller."""
        ...

    def caller(self) -> Caller | None:
        """Who is asking; None: nobody that is known (only where an operation was declared to be open)."""
        ...

    def asset(self, asset_id: str) -> AssetView:
        """One asset that the caller may see: their own, shared with them, public or unlisted. NotFound for all others,
        whether they are there or not.
        """
        ...

    def assets(self, *, page: int = 1, page_size: int = 20) -> Sequence[AssetView]:
        """The caller's own assets (an admin's: everybody's), newest first; none beyond the last page.

        A page has 1 to 100 assets; `page` counts from 1. InvalidInput for others, Unauthenticated when nobody is known.
        """
        ...
