"""Bodies of imports."""

from __future__ import annotations

from marshmallow import Schema, fields

from mediaflow.api.http.fields import Text, Timestamp
from mediaflow.api.schemas.common import FaultSchema
from mediaflow.api.schemas.uploads import LONGEST_NAME, FileBody
from mediaflow.domain.reach import LONGEST_URL


class NewImportBody(FileBody):
    """A file that is fetched from an address, with what `POST /uploads` takes besides the size."""

    url = Text(shortest=1, longest=LONGEST_URL, required=True, metadata={"examples": ["https://example.org/film.mp4"]})
    filename = Text(
        shortest=1, longest=LONGEST_NAME, allow_none=True, metadata={"description": "null: as the address has it."}
    )


class ImportSchema(Schema):
    """An import. Its upload is given up with `DELETE /uploads/{upload_id}`."""

    upload_id = fields.String(required=True)
    asset_id = fields.String(required=True)
    url = fields.String(required=True)
    state = fields.String(required=True, metadata={"description": "`waiting`, `running`, `done` or `failed`."})
    received_bytes = fields.Integer(required=True)
    size_bytes = fields.Integer(required=True, allow_none=True)
    attempts = fields.Integer(required=True, metadata={"description": "That failed since the last byte came."})
    created_at = Timestamp(required=True)
    next_attempt_at = Timestamp(required=True, allow_none=True)
    error = fields.Nested(FaultSchema, required=True, allow_none=True)
