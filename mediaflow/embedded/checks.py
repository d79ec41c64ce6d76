"""The checks of `mediaflow doctor`. Each answers with a sentence: what was found, or what to do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Literal

from mediaflow import runtime
from mediaflow.domain.ids import new_id
from mediaflow.domain.telling import unusable
from mediaflow.embedded.abilities import abilities, check_profiles
from mediaflow.embedded.redis_server import find_server
from mediaflow.plugin import ConfigurationError, MediaflowError
from mediaflow.registry import Registry
from mediaflow.sandbox.users import USERS
from mediaflow.services.access.api_keys import ApiKeys
from mediaflow.services.access.outside import outside_settings
from mediaflow.services.access.users import LocalUsers
from mediaflow.services.upkeep.topology import check_topology
from mediaflow.settings import Settings

MOST_NAMES: Final = 10
State = Literal["passed", "warning", "failed"]
ASK_SECONDS: Final = 10

ENCODERS: Final = ("libx264", "aac", "mjpeg")
FILTERS: Final = (
    *("scale", "split", "fps", "trim", "setpts", "setsar", "format", "bwdif", "zscale", "tonemap"),
    *("asplit", "aresample", "aformat"),
)
MUXERS: Final = ("mp4", "hls", "image2", "framecrc")
"""What the built-in steps use of ffmpeg; every usual build has them, minimal ones may not."""


@dataclass(frozen=True, slots=True)
class Check:
    """One answer. `failed` means that mediaflow does not work like this."""

    name: str
    state: State
    detail: str


def run_checks(settings: Settings, plugins: Registry) -> list[Check]:
    """Every check, in the order in which they are worth reading."""
    checks: tuple[tuple[str, Callable[[], tuple[State, str]]], ...] = (
        ("ffmpeg", _ffmpeg),
        ("ffprobe", _ffprobe),
        ("sandbox", lambda: _sandbox(settings)),
        ("encoders", lambda: _abilities(settings, plugins)),
        ("database", lambda: _database(settings)),
        ("users", lambda: _users(settings)),
        ("queue", lambda: _queue(settings)),
        ("storage", lambda: _storage(settings, plugins)),
        ("work directory", lambda: _work_directory(settings)),
        ("hosts", lambda: _hosts(settings, plugins)),
        ("disk", lambda: _disk(settings)),
        ("page", _page),
    )
    return [_run(name, check) for name, check in checks]


def _run(name: str, check: Callable[[], tuple[State, str]]) -> Check:
    try:
        state, detail = check()
    except MediaflowError as error:
        state, detail = "failed", error.detail
    except OSError as error:
        state, detail = "failed", unusable(error)
    except Exception as error:  # noqa: BLE001 - a library's own error about a backend is what doctor is there to show
        state, detail = "failed", f"{type(error).__name__}: {error}"
    return Check(name, state, detail)


def _ffmpeg() -> tuple[State, str]:
    version = _output("ffmpeg", "-version").split("\n", 1)[0]
    missing = [
        f"{kind} {name}"
        for kind, option, needed in (
            ("encoder", "-encoders", ENCODERS),
            ("filter", "-filters", FILTERS),
            ("muxer", "-muxers", MUXERS),
        )
        for name in _missing(_output("ffmpeg", "-hide_banner", option), needed)
    ]
    if missing:
        return "failed", f"{version} has no {', '.join(missing)}; install a full build (Debian: apt-get install ffmpeg)"
    return "passed", version


def _ffprobe() -> tuple[State, str]:
    return "passed", _output("ffprobe", "-version").split("\n", 1)[0]


def _output(program: str, *arguments: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise ConfigurationError(f"{program} is not installed; install ffmpeg (Debian: apt-get install ffmpeg)")
    done = subprocess.run([found, *arguments], capture_output=True, text=True, timeout=ASK_SECONDS, check=False)
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or [f"it ended with {done.returncode}"]
        raise ConfigurationError(f"{found} does not run ({last[0]}); install ffmpeg (Debian: apt-get install ffmpeg)")
    return done.stdout


def _missing(listing: str, needed: Iterable[str]) -> list[str]:
    """Which names are in no line of a listing such as ` V....D libx264   H.264 ...`."""
    listed = {name for line in re.findall(r"^ +\S+ +(\S+)", listing, re.MULTILINE) for name in line.split(",")}
    return [name for name in needed if name not in listed]


def _sandbox(settings: Settings) -> tuple[State, str]:
    if settings.sandbox == "off":
        return "warning", "MEDIAFLOW_SANDBOX=off: ffmpeg reads whatever this user can; every upload must be trusted"
    from mediaflow.runtime.confining import check_sandbox

    check_sandbox(settings)
    if os.geteuid() != 0:
        return "passed", "programs and steps run in bubblewrap as this user, and nothing gets out"
    last = settings.sandbox_first_uid + USERS - 1
    users = f"users {settings.sandbox_first_uid} to {last}"
    return "passed", f"programs and steps run in bubblewrap as {users}, and nothing gets out"


def _abilities(settings: Settings, plugins: Registry) -> tuple[State, str]:
    return abilities(settings, plugins)


def _profiles(settings: Settings, plugins: Registry) -> tuple[State, str]:
    check_profiles(settings, plugins)
    return "passed", "this machine has what they need"


def _database(settings: Settings) -> tuple[State, str]:
    from mediaflow.persistence import open_database

    if not settings.database_url and not settings.data_path.exists():
        return "passed", f"a SQLite file in {settings.data_path}, made at the first start"
    database = open_database(runtime.database_url(settings))
    try:
        database.ping()
    finally:
        database.close()
    return "passed", "a SQLite file" if not settings.database_url else "it answers"


def _users(settings: Settings) -> tuple[State, str]:
    """Names that only older versions took, and keys that ended because nobody can tell whose they are."""
    from mediaflow.embedded.known_users import documents, is_known

    outside = outside_settings(settings, partial(is_known, settings))
    with documents(settings) as database:
        if database is None:
            return "passed", "there are none yet"
        odd = LocalUsers(database).odd_names()
        keys = 0 if outside is None else ApiKeys(database).without_issuer()
    told = []
    if odd:
        shown = ", ".join(repr(name) for name in odd[:MOST_NAMES]) + (", ..." if len(odd) > MOST_NAMES else "")
        told.append(
            f"{len(odd)} names of older versions can't be given to anybody today: {shown}; who has one goes on"
            " (`mediaflow token --older-name`), or takes another and has their assets shared"
        )
    if keys:
        told.append(f"{keys} API keys don't tell whose issuer their makers came from and open nothing; make new ones")
    return ("warning", "; ".join(told)) if told else ("passed", "every name has one writing")


def _queue(settings: Settings) -> tuple[State, str]:
    if not settings.redis_url:
        return "passed", f"`mediaflow up` starts {find_server()}"
    import redis

    try:
        client = redis.Redis.from_url(
            settings.redis_url, socket_connect_timeout=ASK_SECONDS, socket_timeout=ASK_SECONDS
        )
    except ValueError as error:
        return "failed", f"MEDIAFLOW_REDIS_URL is no Redis URL (redis://host:6379/0): {error}"
    try:
        client.ping()
    except redis.RedisError as error:
        return "failed", f"the Redis of MEDIAFLOW_REDIS_URL does not answer ({error}); start it, or correct the URL"
    finally:
        client.close()
    return "passed", "Redis answers"


def _storage(settings: Settings, plugins: Registry) -> tuple[State, str]:
    if not settings.storage_url and not settings.data_path.exists():
        return "passed", f"a directory in {settings.data_path}, made at the first start"
    urls = [runtime.storage_url(settings), *([settings.archive_url] if settings.archive_url else [])]
    answers = [_keeps(url, settings, plugins) for url in urls]
    return next((answer for answer in answers if answer[0] == "failed"), answers[0])


def _keeps(url: str, settings: Settings, plugins: Registry) -> tuple[State, str]:
    storage = plugins.open_storage(url, settings)
    key = f"checks/{new_id()}"  # reading says nothing about a place that can't be written to
    try:
        storage.put(key, [b"mediaflow"], size_bytes=9, content_type="text/plain")
        storage.delete(key)
    except MediaflowError as error:
        if plugins.storage_scheme(url).shared:
            raise
        # a place of this machine, which the storage does not name because clients read its errors
        detail = error.detail.rstrip(".")
        return "failed", f"{url}: {detail}; give this user access to it, or set MEDIAFLOW_STORAGE_URL to another place"
    return "passed", "it keeps what is written"


def _work_directory(settings: Settings) -> tuple[State, str]:
    root = runtime.work_root(settings)
    if not settings.work_dir and not settings.data_path.exists():
        return "passed", f"{root}, made at the first start"
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=root):
            pass
    except OSError as error:
        return "failed", f"{root} can't be written to ({error.strerror}); set MEDIAFLOW_WORK_DIR to another directory"
    return "passed", f"{root} can be written to"


def _hosts(settings: Settings, plugins: Registry) -> tuple[State, str]:
    check_hosts(settings, plugins)
    return "passed", "web and workers can reach the same documents and objects"


def check_worker(settings: Settings, plugins: Registry) -> None:
    """Raise ConfigurationError, with what to do, when a worker could not work on this machine."""
    check_hosts(settings, plugins)
    checks: tuple[Callable[[], tuple[State, str]], ...] = (
        lambda: _sandbox(settings),
        _ffmpeg,
        _ffprobe,
        lambda: _profiles(settings, plugins),
    )
    with ThreadPoolExecutor(len(checks)) as pool:  # they wait for programs
        for state, detail in pool.map(lambda check: check(), checks):
            if state == "failed":
                raise ConfigurationError(detail)


def check_backends(settings: Settings, plugins: Registry) -> None:
    """Raise ConfigurationError, with what to do, when something that the service keeps its things in does not work."""
    checks: tuple[tuple[str, Callable[[], tuple[State, str]]], ...] = (
        ("database", lambda: _database(settings)),
        ("queue", lambda: _queue(settings)),
        ("storage", lambda: _storage(settings, plugins)),
        ("work directory", lambda: _work_directory(settings)),
    )
    for name, check in checks:
        answer = _run(name, check)
        if answer.state == "failed":
            raise ConfigurationError(f"{name}: {answer.detail}")


def check_hosts(settings: Settings, plugins: Registry) -> None:
    """See `services/upkeep/topology.py`."""
    url = runtime.storage_url(settings)
    check_topology(
        redis_url=settings.redis_url,
        database_url=runtime.database_url(settings),
        storage_url=url,
        storage_is_shared=plugins.storage_scheme(url).shared,
    )


def _disk(settings: Settings) -> tuple[State, str]:
    there = settings.data_path
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    if free < settings.min_free_bytes:
        return (
            "failed",
            f"{free / 1e9:.1f} GB are free at {there}, less than MEDIAFLOW_MIN_FREE_BYTES, so uploads are refused; "
            "free some, or put MEDIAFLOW_DATA_DIR on a larger disk",
        )
    return "passed", f"{free / 1e9:.1f} GB free at {there}"


def _page() -> tuple[State, str]:
    import mediaflow.web

    vendor = Path(mediaflow.web.__file__).parent / "static" / "vendor"
    if not (vendor / "hls.js").is_dir():
        return "failed", "the page's player is missing; run `python -m mediaflow.web.vendor` (needs npm)"
    return "passed", "the page's libraries are in place"
