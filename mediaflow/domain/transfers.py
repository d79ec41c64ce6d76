"""A row of bytes on its way in from a client that appends: what protocols of resumable uploads keep of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal

from mediaflow.domain.records import SCHEMA_VERSION

Kind = Literal["whole", "partial", "final"]
"""A file, a part of one that is put together of several, or such a file."""
TransferState = Literal["receiving", "complete"]
HELD_SECONDS: Final = 10.0
"""Who appends says so often enough that nobody takes it for dead before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One such row. `length` is None until it is known. Of its bytes, `poured` are in chunks of the upload (which is
    there once it is `announced`), the others in `pieces`: objects `{key, size, skip}`, whose first bytes are poured. An
    `open` one is complete when its client says so, another one when it has its length. A `placed`
    one has its upload from the beginning, without a size.

    `token` is that of the request that appends, until `held_until`, and it gives up when somebody else `wants` it.
    `said` is what its client said of the file, `metadata` how it wrote that. A final one is made of its `sources`.
    """

    id: str
    owner: str
    kind: Kind
    state: TransferState
    upload_id: str
    asset_id: str
    length: int | None
    said: dict[str, Any]
    metadata: str
    created_at: float
    updated_at: float
    expires_at: float
    sources: list[str] = field(default_factory=list)
    open: bool = False
    placed: bool = False
    announced: bool = False
    poured: int = 0
    pieces: list[dict[str, Any]] = field(default_factory=list)
    token: str | None = None
    held_until: float = 0.0
    wanted: str | None = None
    rev: int = 1
    schema: int = SCHEMA_VERSION

    @property
    def offset(self) -> int:
        """The bytes that have come for good; of a complete one all, whether they had to come or not."""
        if self.state == "complete":
            return self.length or 0
        return self.poured + sum(int(piece["size"]) - int(piece["skip"]) for piece in self.pieces)

    @property
    def is_whole(self) -> bool:
        """Whether all has come, and nobody has noticed or said it yet."""
        return self.state == "receiving" and self.length is not None and self.offset >= self.length
