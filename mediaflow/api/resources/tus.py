"""tus 1.0.0: files from clients that append, as tus-js-client and Uppy do. The protocol's text is its document."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, request
from werkzeug.exceptions import BadRequest, MethodNotAllowed, UnsupportedMediaType

from mediaflow.api.http.bodies import blocks, body_slot
from mediaflow.api.http.context import absolute, caller, runtime
from mediaflow.api.http.errors import problem
from mediaflow.api.http.headers import is_strict
from mediaflow.api.http.resource import OPEN, POLICY_ATTRIBUTE, Policy
from mediaflow.api.http.resumable import with_version
from mediaflow.api.http.tus import (
    ALGORITHMS,
    BODY_TYPE,
    EXTENSIONS,
    ROOT,
    VERSION,
    checksum_header,
    concat_header,
    count_header,
    described,
    metadata_header,
)
from mediaflow.api.resources import resumable
from mediaflow.domain.errors import TooLarge
from mediaflow.domain.transfers import Kind, Transfer
from mediaflow.services.uploads.appending import Wrong
from mediaflow.services.uploads.holding import Let

READ_BYTES: Final = 64 * 1024
"""At once, so that who reads of a slow connection notices soon that another one wants its upload."""
CHECKSUM_MISMATCH: Final = 460
LOCKED: Final = 423
_OVERRIDE: Final = "X-HTTP-Method-Override"

blueprint = Blueprint("tus", __name__, url_prefix=ROOT)


@blueprint.before_request
def check_version() -> Response | None:
    """412 for a client of another version (which no OPTIONS has to say). Another dialect may begin here."""
    other = "Upload-Complete" in request.headers and "Tus-Resumable" not in request.headers
    if other and request.endpoint == "tus.create":
        return with_version(resumable.create())
    if request.method == "OPTIONS" or request.headers.get("Tus-Resumable") == VERSION:
        return None
    said = request.headers.get("Tus-Resumable")
    instead = f", not {said[:20]!r}" if said else ""
    detail = f"This server speaks tus {VERSION}: send `Tus-Resumable: {VERSION}`{instead}."
    response = problem(412, "upload.tus_version", detail)
    response.headers["Tus-Version"] = VERSION
    return response


@blueprint.after_request
def say_version(response: Response) -> Response:
    """Every answer, to errors too."""
    response.headers["Tus-Resumable"] = VERSION
    return response


@blueprint.route("", methods=["OPTIONS"])
@blueprint.route("/<id:transfer_id>", methods=["OPTIONS"])
def options(transfer_id: str | None = None) -> Response:
    """What is offered."""
    response = Response(status=204)
    response.headers["Tus-Version"] = VERSION
    response.headers["Tus-Extension"] = EXTENSIONS
    response.headers["Tus-Max-Size"] = str(runtime().settings.max_upload_bytes)
    response.headers["Tus-Checksum-Algorithm"] = ",".join(ALGORITHMS)
    response.headers["Allow"] = "OPTIONS, POST" if transfer_id is None else "DELETE, HEAD, OPTIONS, PATCH, POST"
    return response


@blueprint.route("", methods=["POST"])
def create() -> Response:
    """Begin an upload, perhaps with its first bytes; or put one together of partial ones."""
    partial, sources = concat_header()
    length, said, metadata = _length(), *metadata_header()
    transfers, owner = runtime().transfers, caller().user
    if sources:
        if request.headers.get("Upload-Length") is not None:
            raise BadRequest("A final upload has the length of its parts: send no `Upload-Length`.")
        transfer = transfers.concatenate(owner, said, metadata, sources)
    else:
        if length is None and request.headers.get("Upload-Defer-Length") != "1":
            raise BadRequest("Send `Upload-Length`, or `Upload-Defer-Length: 1`.")
        _check_size(length)
        kind: Kind = "partial" if partial else "whole"
        transfer = transfers.create(owner, said, metadata, length=length, kind=kind, strict=is_strict())
    response = Response(status=201)
    response.headers["Location"] = absolute(f"{ROOT}/{transfer.id}")
    if request.mimetype == BODY_TYPE and not sources and transfer.state == "receiving":
        transfer = _appended(transfer.id, 0)
    return described(response, transfer)


@blueprint.route("/<id:transfer_id>", methods=["HEAD"])
def offset(transfer_id: str) -> Response:
    """How far it is."""
    return described(Response(status=200), runtime().transfers.status(caller().user, transfer_id), whole=True)


@blueprint.route("/<id:transfer_id>", methods=["PATCH"])
def append(transfer_id: str) -> Response:
    """Append a body."""
    if request.mimetype != BODY_TYPE:
        raise UnsupportedMediaType(f"The body must be `Content-Type: {BODY_TYPE}`.")
    at = count_header("Upload-Offset", required=True)
    return described(Response(status=204), _appended(transfer_id, at or 0))


@blueprint.route("/<id:transfer_id>", methods=["DELETE"])
def terminate(transfer_id: str) -> Response:
    """Give it up."""
    runtime().transfers.end(caller().user, transfer_id)
    return Response(status=204)


@blueprint.route("/<id:transfer_id>", methods=["POST"])
def overridden(transfer_id: str) -> Response:
    """PATCH, DELETE or HEAD for a client that can't send these."""
    views = {"PATCH": append, "DELETE": terminate, "HEAD": offset}
    view = views.get(request.headers.get(_OVERRIDE, "").upper())
    if view is None:
        raise MethodNotAllowed(valid_methods=["DELETE", "HEAD", "OPTIONS", "PATCH"])
    return view(transfer_id)


def _appended(transfer_id: str, at: int) -> Transfer:
    length, checksum = _length(), checksum_header()
    _check_size(length)
    with body_slot():
        return runtime().transfers.append(
            caller().user,
            transfer_id,
            at,
            blocks(READ_BYTES),
            announced=request.content_length,
            length=length,
            verifier=checksum,
        )


def _length() -> int | None:
    length, deferred = count_header("Upload-Length"), request.headers.get("Upload-Defer-Length")
    if deferred not in (None, "1"):
        raise BadRequest(f"`Upload-Defer-Length` must be 1, not {deferred[:20]!r}.")
    if deferred is not None and length is not None:
        raise BadRequest("Send `Upload-Length` or `Upload-Defer-Length`, not both.")
    return length


def _check_size(length: int | None) -> None:
    limit = runtime().settings.max_upload_bytes
    if length is not None and length > limit:
        raise TooLarge(f"The upload has {length} bytes, and at most {limit} are accepted.", code="upload.too_large")


for _view in (create, offset, append, terminate, overridden):
    setattr(_view, POLICY_ATTRIBUTE, Policy("required", "uploads:write"))
setattr(options, POLICY_ATTRIBUTE, OPEN)


@blueprint.errorhandler(Wrong)
def _mismatch(error: Wrong) -> Response:
    return problem(CHECKSUM_MISMATCH, error.code, error.detail)


@blueprint.errorhandler(Let)
def _locked(error: Let) -> Response:
    response = problem(LOCKED, error.code, error.detail)
    response.headers["Retry-After"] = str(error.retry_after_seconds)
    return response
