"""Errors of an S3 server and of the way to it, as errors of a storage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from xml.etree.ElementTree import ParseError

from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from urllib3.exceptions import HTTPError, MaxRetryError, SSLError
from urllib3.response import BaseHTTPResponse

from mediaflow.plugin import InsufficientStorage, InvalidInput, MediaflowError, NotFound, Unavailable

NO_OBJECT: Final = "NoSuchKey"
NO_UPLOAD: Final = "NoSuchUpload"
BAD_RANGE: Final = "InvalidRange"
NO_BUCKET: Final = "NoSuchBucket"
_DENIED: Final = (
    "AccessDenied",
    "AuthorizationHeaderMalformed",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
)
_WRONG_PARTS: Final = ("EntityTooSmall", "EntityTooLarge", "InvalidPart", "InvalidPartOrder")
_FULL: Final = ("QuotaExceeded", "ServiceQuotaExceeded", "XMinioAdminBucketQuotaExceeded", "XMinioStorageFull")
_INSUFFICIENT_STORAGE: Final = 507  # RFC 4918 section 11.5


@contextmanager
def s3_errors(key: str = "") -> Iterator[None]:
    """Around calls of the client. `key` is the object that they are about, for the sentence."""
    try:
        yield
    except S3Error as error:
        raise of_code(error.code or "", key, error.response.status) from error
    except ServerError as error:
        raise of_code("", key, error.status_code) from error
    except (InvalidResponseError, ParseError) as error:
        raise Unavailable("What answers at the address of the object store is no S3 server.") from error
    except (HTTPError, MinioException) as error:
        raise broken_off(error) from error


def broken_off(error: Exception) -> Unavailable:
    """The error of a request that got no answer. No address is in its sentence, which clients may see."""
    cause = error.reason if isinstance(error, MaxRetryError) else error
    if isinstance(cause, SSLError):
        return Unavailable(
            "No secure connection to the object store: write http: where it has no TLS, and set SSL_CERT_FILE to the "
            "certificates to trust where its authority is your own."
        )
    return Unavailable(f"The object store does not answer ({type(cause).__name__}).")


def of_response(response: BaseHTTPResponse, key: str) -> MediaflowError:
    """The error that a response which is no success tells."""
    is_xml = response.headers.get("content-type", "").startswith("application/xml") and response.data
    return of_code(S3Error.fromxml(response).code or "" if is_xml else "", key, response.status)


def of_code(code: str, key: str, status: int) -> MediaflowError:
    """The error that a code of S3, and the HTTP status without one, mean."""
    if code == NO_OBJECT:
        return no_object(key)
    if code == NO_UPLOAD:
        return no_parts(key)
    if code == BAD_RANGE:
        return InvalidInput("The range lies beyond the object's end.", code="storage.bad_range")
    if code in _WRONG_PARTS:
        return InvalidInput(f"The object store refuses the parts ({code}).", code="storage.wrong_parts")
    if code in _FULL or status == _INSUFFICIENT_STORAGE:
        return InsufficientStorage("The object store is full.")
    return Unavailable(_sentence(code, status), s3_code=code, s3_status=status)


def _sentence(code: str, status: int) -> str:
    if code in _DENIED:
        return (
            f"The object store refuses the credentials ({code}); check MEDIAFLOW_S3_ACCESS_KEY and "
            "MEDIAFLOW_S3_SECRET_KEY, and what they may do in the bucket."
        )
    if code == NO_BUCKET:
        return "The bucket does not exist; make it, or set MEDIAFLOW_S3_CREATE_BUCKET=true."
    if code == "RequestTimeTooSkewed":
        return "The clocks of this host and of the object store differ too much; set them by NTP."
    return f"The object store failed ({code or 'no code'}, HTTP status {status})."


def no_object(key: str) -> NotFound:
    """The error of a key that is not there."""
    return NotFound(f"There is no object {key!r}.", code="storage.no_object")


def no_parts(key: str) -> NotFound:
    """The error of an upload id that is not known, or not any more."""
    return NotFound(f"No parts are being received for {key!r} under this handle.", code="storage.no_parts")
