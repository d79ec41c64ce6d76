"""Bodies of imports."""

from __future__ import annotations

from marshmallow import Schema, ValidationError, fields, validates_schema

from mediaflow.api.http.fields import Text, Timestamp, Truth
from mediaflow.api.schemas.common import FaultSchema, PageSchema
from mediaflow.api.schemas.uploads import LONGEST_NAME, FileBody
from mediaflow.domain.reach import LONGEST_URL
from mediaflow.services.access.names import MAX_USER_CHARACTERS

LONGEST_FOLDER = 4096
FOLDER_OPTIONS = ("recursive", "link", "watch", "dry_run", "owner")
FILE_OPTIONS = ("filename", "content_type", "sha256")


class NewImportBody(FileBody):
    """A file that is fetched from an address, with what `POST /uploads` takes besides the size; or all of a folder."""

    url = Text(
        shortest=1,
        longest=LONGEST_URL,
        metadata={"description": "Of the file.", "examples": ["https://example.org/film.mp4"]},
    )
    filename = Text(
        shortest=1, longest=LONGEST_NAME, allow_none=True, metadata={"description": "null: as the address has it."}
    )
    folder = Text(
        shortest=1,
        longest=LONGEST_FOLDER,
        metadata={
            "description": "For admins, instead of `url`: an absolute path that the workers see, or the URL of a "
            "storage with a prefix (`s3:https://host/bucket?prefix=films`).",
        },
    )
    recursive = Truth(load_default=False, metadata={"description": "With the folders in it."})
    link = Truth(
        load_default=False,
        metadata={"description": "Leave the files where they are, as originals: they are read there, never deleted."},
    )
    watch = Truth(
        load_default=False,
        metadata={
            "description": "Go on looking, until the import is ended; a file is taken when it has stopped growing."
        },
    )
    dry_run = Truth(load_default=False, metadata={"description": "Only tell what would be taken."})
    owner = Text(
        shortest=1,
        longest=MAX_USER_CHARACTERS,
        allow_none=True,
        metadata={"description": "Whose the assets of a folder are; null: yours."},
    )

    @validates_schema(skip_on_field_errors=False)
    def _one_source(self, data: dict[str, object], **_: object) -> None:
        """An address or a folder, and nothing that means something to the other one only."""
        if ("url" in data) == ("folder" in data):
            raise ValidationError("give either `url` or `folder`", "url")
        strange = FOLDER_OPTIONS if "url" in data else FILE_OPTIONS
        wrong = {name: ["means nothing here"] for name in strange if data.get(name)}
        if wrong:
            raise ValidationError(wrong)


class ImportCountsSchema(Schema):
    """Files of a folder by what became of them at the last look."""

    found = fields.Integer(required=True, metadata={"description": "Files that may be films."})
    taken = fields.Integer(required=True, metadata={"description": "By this import; with `dry_run`: would be."})
    unchanged = fields.Integer(required=True, metadata={"description": "Taken before."})
    skipped = fields.Integer(required=True, metadata={"description": "Neither video nor audio."})
    failed = fields.Integer(required=True)
    growing = fields.Integer(required=True, metadata={"description": "Looked at again before they are taken."})


class ImportNoteSchema(Schema):
    """What there is to say of a file."""

    name = fields.String(required=True)
    kind = fields.String(required=True, metadata={"description": "`skipped`, `failed`, `warning` or `would_take`."})
    detail = fields.String(required=True)


class ImportSchema(Schema):
    """An import. What is null has no meaning for it, or is not known yet."""

    id = fields.String(required=True)
    owner = fields.String(required=True)
    upload_id = fields.String(required=True, allow_none=True)
    asset_id = fields.String(required=True, allow_none=True)
    url = fields.String(required=True, allow_none=True)
    folder = fields.String(required=True, allow_none=True)
    state = fields.String(
        required=True, metadata={"description": "`waiting`, `running`, `done`, `failed` or `ended` (by request)."}
    )
    received_bytes = fields.Integer(required=True)
    size_bytes = fields.Integer(required=True, allow_none=True)
    attempts = fields.Integer(required=True, metadata={"description": "That failed since the last byte came."})
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)
    next_attempt_at = Timestamp(required=True, allow_none=True)
    counts = fields.Nested(ImportCountsSchema, required=True, allow_none=True)
    notes = fields.List(fields.Nested(ImportNoteSchema), required=True)
    notes_left_out = fields.Integer(required=True)
    error = fields.Nested(FaultSchema, required=True, allow_none=True)


class ImportPageSchema(PageSchema):
    """A page of imports."""

    items = fields.List(fields.Nested(ImportSchema), required=True)
