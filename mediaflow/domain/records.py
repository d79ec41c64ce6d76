"""The documents: the only truth about uploads, assets, jobs and tasks. Both databases keep exactly these fields.

Times are seconds since the epoch (UTC). `schema` is the version of the document's shape. `rev` grows by one with each
change. Dictionaries and lists hold JSON values only; a `Publication` is kept as `documents.py` writes it.

Where there is an `outbox`, it holds what the record's changes tell and was not told yet: events as JSON objects by
their ids. `tell_at` is then the time of the newest of them, else None (`services/events/`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mediaflow.domain.publication import Publication
from mediaflow.domain.states import (
    AssetState,
    BlobState,
    ChunkState,
    JobKind,
    Lane,
    Stage,
    UploadState,
    Visibility,
    WorkState,
)

SCHEMA_VERSION = 4
"""Each version has a line in `older.CHANGES`, which people are told when it comes.

1: `Asset.published` was an object without types. It is read as `older.py` says, and written anew with a change.

1, 2: owners and users were the bare `sub` of whatever issuer; nobody can tell whose (`older.py`).
1 to 3: events were told after the write, and lost with the process that died in between.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One announced file. Owner, sizes and asset id are fixed at the start. `worker` assembles it, or did."""

    id: str
    owner: str
    asset_id: str
    filename: str
    content_type: str | None
    size_bytes: int
    chunk_size_bytes: int
    chunk_count: int
    declared_sha256: str | None
    profile: str | None
    dedup: str
    auto_complete: bool
    state: UploadState
    storage_key: str
    parts_handle: str
    created_at: float
    updated_at: float
    expires_at: float
    sha256: str | None = None
    direct: bool = False  # its client sends it to the storage itself
    shared: bool = False  # its owner had these bytes here: none came
    linked_key: str | None = None  # of the original that stays where it was found
    priority: int = 0  # of its first job
    waits_since: float | None = None  # stored, and begun when there is room (`services/imports/feeding.py`)
    error: dict[str, Any] | None = None
    lease_token: str | None = None
    lease_until: float = 0.0
    worker: str | None = None
    counted_chunks: int = -1  # of those that are received; see `services/uploads/counting.py`
    outbox: dict[str, dict[str, Any]] = field(default_factory=dict)
    tell_at: float | None = None
    rev: int = 1
    schema: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One chunk of an upload: claimed (`writing`), then `received` for ever. `receipt` is the storage's (an ETag)."""

    id: str
    upload_id: str
    index: int
    state: ChunkState
    token: str
    lease_until: float
    sha256: str | None = None
    length: int = 0
    receipt: str | None = None
    rev: int = 1
    schema: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """What users see. `rev` grows with every change, `metadata_rev` with title, description, tags, visibility only.

    `generation` is the published one (0: none); `published` tells what leaves of it. `opened` is what viewers may begin
    with while the first one is being made. `next_generation` is the newest that was ever started, by `job_id`.

    `search` holds the words that title, description and tags are found by. `shared_with` are the users who may watch a
    private asset besides its owner. `captions` are `{language, label, default, path, size_bytes}` each, `captioned` the
    languages in which the file ever had some. `poster_seconds` is where the owner's picture was taken (None: chosen by
    the profile), `picture` the path of an image that they gave instead. `watched_at` is when somebody last watched what
    has renditions on demand, within ten minutes; `not_copied` why its pictures are not taken as they are, after that
    went wrong; `rungs` are those of its profile that are made (none: all). `original_gone_at` is since when a linked
    original is not there any more, `original_wanted` where one is to be brought (`services/originals/`).

    A deleted asset is purged after `purge_at`, for good once `purging`. After `sweep_at` other generations' files go.
    """

    id: str
    owner: str
    upload_id: str
    filename: str
    title: str
    description: str
    visibility: Visibility
    state: AssetState
    created_at: float
    updated_at: float
    tags: list[str] = field(default_factory=list)
    playable: bool = False
    profile: str | None = None
    content_type: str | None = None
    size_bytes: int = 0
    sha256: str | None = None
    original_key: str | None = None
    duration_seconds: float | None = None
    media: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    generation: int = 0
    next_generation: int = 0
    job_id: str | None = None
    published: Publication | None = None
    opened: Publication | None = None
    search: list[str] = field(default_factory=list)
    shared_with: list[str] = field(default_factory=list)
    captions: list[dict[str, Any]] = field(default_factory=list)
    captioned: list[str] = field(default_factory=list)
    poster_seconds: float | None = None
    picture: str | None = None
    deleted_at: float | None = None
    purge_at: float | None = None
    purging: bool = False
    sweep_at: float | None = None
    watched_at: float | None = None
    not_copied: str | None = None
    rungs: list[str] = field(default_factory=list)
    original_gone_at: float | None = None
    original_wanted: str | None = None
    acl_epoch: int = 1
    metadata_rev: int = 1
    outbox: dict[str, dict[str, Any]] = field(default_factory=dict)
    tell_at: float | None = None
    rev: int = 1
    schema: int = SCHEMA_VERSION

    @property
    def shown(self) -> Publication | None:
        """What viewers get of it now: what is published, or else what they may begin with."""
        return self.published or self.opened


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The whole work of one generation of an asset (`process`), a new picture for the published one (`poster`), or some
    segments that somebody waits for (`demand`). `recipes` tell what can be made in parts (`pipeline/parts.py`).
    """

    id: str
    asset_id: str
    owner: str
    generation: int
    profile: str | None
    state: WorkState
    created_at: float
    updated_at: float
    finished_at: float | None = None
    error: dict[str, Any] | None = None
    media: dict[str, Any] | None = None
    plan: dict[str, Any] | None = None
    recipes: list[dict[str, Any]] = field(default_factory=list)
    kind: JobKind = "process"
    priority: int = 0
    outbox: dict[str, dict[str, Any]] = field(default_factory=dict)
    tell_at: float | None = None
    rev: int = 1
    schema: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A unit of work small enough to retry. `attempt` is the fencing token: it grows with each claim, every write
    filters on it.

    `ready` is set when all `needs` (task names of the same job) are done. `failures` counts attempts that failed or
    whose worker died; `worker` is who had it last, `place` where (`sandbox/identity.py`). `weight` is the expected cost
    in seconds of one core. `turn` is the order among those of an owner: when the job was made, later by the cost of all
    its steps, for what is done soon goes first; it follows from the document alone, so that an index has it. `seconds`
    is what was spent on it so far (of one core), which its owner has received. Segments of tasks of `rank` 0 and 1 are
    watched while the job goes on. `optional` ones may fail without harming it. With a `part` it makes that of the task
    `whole`, of its source it `reads` those seconds (`domain/plan.py`). What is `watched` has records of its segments,
    what is not `eager` nothing else. Nobody wants it after `wanted_until` > 0; to segment `wanted_to` somebody waits.
    """

    id: str
    job_id: str
    asset_id: str
    owner: str
    generation: int
    name: str
    stage: Stage
    state: WorkState
    created_at: float
    updated_at: float
    step: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    needs: list[str] = field(default_factory=list)
    ready: bool = False
    optional: bool = False
    load_units: int = 1
    lane: Lane = "short"
    rank: int = 2
    part: dict[str, Any] | None = None
    whole: str | None = None
    watched: bool = False
    eager: bool = True
    reads: dict[str, Any] | None = None
    wanted_until: float = 0.0
    wanted_to: int = -1
    weight: float = 1.0
    turn: float = 0.0
    seconds: float = 0.0
    priority: int = 0
    attempt: int = 0
    failures: int = 0
    not_before: float = 0.0
    lease_until: float = 0.0
    worker: str | None = None
    place: str | None = None
    progress: float = 0.0
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    started_at: float | None = None
    finished_at: float | None = None
    outbox: dict[str, dict[str, Any]] = field(default_factory=dict)
    tell_at: float | None = None
    rev: int = 1
    schema: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """An owner's stored original, shared by the assets that were made from the same bytes.

    `id` is derived from owner and SHA-256. The bytes go only after `live -> deleting`, which happens only when no asset
    is listed, by compare-and-set: a purge and a new link can't race.
    """

    id: str
    owner: str
    sha256: str
    key: str
    size_bytes: int
    state: BlobState
    created_at: float
    assets: list[str] = field(default_factory=list)
    rev: int = 1
    schema: int = SCHEMA_VERSION
