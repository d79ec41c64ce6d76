"""Errors of the file system as errors of a storage. Their sentences name no path of this host; their causes do."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from mediaflow.plugin import Conflict, InsufficientStorage, InvalidInput, MediaflowError, NotFound, Unavailable

_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
# A part of the key is a file where a directory is needed, or the reverse, or a symbolic link: none is followed.
IN_THE_WAY: Final = (errno.ENOTDIR, errno.EISDIR, errno.ELOOP)


@contextmanager
def storage_errors() -> Iterator[None]:
    """Around calls of the operating system only, never around a caller's iterator: its errors pass as they are."""
    try:
        yield
    except OSError as error:
        raise _of(error) from error


def _of(error: OSError) -> MediaflowError:
    if error.errno in _FULL:
        return InsufficientStorage("The disk of the object store is full.")
    if error.errno in IN_THE_WAY:
        return Conflict(
            "Another object's key is a directory of this one's, or the reverse; use another key.",
            code="storage.key_in_the_way",
        )
    if error.errno == errno.ENAMETOOLONG:
        return InvalidInput("A part of the key is longer than a file's name may be.", code="storage.bad_key")
    return Unavailable(f"The directory of the object store does not work: {error.strerror}.")


def no_object(key: str) -> NotFound:
    """The error of a key that is not there."""
    return NotFound(f"There is no object {key!r}.", code="storage.no_object")


def no_parts(key: str) -> NotFound:
    """The error of a handle that is not known, or not any more, or of another key."""
    return NotFound(f"No parts are being received for {key!r} under this handle.", code="storage.no_parts")
