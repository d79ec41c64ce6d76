"""Backups of an installation: its documents at one moment, its key, and which objects belong to them.

A backup is a directory: `documents.db`, `jwt.key`, `objects.jsonl` (a JSON object with key and size a line), `objects/`
when they were copied, and `backup.json`, which is written last: without it there is no backup.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final
from urllib.parse import quote

from mediaflow.domain.keys import checked_key
from mediaflow.domain.records import SCHEMA_VERSION
from mediaflow.embedded.datadir import PRIVATE_DIRECTORY, PRIVATE_FILE, write_private
from mediaflow.persistence import open_database
from mediaflow.plugin import ConfigurationError, HasLocalFiles, InvalidInput, NotFound, ObjectInfo, Storage
from mediaflow.runtime import Runtime, database_url
from mediaflow.services.access.keyfile import key_file
from mediaflow.services.integrity.named import NamedObjects
from mediaflow.services.ports import CopiesDocuments
from mediaflow.settings import Settings

DOCUMENTS, KEY, LISTED, OBJECTS, TOLD = "documents.db", "jwt.key", "objects.jsonl", "objects", "backup.json"
_MONGO: Final = (
    "the documents are in MongoDB, whose own tools copy them while the service runs:"
    " `mongodump --uri=URL --oplog --gzip --archive=FILE` of a replica set (without --oplog of a single server, which"
    " must be idle meanwhile), back with `mongorestore --uri=URL --oplogReplay --gzip --archive=FILE` into an empty"
    " database, then `mediaflow fsck`; keep keys/jwt.key of the data directory with it"
)


@dataclass(frozen=True, slots=True)
class BackupFacts:
    """What a backup is: `at` is seconds since the epoch, `copied` whether the objects are in it."""

    version: str
    schema: int
    at: float
    assets: int
    objects: int
    bytes: int
    copied: bool


def back_up(runtime: Runtime, target: Path, *, with_objects: bool) -> BackupFacts:
    """Write a backup into an empty directory, which is made; ConfigurationError when it is not, or for MongoDB."""
    database = runtime.database
    if not isinstance(database, CopiesDocuments):
        raise ConfigurationError(_MONGO)
    _made_empty(target)
    at = database.now()
    database.copy_to(target / DOCUMENTS)
    (target / DOCUMENTS).chmod(PRIVATE_FILE)
    key = key_file(runtime.settings)
    if not runtime.settings.jwt_key and key.exists():
        write_private(target / KEY, key.read_text())
    copy = open_database(f"sqlite:{target / DOCUMENTS}")
    try:
        count = size = 0
        with _named(target / LISTED), (target / LISTED).open("w") as listed:
            for info in NamedObjects(copy, runtime.storage).all():
                if with_objects and not _kept(runtime.storage, info, target / OBJECTS / info.key):
                    continue  # purged since the documents were copied
                listed.write(json.dumps({"key": info.key, "size_bytes": info.size_bytes}) + "\n")
                count, size = count + 1, size + info.size_bytes
        assets = copy.assets.count({})
    finally:
        copy.close()
    facts = BackupFacts(version("mediaflow"), SCHEMA_VERSION, at, assets, count, size, with_objects)
    write_private(target / TOLD, json.dumps(asdict(facts)))
    return facts


def restore(source: Path, settings: Settings, storage: Storage) -> BackupFacts:
    """Put a backup into an empty data directory; objects, if it has them, into the storage.

    ConfigurationError says what is in the way: no backup, a newer schema, documents that are there.
    """
    facts = _read(source)
    url = database_url(settings)
    if not url.startswith("sqlite:"):
        raise ConfigurationError(_MONGO)
    target, key = Path(url.removeprefix("sqlite:")), key_file(settings)
    _check_empty(settings.data_path, "the data directory")
    if target.exists():
        raise ConfigurationError(f"there is a database {target}; a backup is restored where there is none")
    signing = _signing(source) if not settings.jwt_key else None
    for _ in _objects(source):
        pass  # what is wrong with any of them is said before there is anything
    for directory in (settings.data_path, target.parent, key.parent):
        directory.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
    draft = target.with_name(target.name + ".new")
    draft.touch(mode=PRIVATE_FILE, exist_ok=False)  # of two at once, one goes on
    for info in _objects(source):
        _put(storage, info, source / OBJECTS / info.key)
    if signing is not None:
        write_private(key, signing)
    # last: where there are documents, all else is there
    with _named(draft):
        shutil.copyfile(source / DOCUMENTS, draft)
        with draft.open("rb") as file:
            os.fsync(file.fileno())
    draft.rename(target)
    return facts


def _read(source: Path) -> BackupFacts:
    facts = _facts(source)
    damage: str | None = None
    try:
        with closing(sqlite3.connect(f"file:{quote(str(source / DOCUMENTS))}?mode=ro", uri=True)) as documents:
            schema = max(facts.schema, documents.execute("PRAGMA user_version").fetchone()[0])
            if schema <= SCHEMA_VERSION:
                damage = _damage(documents, facts)
    except sqlite3.Error as error:
        raise ConfigurationError(f"{source / DOCUMENTS} can't be read ({error})") from error
    if schema > SCHEMA_VERSION:
        raise ConfigurationError(
            f"{source} was made by a newer mediaflow ({facts.version}, schema {schema}, this one knows"
            f" {SCHEMA_VERSION}): restore it with that version"
        )
    if damage is not None:
        raise ConfigurationError(f"{source / DOCUMENTS} is damaged ({damage})")
    return facts


def _facts(source: Path) -> BackupFacts:
    try:
        facts = BackupFacts(**json.loads((source / TOLD).read_text()))
        datetime.fromtimestamp(facts.at, UTC)
        max(facts.schema, facts.assets, 0)  # numbers
    except (OSError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ConfigurationError(f"{source} holds no backup: its {TOLD} is missing or is none") from error
    return facts


def _damage(documents: sqlite3.Connection, facts: BackupFacts) -> str | None:
    """What is wrong with the documents; None when nothing is. An empty file is a database too."""
    (found,) = documents.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        return str(found)
    (assets,) = documents.execute("SELECT COUNT(*) FROM assets").fetchone()
    return None if assets == facts.assets else f"it holds {assets} assets of {facts.assets}"


def _signing(source: Path) -> str | None:
    """The key that signs tokens, if it is in the backup."""
    try:
        return (source / KEY).read_text() if (source / KEY).exists() else None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{source / KEY} is damaged: it is no text") from error


def _objects(source: Path) -> Iterator[ObjectInfo]:
    """The objects that were copied, each as long as it was; none when they were not. ConfigurationError for others."""
    if not (source / OBJECTS).is_dir():
        return
    with (source / LISTED).open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                told = json.loads(line)
                info = ObjectInfo(checked_key(told["key"]), int(told["size_bytes"]), 0.0)
            except (InvalidInput, ValueError, TypeError, KeyError, RecursionError) as error:
                raise ConfigurationError(f"{source / LISTED}, line {number}, is damaged: it names no object") from error
            path = source / OBJECTS / info.key
            if path.stat().st_size != info.size_bytes:
                raise ConfigurationError(f"{path} is damaged: it has not the {info.size_bytes} bytes that it had")
            yield info


def _kept(storage: Storage, info: ObjectInfo, path: Path) -> bool:
    """The object as a file: another name of the same one where that can be, since stored bytes never change."""
    path.parent.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
    try:
        if isinstance(storage, HasLocalFiles) and _linked(storage.local_path(info.key), path):
            return True
        with _named(path), path.open("wb") as file:
            file.writelines(storage.read(info.key))
    except (NotFound, FileNotFoundError):
        path.unlink(missing_ok=True)
        return False
    return True


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Errors of writing (a disk that is full) say where: those of an open file do not by themselves."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def _linked(source: Path, path: Path) -> bool:
    try:
        os.link(source, path)
    except FileNotFoundError:
        raise
    except OSError:
        return False  # another file system, or one without links
    return True


def _put(storage: Storage, info: ObjectInfo, path: Path) -> None:
    def blocks() -> Iterator[bytes]:
        with path.open("rb") as file:
            while block := file.read(1024 * 1024):
                yield block

    storage.put(info.key, blocks(), size_bytes=info.size_bytes, content_type="application/octet-stream")


def _check_empty(directory: Path, what: str) -> None:
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ConfigurationError(f"{what} {directory} is not empty; name one that is, or that is not there yet")


def _made_empty(target: Path) -> None:
    _check_empty(target, "the directory")
    target.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
    (target / LISTED).touch(exist_ok=False)  # of two that found it empty, one goes on
