"""A file that is fetched from an address, for somebody who would else have to fetch and send it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mediaflow.domain.records import SCHEMA_VERSION

ImportState = Literal["waiting", "running", "done", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One such file. `id` is that of its transfer, into which the bytes go. Who fetches has the `token` until
    `lease_until`; `not_before` is when the next of its `attempts` may begin. `validator` is the ETag of what has come,
    with which a server tells whether the rest is of the same file. `until`: when it has to be there.
    """

    id: str
    owner: str
    upload_id: str
    asset_id: str
    url: str
    state: ImportState
    created_at: float
    updated_at: float
    not_before: float
    until: float
    attempts: int = 0
    validator: str | None = None
    token: str | None = None
    lease_until: float = 0.0
    rev: int = 1
    schema: int = SCHEMA_VERSION
