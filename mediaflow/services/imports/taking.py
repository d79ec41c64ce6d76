"""Makes an asset of a file that was found: copied into the storage, or linked where it lies. Repeating does no harm."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from mediaflow.domain import keys
from mediaflow.domain.errors import InvalidInput, MediaflowError, NotFound
from mediaflow.domain.imports import Import, SourceFile
from mediaflow.domain.records import Upload
from mediaflow.plugin import ObjectInfo, OffersFiles, UploadDraft
from mediaflow.services.access.principals import Principal
from mediaflow.services.assets.captions import Captions
from mediaflow.services.imports.beside import said_of, whole
from mediaflow.services.imports.feeding import PRIORITY
from mediaflow.services.imports.films import Film, language_of
from mediaflow.services.originals.places import is_same
from mediaflow.services.text.languages import UNKNOWN
from mediaflow.services.text.plain import is_visible, sanitised
from mediaflow.services.uploads.acceptance import NewUpload, asset_of
from mediaflow.services.uploads.ingest import UNKNOWN as UNKNOWN_TYPE
from mediaflow.services.uploads.ingest import Ingest
from mediaflow.services.uploads.quotas import Allowance, Quotas

LONGEST_NAME: Final = 255
LARGEST_PICTURE_BYTES: Final = 20 * 1024 * 1024
PICTURE_MAGIC: Final = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Taking:
    """Takes files. `check` is called all along, and raises when it is to stop."""

    ingest: Ingest
    captions: Captions
    check: Callable[[], None]

    def take(
        self, asked: Import, source: OffersFiles, file: SourceFile, film: Film, allowance: Allowance, note: Note
    ) -> str | None:
        """The asset of a file, with what lies beside it; `note` hears what is wrong with that. The file's SHA-256 if it
        was read. InvalidInput when it is refused, LimitReached and InsufficientStorage when there is no room.
        """
        new = self._described(asked, source, film, note)
        acceptance = self.ingest.acceptance
        acceptance.check_size(new)
        acceptance.judge(UploadDraft(file.owner, new.filename, new.size_bytes, None, None, new.profile))
        sha256 = None
        if self.ingest.database.uploads.get(file.upload_id) is None:
            if not file.linked:
                self.quotas.check(file.owner, new.size_bytes)
                acceptance.check_room(new.size_bytes)
                sha256 = self._copied(source, file)
            upload = self._upload(file, new, sha256)
            picture = self._picture(source, file, film, note)
            asset = replace(asset_of(upload, new, upload.created_at), picture=picture)
            allowance.admit(asset, 0 if file.linked else file.size_bytes)
            self.ingest.database.uploads.insert(upload)
            self.ingest.metrics.count("mediaflow_uploads_total", state="initialized")
            self.ingest.outbox.tell(self.ingest.database.assets, upload.asset_id)
            if upload.state == "assembling":
                self.ingest.wakeups.wake_assembly(upload.id)
        self._caption(source, file, film, note)
        return sha256

    @property
    def quotas(self) -> Quotas:
        """How much an owner may have."""
        return Quotas.of(self.ingest.database, self.ingest.settings, self.ingest.pause)

    def _described(self, asked: Import, source: OffersFiles, film: Film, note: Note) -> NewUpload:
        options = asked.options
        said: dict[str, Any] = {
            "tags": tuple(options.get("tags") or ()),
            "visibility": options.get("visibility") or "private",
        }
        if film.said is not None:
            try:
                said |= said_of(source.read_file(film.said.key))
            except (InvalidInput, NotFound) as error:
                note(f"{_last(film.said.key)} {error.detail}")
        return NewUpload(
            filename=file_name(film.file.key),
            size_bytes=film.file.size_bytes,
            profile=options.get("profile"),
            auto_complete=False,
            **said,
        )

    def _copied(self, source: OffersFiles, file: SourceFile) -> str:
        """The file's bytes, hashed on their way into the storage, once."""
        digest = hashlib.sha256()
        blocks = self._watched(source.read_file(file.name), digest.update)
        key = keys.upload_key(file.upload_id)
        self.ingest.storage.put(key, blocks, size_bytes=file.size_bytes, content_type=UNKNOWN_TYPE)
        found = source.file(file.name)
        if found is None or not is_same(found, file):
            self.ingest.storage.delete(key)
            raise InvalidInput("It changed while it was copied.", code="import.changed")
        return digest.hexdigest()

    def digest(self, source: OffersFiles, found: ObjectInfo) -> str:
        """The SHA-256 of a file."""
        digest = hashlib.sha256()
        for _ in self._watched(source.read_file(found.key), digest.update):
            pass
        return digest.hexdigest()

    def _watched(self, blocks: Iterable[bytes], hear: Callable[[bytes], None]) -> Iterator[bytes]:
        for block in blocks:
            self.check()
            hear(block)
            yield block

    def _upload(self, file: SourceFile, new: NewUpload, sha256: str | None) -> Upload:
        now = self.ingest.database.now()
        return Upload(
            id=file.upload_id,
            owner=file.owner,
            asset_id=file.asset_id,
            filename=new.filename,
            content_type=None,
            size_bytes=new.size_bytes,
            # as if it had come in one chunk
            chunk_size_bytes=new.size_bytes,
            chunk_count=1,
            declared_sha256=None,
            profile=new.profile,
            dedup=new.dedup,
            auto_complete=False,
            state="stored" if file.linked else "assembling",
            storage_key=keys.upload_key(file.upload_id),
            parts_handle="",
            created_at=now,
            updated_at=now,
            expires_at=now + self.ingest.settings.upload_expiry_seconds,
            sha256=sha256,
            linked_key=keys.linked_key(file.id, file.asset_id) if file.linked else None,
            priority=PRIORITY,
            waits_since=now,
        )

    def _picture(self, source: OffersFiles, file: SourceFile, film: Film, note: Note) -> str | None:
        """Where the image beside a film is kept until its picture is made of it, if it is one."""
        if film.picture is None:
            return None
        try:
            data = whole(source.read_file(film.picture.key), LARGEST_PICTURE_BYTES)
        except (InvalidInput, NotFound) as error:
            note(f"{_last(film.picture.key)} {error.detail}")
            return None
        if not data.startswith(PICTURE_MAGIC):
            note(f"{_last(film.picture.key)} is neither JPEG nor PNG")
            return None
        path = keys.picture_source(secrets.token_hex(8))
        key = keys.asset_prefix(file.asset_id) + path
        self.ingest.storage.put(key, [data], size_bytes=len(data), content_type=UNKNOWN_TYPE)
        return path

    def _caption(self, source: OffersFiles, file: SourceFile, film: Film, note: Note) -> None:
        owner = Principal(file.owner, "user")
        for each in film.captions:
            language = language_of(film, each) or UNKNOWN
            try:
                blocks = source.read_file(each.key)
                self.captions.put(owner, file.asset_id, language, blocks, label=None, default=False)
            except MediaflowError as error:
                note(f"{_last(each.key)}: {error.detail}")


def file_name(name: str) -> str:
    """What a file's asset says that it was called."""
    last = sanitised(_last(name))
    return last[-LONGEST_NAME:] if is_visible(last) else "import"


def _last(name: str) -> str:
    return name.rpartition("/")[2]
