"""The driver's errors as ours. A mistake in a command stays as it is: no retry can help, and nobody may hide it."""

from __future__ import annotations

from typing import Final

from mongoengine.errors import OperationError
from pymongo import errors

from mediaflow.domain.errors import ConfigurationError, MediaflowError, Unavailable

CODE: Final = "database.unavailable"

_UNAVAILABLE: Final = (
    errors.ConnectionFailure,
    errors.CursorNotFound,
    errors.ExecutionTimeout,
    errors.WriteConcernError,
    errors.WTimeoutError,
)
_DENIED: Final = (13, 18)
"""Server codes Unauthorized and AuthenticationFailed (mongo/src/mongo/base/error_codes.yml)."""
_PASSING: Final = (14031, 11600, 11602)
"""Server codes OutOfDiskSpace, InterruptedAtShutdown, InterruptedDueToReplStateChange."""


def translation(where: str, error: Exception) -> MediaflowError | None:
    """Our error for one of the driver or MongoEngine about the database at `where`; None when it stays as it is."""
    cause = error.__context__ if isinstance(error, OperationError) else error
    code = cause.code if isinstance(cause, errors.OperationFailure) else None
    if code in _DENIED:
        return ConfigurationError(
            f"MEDIAFLOW_DATABASE_URL: the database at {where} refuses the user or password ({cause}); correct them, or"
            " grant the user the role readWrite on the database"
        )
    if isinstance(cause, errors.ConfigurationError):
        return ConfigurationError(f"MEDIAFLOW_DATABASE_URL: {where} can't be used: {cause}")
    if isinstance(cause, _UNAVAILABLE) or code in _PASSING:
        # a server selection error goes on with a dump of the topology
        reason = str(cause).split(", Timeout:")[0]
        return Unavailable(f"the database at {where} does not answer: {reason}", code=CODE)
    return None
