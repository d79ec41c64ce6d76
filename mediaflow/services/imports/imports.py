"""What is asked to be fetched: begun here, done by workers (`importer.py`)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from mediaflow.domain.errors import Conflict, InvalidInput, NotFound, Problem
from mediaflow.domain.ids import new_id
from mediaflow.domain.imports import Import
from mediaflow.domain.reach import Network, checked_url, refused
from mediaflow.domain.transfers import Transfer
from mediaflow.services.access.permissions import scope
from mediaflow.services.access.principals import Principal
from mediaflow.services.imports.sourcerules import SourceRules
from mediaflow.services.paging import Page, check_page
from mediaflow.services.ports import Database, OneOf
from mediaflow.services.uploads.acceptance import NewUpload
from mediaflow.services.uploads.transfers import Transfers

LONGEST_NAME: Final = 255
NAMELESS: Final = "import"
_AT_HOME: Final = ("localhost", "local", "internal")
"""The last part of names that nobody on the internet has."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one is, of `size_bytes` (None: not known, or a folder). `error` is why it failed, or its upload did."""

    asked: Import
    received_bytes: int
    size_bytes: int | None
    state: str
    error: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Imports:
    """Begins them, and tells of them."""

    database: Database
    transfers: Transfers
    rules: SourceRules
    allowed: tuple[Network, ...] = ()

    def begin(self, owner: str, url: str, said: dict[str, Any]) -> Import:
        """Have a file fetched; `said` is a NewUpload without its size, whose filename may be missing. InvalidInput for
        an address that nobody may be sent to.
        """
        self._check(url)
        settings, now = self.transfers.ingest.settings, self.database.now()
        transfer = self.transfers.place(owner, {**said, "filename": said.get("filename") or name_of(url)})
        asked = Import(
            id=transfer.id,
            owner=owner,
            upload_id=transfer.upload_id,
            asset_id=transfer.asset_id,
            url=url,
            state="waiting",
            created_at=now,
            updated_at=now,
            not_before=now,
            until=now + settings.import_seconds,
        )
        self.database.imports.insert(asked)
        return asked

    def begin_folder(self, owner: str, folder: str, options: dict[str, Any]) -> Import:
        """Have all of a folder taken, or of what a storage's URL names. The `options` are `recursive`, `link`, `watch`
        and `dry_run` (flags), and `profile`, `visibility` and `tags` of what is taken. InvalidInput when it can't be.
        """
        new = NewUpload(filename=NAMELESS, size_bytes=1, profile=options.get("profile"))
        self.transfers.ingest.acceptance.check_size(new)  # that is, its profile
        source, now = self.rules.checked(folder), self.database.now()
        asked = Import(
            id=new_id(),
            owner=owner,
            upload_id="",
            asset_id="",
            url=source,
            kind="folder",
            options=options,
            state="waiting",
            created_at=now,
            updated_at=now,
            not_before=now,
            until=now,
        )
        self.database.imports.insert(asked)
        return asked

    def listed(self, principal: Principal, page: int, page_size: int) -> Page[Progress]:
        """A page of them, the newest first; an admin's has everybody's."""
        check_page(page, page_size)
        where = scope(principal) | ({} if principal.is_admin else {"kind": "file"})
        found = self.database.imports.find(where, sort=("-created_at",), skip=(page - 1) * page_size, limit=page_size)
        return Page([self._progress(each) for each in found], page, page_size, self.database.imports.count(where))

    def end(self, principal: Principal, import_id: str) -> None:
        """Have it come to nothing more: what came of a file goes, what was taken of a folder stays."""
        asked = self._asked(principal, import_id)
        if asked.state not in ("waiting", "running"):
            return
        if asked.kind == "file":
            with suppress(NotFound, Conflict):  # it may be complete by now
                self.transfers.ingest.abort(asked.owner, asked.upload_id)
                self.transfers.end(asked.owner, asked.id)
        ended = {"state": "ended", "updated_at": self.database.now()}
        self.database.imports.change(asked.id, {"state": OneOf(("waiting", "running"))}, ended)

    def progress(self, principal: Principal, import_id: str) -> Progress:
        """NotFound when there is none, or it is another's."""
        return self._progress(self._asked(principal, import_id))

    def _asked(self, principal: Principal, import_id: str) -> Import:
        asked = self.database.imports.get(import_id)
        # where folders lie is for admins to know
        if asked is None or not (principal.is_admin or (asked.owner == principal.user and asked.kind == "file")):
            raise NotFound("There is no such import.", code="import.not_found")
        return asked

    def _progress(self, asked: Import) -> Progress:
        if asked.kind == "folder":
            return Progress(asked, int(asked.counts.get("bytes", 0)), None, asked.state, asked.error)
        import_id = asked.id
        transfer, upload = self.database.transfers.get(import_id), self.database.uploads.get(asked.upload_id)
        state = "failed" if upload is not None and upload.state == "failed" else asked.state
        size = upload.size_bytes or None if upload is not None else None
        return Progress(asked, _offset(transfer, size, state), size, state, None if upload is None else upload.error)

    def _check(self, url: str) -> None:
        """By its looks; what its name means is looked up by who fetches."""
        try:
            _, host, _ = checked_url(url)
        except InvalidInput as error:
            problem = Problem("url.invalid", error.detail, "/url")
            raise InvalidInput("The address can't be asked.", code="url.invalid", problems=(problem,)) from error
        try:
            is_closed = refused(ip_address(host), self.allowed)
        except ValueError:
            is_closed = not self.allowed and host.rstrip(".").rpartition(".")[2].lower() in _AT_HOME
        if is_closed:
            problem = Problem("url.refused", "is not on the open internet, and not allowed here", "/url")
            raise InvalidInput("The address is refused.", code="url.refused", problems=(problem,))


def name_of(url: str) -> str:
    """What the file at a URL is called."""
    last = unquote(urlsplit(url).path, errors="replace").rstrip("/").rpartition("/")[2]
    printable = "".join(character for character in last if character.isprintable()).strip()
    return printable[-LONGEST_NAME:] or NAMELESS


def _offset(transfer: Transfer | None, size: int | None, state: str) -> int:
    if transfer is not None:
        return transfer.offset
    return (size or 0) if state == "done" else 0
