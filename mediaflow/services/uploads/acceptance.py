"""What is accepted before a byte is stored, and in chunks of which size."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from mediaflow.domain.errors import InsufficientStorage, InvalidInput, Problem, TooLarge
from mediaflow.domain.events import Event
from mediaflow.domain.records import Asset, Upload
from mediaflow.domain.states import Visibility
from mediaflow.plugin import MeasuresRoom, ReceivesParts, Storage, UploadDraft
from mediaflow.services.events.telling import with_told
from mediaflow.services.ports import Plugins
from mediaflow.services.text.search import words_of
from mediaflow.settings import Settings

MAX_CHUNKS: Final = 10_000
"""S3 takes at most 10,000 parts an object."""
MIN_CHUNK_BYTES: Final = 1024
MIB: Final = 1024 * 1024
_ENDING: Final = re.compile(r"(?=[0-9]?[A-Za-z])[A-Za-z0-9]{1,5}", re.ASCII)
"""Of a file's name, behind its last dot: `mp4`, `3gp`; not the `2` of `Part 1.2`, nor the ` Bean` of `Mr. Bean`."""


def titled(filename: str) -> str:
    """A title for a file of that name, which is never empty."""
    stem, _, ending = filename.rpartition(".")
    return stem.strip() if stem.strip(" .") and _ENDING.fullmatch(ending) else filename


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUpload:
    """An upload as a client announces it; names and texts are sanitised already. `chunk_size_bytes` is a wish,
    `direct` that the client sends it to the storage itself.
    """

    filename: str
    size_bytes: int
    content_type: str | None = None
    sha256: str | None = None
    chunk_size_bytes: int | None = None
    profile: str | None = None
    dedup: str = "link"
    auto_complete: bool = True
    direct: bool = False
    title: str | None = None
    description: str = ""
    tags: tuple[str, ...] = ()
    visibility: Visibility = "private"

    @property
    def first_title(self) -> str:
        """The asset's title: the one that was given, else the file's name without its ending."""
        return self.title or titled(self.filename)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Judges announced uploads."""

    storage: Storage
    parts: ReceivesParts
    plugins: Plugins
    settings: Settings

    def check(self, owner: str, new: NewUpload) -> None:
        """InvalidInput, TooLarge or InsufficientStorage, with a problem for each field that is wrong."""
        draft = UploadDraft(owner, new.filename, new.size_bytes, new.content_type, new.sha256, new.profile)
        raise_all(partial(self.check_size, new), partial(self.judge, draft))
        self.check_room(new.size_bytes)

    def check_size(self, new: NewUpload) -> None:
        """What holds for any file, whatever is in it: its size, and that its profile is known."""
        raise_all(partial(self._check_bytes, new), partial(self._check_profile, new))

    def _check_bytes(self, new: NewUpload) -> None:
        if new.size_bytes <= 0:
            problem = Problem("upload.empty", f"must be at least 1 byte, not {new.size_bytes}", "/size_bytes")
            raise InvalidInput("The file is empty.", code="upload.empty", problems=(problem,))
        if new.size_bytes > self.settings.max_upload_bytes:
            limit = self.settings.max_upload_bytes
            problem = Problem("upload.too_large", f"must be at most {limit} bytes, not {new.size_bytes}", "/size_bytes")
            raise TooLarge(
                "The file is larger than this service accepts.", code="upload.too_large", problems=(problem,)
            )

    def _check_profile(self, new: NewUpload) -> None:
        if new.profile is not None and new.profile not in self.plugins.profiles:
            choices = ", ".join(sorted(self.plugins.profiles))
            problem = Problem(
                "upload.unknown_profile", f"no profile is called {new.profile!r}; there are {choices}", "/profile"
            )
            raise InvalidInput("The profile is not known.", code="upload.unknown_profile", problems=(problem,))

    def judge(self, draft: UploadDraft) -> None:
        """InvalidInput when a plugin refuses the file for what its client says of it."""
        problems = self.plugins.validate_upload(draft)
        if problems:
            raise InvalidInput(_refusal(problems[0]), code=problems[0].code, problems=tuple(problems))

    def check_room(self, size_bytes: int) -> None:
        if not isinstance(self.storage, MeasuresRoom):
            return
        free = self.storage.room().free_bytes
        if free - size_bytes < self.settings.min_free_bytes:
            raise InsufficientStorage("There is not enough free disk space for this file.", free_bytes=free)

    def chunk_bytes(self, new: NewUpload) -> int:
        """The size of its chunks: the wished one, within what the storage can take."""
        wished = new.chunk_size_bytes or self.settings.chunk_bytes
        fewest = -(-new.size_bytes // MAX_CHUNKS)
        if fewest > MIN_CHUNK_BYTES:
            fewest = -(-fewest // MIB) * MIB
        smallest = max(MIN_CHUNK_BYTES, self.parts.min_part_bytes, fewest)
        return max(smallest, min(wished, self.settings.max_chunk_bytes))


def raise_all(*checks: Callable[[], None]) -> None:
    """Make all checks; what the first of those raises that fail, with the problems of all: one answer says everything
    that is to be changed.
    """
    errors: list[InvalidInput | TooLarge] = []
    for check in checks:
        try:
            check()
        except (InvalidInput, TooLarge) as error:
            errors.append(error)
    if errors:
        first = errors[0]
        first.problems = tuple(problem for error in errors for problem in error.problems)
        first.detail = " ".join(dict.fromkeys(error.detail for error in errors))
        raise first


def _refusal(problem: Problem) -> str:
    """A problem of one field as a sentence that stands alone."""
    field = (problem.pointer or "").strip("/")
    return f"The file is not accepted: its {field} {problem.detail}." if field else problem.detail


def asset_of(upload: Upload, new: NewUpload, now: float) -> Asset:
    """The asset of an accepted file, before any of it has come."""
    said = {"upload_id": upload.id, "filename": new.filename}
    return Asset(
        id=upload.asset_id,
        owner=upload.owner,
        upload_id=upload.id,
        filename=upload.filename,
        title=new.first_title,
        description=new.description,
        tags=list(new.tags),
        search=words_of(new.first_title, new.description, new.tags),
        visibility=new.visibility,
        state="created",
        profile=upload.profile,
        content_type=upload.content_type,
        size_bytes=upload.size_bytes,
        created_at=now,
        updated_at=now,
        **with_told(Event("asset.created", now, upload.owner, upload.asset_id, data=said)),
    )
