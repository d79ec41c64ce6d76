"""Resumable Uploads for HTTP: the same uploads for clients of that protocol, which iOS has built in.

draft-ietf-httpbis-resumable-upload is its document. What is here besides: `Mediaflow-Asset-Id`; and the query of the
request that begins an upload may have filename, title, description, tags, visibility and profile, as `POST /uploads`.
"""

from __future__ import annotations

from typing import Final

import flask
from flask import Blueprint, Response, request
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from mediaflow.api.http.bodies import blocks, body_slot
from mediaflow.api.http.context import BASE, absolute, base_url, caller, runtime
from mediaflow.api.http.headers import is_strict
from mediaflow.api.http.resource import OPEN, POLICY_ATTRIBUTE, Policy
from mediaflow.api.http.resumable import (
    BODY_TYPE,
    ROOT,
    VERSIONS,
    announced,
    content_digest,
    count,
    described,
    is_last,
    length_of,
    limits,
    progress,
    refused,
    said,
    version,
    with_version,
)
from mediaflow.domain.errors import Conflict, InvalidInput, TooLarge
from mediaflow.domain.transfers import Transfer

READ_BYTES: Final = 64 * 1024
blueprint = Blueprint("resumable", __name__, url_prefix=ROOT)
blueprint.after_request(with_version)


@blueprint.route("", methods=["OPTIONS"])
@blueprint.route("/<id:transfer_id>", methods=["OPTIONS"])
def options(transfer_id: str | None = None) -> Response:
    """What is offered (4.1.4)."""
    response = Response(status=204)
    response.headers["Accept-Patch"] = BODY_TYPE
    response.headers["Upload-Limit"] = limits()
    response.headers["Allow"] = "OPTIONS, POST, PUT" if transfer_id is None else "DELETE, GET, HEAD, OPTIONS, PATCH"
    return response


@blueprint.route("", methods=["POST", "PUT"])
def create() -> Response:
    """Begin an upload, perhaps with its first bytes or all of them (4.2). Without `Upload-Complete` these are all."""
    said_last = is_last()
    last = said_last is not False
    length = length_of(0, last=last)
    _check_size(length)
    transfer = runtime().transfers.create(caller().user, said(), "", length=length, opened=True, strict=is_strict())
    where = f"{base_url()}{ROOT}/{transfer.id}"
    announced(transfer, where)
    try:
        if transfer.state == "receiving":
            transfer = _appended(transfer, 0, None, last=last)
    except BaseException:
        if said_last is None:  # a client that knows nothing of this will not come back
            runtime().transfers.end(caller().user, transfer.id)
        raise
    response = _result(transfer) if transfer.state == "complete" else described(Response(status=201), transfer)
    response.headers["Location"] = where
    return response


@blueprint.route("/<id:transfer_id>", methods=["GET", "HEAD"])
def offset(transfer_id: str) -> Response:
    """How far it is (4.3)."""
    return described(Response(status=204), runtime().transfers.status(caller().user, transfer_id))


@blueprint.route("/<id:transfer_id>", methods=["PATCH"])
def append(transfer_id: str) -> Response:
    """Append what this request has (4.4)."""
    if request.mimetype != BODY_TYPE:
        raise UnsupportedMediaType(f"The content must be `Content-Type: {BODY_TYPE}`.")
    at, last = count("Upload-Offset"), is_last()
    if last is None and version() == VERSIONS[0]:
        last = True
    if at is None or last is None:
        raise BadRequest("Send `Upload-Offset` (a number of bytes) and `Upload-Complete` (?0 or ?1).")
    transfer = runtime().transfers.status(caller().user, transfer_id)
    if at != transfer.offset and transfer.state != "complete":
        return _elsewhere(transfer, at)
    if transfer.state == "complete":
        return _after_all(transfer, at, last=last)
    length, comes = length_of(at, last=last), at + (request.content_length or 0)
    if transfer.length is not None and (length not in (None, transfer.length) or comes > transfer.length):
        return _inconsistent(transfer, f"It was said to have {transfer.length} bytes.")
    _check_size(length)
    try:
        transfer = _appended(transfer, at, length, last=last)
    except (Conflict, InvalidInput) as error:
        now = runtime().transfers.status(caller().user, transfer_id)
        if error.code == "upload.offset":
            return _elsewhere(now, at)
        if error.code == "upload.length":
            return _inconsistent(now, error.detail)
        raise
    return _result(transfer) if transfer.state == "complete" else described(Response(status=204), transfer)


@blueprint.route("/<id:transfer_id>", methods=["DELETE"])
def cancel(transfer_id: str) -> Response:
    """Give it up (4.5)."""
    runtime().transfers.end(caller().user, transfer_id)
    return Response(status=204)


def _appended(transfer: Transfer, at: int, length: int | None, *, last: bool) -> Transfer:
    transfers, owner = runtime().transfers, caller().user
    try:
        with body_slot():
            return transfers.append(
                owner,
                transfer.id,
                at,
                blocks(READ_BYTES),
                announced=request.content_length,
                length=length,
                verifier=content_digest(),
                last=last,
                told=progress(),
            )
    except TooLarge:
        if request.content_length is None:
            # more came than was said to come: whatever this is, it is not that file
            transfers.end(owner, transfer.id)
        raise


def _result(transfer: Transfer) -> Response:
    """What a request that completes an upload is answered: what became of it."""
    asset_id = transfer.asset_id if transfer.announced else None
    body = flask.jsonify(upload_id=transfer.upload_id, asset_id=asset_id, size_bytes=transfer.length)
    response = described(body, transfer)
    response.status_code = 201
    if asset_id is not None:
        response.headers["Content-Location"] = absolute(f"{BASE}/assets/{asset_id}")
    return response


def _after_all(transfer: Transfer, at: int, *, last: bool) -> Response:
    """To a request that comes when all is there: who lost the answer, and asks with nothing, has it once more."""
    nothing = not request.content_length and "Transfer-Encoding" not in request.headers
    if nothing and at == transfer.length and last:
        return _result(transfer)
    return _inconsistent(transfer, f"The upload is complete, with {transfer.length} bytes.")


def _inconsistent(transfer: Transfer, detail: str) -> Response:
    return refused("inconsistent-upload-length", transfer, detail)


def _elsewhere(transfer: Transfer, at: int) -> Response:
    detail = f"The upload has {transfer.offset} bytes; go on from there, not from {at}."
    told = {"expected-offset": transfer.offset, "provided-offset": at}
    return refused("mismatching-upload-offset", transfer, detail, **told)


def _check_size(length: int | None) -> None:
    limit = runtime().settings.max_upload_bytes
    if length is not None and length > limit:
        raise TooLarge(f"The upload has {length} bytes, and at most {limit} are accepted.", code="upload.too_large")


for _view in (create, offset, append, cancel):
    setattr(_view, POLICY_ATTRIBUTE, Policy("required", "uploads:write"))
setattr(options, POLICY_ATTRIBUTE, OPEN)
