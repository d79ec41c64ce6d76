"""Every setting of the core: one table, read once, frozen. `MEDIAFLOW_<NAME>` in the environment sets `<name>`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mediaflow.plugin import SettingSpec
from mediaflow.sandbox.users import FIRST_USER, USERS


def _setting(
    default: Any,
    help: str,
    *,
    secret: bool = False,
    choices: tuple[Any, ...] = (),
    minimum: int | None = None,
    maximum: int | None = None,
) -> Any:
    bounds = {"minimum": minimum, "maximum": maximum}
    return field(default=default, metadata={"help": help, "secret": secret, "choices": choices, **bounds})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The effective settings of a process. `plugins` holds those that plugins registered, by name.

    `from_environment` names the settings that the environment set, whatever their value.
    """

    data_dir: str = _setting("data", "Directory of everything that the embedded parts keep, and of generated keys.")
    database_url: str = _setting(
        "", "Documents: sqlite:PATH or mongodb://...; empty means a SQLite file in the data directory."
    )
    redis_url: str = _setting(
        "", "Queue: redis://...; empty is for `mediaflow up`, which starts a private server.", secret=True
    )
    storage_url: str = _setting(
        "", "Objects: local:PATH or s3:http(s)://host:port/bucket; empty means a directory in the data directory."
    )
    archive_url: str = _setting(
        "", "Second storage, for originals that are archived: a URL as MEDIAFLOW_STORAGE_URL; empty: there is none."
    )
    host: str = _setting("127.0.0.1", "Address that the web server binds.")
    port: int = _setting(8080, "Port that the web server binds; 0 takes a free one.", minimum=0, maximum=65535)
    public_url: str = _setting("", "Base URL that clients use, when it is not the address above (behind a proxy).")
    metrics_bind: str = _setting("127.0.0.1:9464", "Address of the Prometheus metrics; `off` serves none.")
    web_threads: int = _setting(32, "Threads of a web process; each chunk that arrives holds one.", minimum=1)
    web_connections: int = _setting(
        4096, "Connections that a web process holds at once; the idle ones hold no thread.", minimum=1
    )
    web_connections_per_address: int = _setting(
        256,
        "Connections of one address (64 bits of IPv6) at once; behind trusted proxies, requests; 0 means any number.",
        minimum=0,
    )
    request_seconds: int = _setting(
        15, "Within so long a request's head and its JSON must have arrived (408 otherwise).", minimum=1
    )
    least_bytes_per_second: int = _setting(
        1024, "Chunks that arrive more slowly (over 20 s), and answers that are read more slowly, are cut.", minimum=0
    )
    chunks_per_user: int = _setting(
        8,
        "Chunks of one user that a web process receives at once (429 for more); a place is left for others.",
        minimum=1,
    )
    event_streams_per_user: int = _setting(
        32, "Streams of events of one user that a web process holds at once (429 for more).", minimum=1
    )
    event_streams_per_address: int = _setting(
        128,
        "Streams of events of one address (64 bits of IPv6) that a web process holds at once; 0 means any number. All "
        "together hold half of its connections at most (503).",
        minimum=0,
    )
    web_processes: int = _setting(1, "Web processes.", minimum=1)
    worker_processes: int = _setting(1, "Worker processes of `mediaflow worker` and `mediaflow up`.", minimum=1)
    worker_threads: int = _setting(
        0,
        "Tasks that a worker process holds at once, bookkeeping among them; 0 means as many as its load units take.",
        minimum=0,
    )
    worker_load: int = _setting(
        0, "Load units (cores) that a worker process fills; 0 means the cores of this machine.", minimum=0
    )
    jwt_key: str = _setting(
        "",
        "HS256 key of API tokens, at least 32 bytes; empty means a generated one in the data directory.",
        secret=True,
    )
    jwt_issuer: str = _setting("mediaflow", "Issuer (`iss`) of API tokens.")
    jwt_audience: str = _setting("mediaflow", "Audience (`aud`) of API tokens.")
    session_seconds: int = _setting(12 * 3600, "How long a browser stays signed in.", minimum=1)
    stream_bucket_seconds: int = _setting(
        3600, "Viewers within one bucket share a stream token, and so a CDN's copy.", minimum=1
    )
    stream_cache_seconds: int = _setting(
        60,
        "Longest time that a shared cache may keep segments of public and unlisted assets.",
        minimum=0,
        maximum=86400,
    )
    stream_origins: str = _setting(
        "*", "Origins whose pages may play streams (CORS), comma-separated; `*` means any, empty none."
    )
    stream_redirect: bool = _setting(
        False, "Send players to presigned URLs of the storage for segments (storages that can presign)."
    )
    stream_accel_prefix: str = _setting(
        "", "Have nginx send files of a `local:` storage: the prefix of its internal location (X-Accel-Redirect)."
    )
    api_origins: str = _setting(
        "", "Origins whose pages may call the API with a token (CORS), comma-separated; empty means none."
    )
    trusted_proxies: int = _setting(
        0, "Proxies in front whose X-Forwarded-* headers are believed: how many hops.", minimum=0, maximum=16
    )
    jwks_url: str = _setting("", "Keys (JWKS, an http(s) URL) of an outside issuer of API tokens: RS256 or ES256.")
    jwks_issuer: str = _setting("", "Issuer (`iss`) of the outside issuer's tokens.")
    jwks_audience: str = _setting("", "Audience (`aud`) of the outside issuer's tokens; empty means the one above.")
    jwks_role_claim: str = _setting(
        "",
        "Claim of the outside issuer's tokens that holds the role or the groups; empty: none of them is an admin.",
    )
    jwks_admin_values: str = _setting("", "Values of that claim that make an admin, comma-separated.")
    jwks_users_file: str = _setting(
        "",
        'JSON file of users of the outside issuer who go on under their names of older versions: `{"<iss>": {"<sub>": '
        '"<name>"}}`.',
    )
    api_key_seconds: int = _setting(90 * 86400, "How long an API key lasts that is made without an end.", minimum=1)
    api_key_max_seconds: int = _setting(
        366 * 86400, "Longest life of an API key, of those that are there already too.", minimum=1
    )
    demand_per_minute: int = _setting(
        240,
        "Pieces of videos (some segments of one size) that are made in a minute because players of one address wait for"
        " them; 0 means any number.",
        minimum=0,
    )
    demand_viewers: int = _setting(
        0,
        "Viewers at once who are offered all sizes of what is not all made yet, each somewhere that nobody has watched"
        " before; whoever else begins is offered what is made in any case. 0 means two for each core of this machine"
        " that workers fill, 4 at least.",
        minimum=0,
    )
    rendition_budget_bytes: int = _setting(
        0,
        "What segments made on demand may take in all; those of videos that were watched longest ago go first. 0 means"
        " that none go.",
        minimum=0,
    )
    trash_seconds: int = _setting(
        30 * 86400, "How long a deleted asset can be restored; its files go afterwards.", minimum=0
    )
    asset_cache_seconds: int = _setting(
        300,
        "How long Redis keeps the bodies of assets; 0 caches none. SQLite is faster than Redis: with it only when set.",
        minimum=0,
        maximum=86400,
    )
    rate_limit_per_minute: int = _setting(
        30_000, "Requests that a user may make in a minute (429 afterwards); 0 means any number.", minimum=0
    )
    login_failures_per_minute: int = _setting(
        3000,
        "Refused credentials of one address in a minute, before it is told to wait; 0 means any number.",
        minimum=0,
    )
    anonymous_requests_per_minute: int = _setting(
        6000,
        "Requests without a credential that look something up (signing in, public assets), of one address in a minute;"
        " 0 means any number.",
        minimum=0,
    )
    anonymous_body_bytes: int = _setting(
        16 * 1024, "Largest body of a request without a credential (413 beyond).", minimum=1, maximum=1024**2
    )
    quota_bytes: int = _setting(1024**4, "Bytes of originals that a user may have; 0 means any number.", minimum=0)
    quota_assets: int = _setting(100_000, "Assets that a user may have; 0 means any number.", minimum=0)
    quota_open_uploads: int = _setting(
        1000, "Uploads of a user that are announced and not complete; 0 means any number.", minimum=0
    )
    quota_unreceived_bytes: int = _setting(
        200 * 1024**3, "Bytes that a user may have announced and not sent yet; 0 means any number.", minimum=0
    )
    quota_core_seconds: int = _setting(
        2_000_000,
        "Planned work of a user that may wait, in seconds of one core (a day of 1080p60 has 275,000); 0: any.",
        minimum=0,
    )
    idempotency_seconds: int = _setting(
        86400, "How long an answer to a POST with an Idempotency-Key is kept.", minimum=1
    )
    audit_days: int = _setting(90, "How long the audit log is kept, in days.", minimum=1)
    gc_seconds: int = _setting(
        6 * 3600,
        "So often some worker looks for what nothing names in the storage; 0 means never.",
        minimum=0,
        maximum=3 * 86400,
    )
    gc_wait_seconds: int = _setting(
        3600,
        "What nothing names is removed when it was found so long ago, and nothing names it still.",
        minimum=60,
        maximum=3 * 86400,
    )
    event_days: int = _setting(7, "How long the log of events is kept, in days.", minimum=1)
    disk_warning_bytes: int = _setting(10 * 1024**3, "Free disk space below which the health report warns.", minimum=0)
    disk_critical_bytes: int = _setting(
        2 * 1024**3, "Free disk space below which the health report is critical.", minimum=0
    )
    max_upload_bytes: int = _setting(20 * 1024**3, "Largest accepted upload.", minimum=1)
    chunk_bytes: int = _setting(8 * 1024**2, "Chunk size that clients are told when they ask for none.", minimum=1)
    max_chunk_bytes: int = _setting(64 * 1024**2, "Largest chunk size that a client may ask for.", minimum=1)
    upload_first_chunk_seconds: int = _setting(
        900, "An upload of which no chunk was received within this time expires.", minimum=1
    )
    upload_expiry_seconds: int = _setting(
        24 * 3600, "An upload that is not completed within this time expires.", minimum=1
    )
    import_seconds: int = _setting(
        6 * 3600, "A file that is imported from an address has to be there within this time.", minimum=1
    )
    import_allowed_networks: str = _setting(
        "",
        "Networks inside of yours that files may be imported from all the same, as 10.1.0.0/16, fd00::/8. Whoever may "
        "upload can then have requests sent there.",
    )
    import_folders: str = _setting(
        "", "Directories that admins may import from, separated by colons; empty: all that this service may read."
    )
    import_waiting: int = _setting(
        100, "So many jobs may be open before what was imported from folders has to wait for its own.", minimum=1
    )
    max_duration_seconds: int = _setting(24 * 3600, "Longest accepted media.", minimum=1)
    max_pixels: int = _setting(75_000_000, "Largest accepted picture, in pixels.", minimum=1)
    max_streams: int = _setting(32, "Most streams that an accepted file may have.", minimum=1)
    task_memory_bytes: int = _setting(
        0,
        "Most memory of a task with all its programs (smaller media get less); 0: 2 GiB and 64 MiB for each core.",
        minimum=0,
    )
    default_profile: str = _setting(
        "web-h264", "Profile of uploads that name none and for which no plugin chooses one."
    )
    profiles_dir: str = _setting(
        "", "Directory of your own profiles (*.yaml); they add to the built-in ones and override them."
    )
    plugins_disabled: str = _setting("", "Comma-separated entry-point names of plugins that are not loaded.")
    sandbox: str = _setting("bwrap", "How ffmpeg and steps are confined.", choices=("bwrap", "off"))
    sandbox_first_uid: int = _setting(
        FIRST_USER,
        f"Started by root: the first of {USERS} users (and groups) that sandboxes run as; nobody else may have them.",
        minimum=1000,
        maximum=2**31,
    )
    sandbox_devices: str = _setting(
        "", "Devices that programs in the sandbox may use, as of a hardware encoder: paths, separated by colons."
    )
    sandbox_reads: str = _setting(
        "", "Files and directories that steps may read beside their own, as models: paths, separated by colons."
    )
    work_dir: str = _setting("", "Directory for running tasks; empty means one in the data directory.")
    source_cache_bytes: int = _setting(
        20 * 1024**3, "Disk space for what workers of a machine fetched of originals from a remote storage."
    )
    min_free_bytes: int = _setting(1024**3, "Disk space that uploads must leave free (507 otherwise).", minimum=0)
    log_format: str = _setting(
        "auto", "Log lines: console, json, or auto (console on a terminal).", choices=("auto", "console", "json")
    )
    log_level: str = _setting(
        "info", "Least severe log lines that are written.", choices=("debug", "info", "warning", "error")
    )
    plugins: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    from_environment: frozenset[str] = frozenset()

    @property
    def data_path(self) -> Path:
        """The data directory, absolute."""
        return Path(self.data_dir).absolute()


@cache
def core_specs() -> tuple[SettingSpec, ...]:
    """The table above as specifications, in its order."""
    return tuple(
        SettingSpec(name=entry.name, type=type(entry.default), default=entry.default, **entry.metadata)
        for entry in fields(Settings)
        if entry.metadata
    )
