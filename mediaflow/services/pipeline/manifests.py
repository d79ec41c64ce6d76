"""What a manifest format renders, looked at before anything of it is kept: each mistake is told by plugin and value."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any, Final

from mediaflow.domain import keys
from mediaflow.domain.containment import contained
from mediaflow.domain.errors import MediaflowError, TaskFailed
from mediaflow.domain.mediatypes import is_media_type
from mediaflow.domain.presentation import Manifest, Presentation
from mediaflow.domain.publication import ARTIFACTS
from mediaflow.domain.telling import cause, error_document
from mediaflow.plugin import ManifestFormat

BAD_MANIFEST: Final = "job.bad_manifest"
MOST_BYTES: Final = 16 * 1024 * 1024
"""Of one manifest. A day of two-second segments in one media playlist takes 2 MB."""
MOST_MANIFESTS: Final = 1000
LONGEST_PATH: Final = 200


def manifests_of(format_: ManifestFormat, plugin: str, presentation: Presentation) -> list[Manifest]:
    """The manifests of one format. TaskFailed names it and its plugin when it raises or breaks its promise."""
    told = f"The manifest format {format_.name!r:.100} of the plugin {plugin!r}"
    try:
        with contained():
            rendered: Any = format_.render(presentation)
            manifests = list(islice(rendered, MOST_MANIFESTS + 1)) if isinstance(rendered, Iterable) else None
    except MediaflowError as error:
        document = error_document(error)
        raise TaskFailed(f"{told} failed: {document['detail']}", code=document["code"]) from error
    except Exception as error:  # a plugin may raise anything
        raise _broken(f"{told} failed: {cause(error)}") from error
    if manifests is None:
        raise _broken(f"{told} rendered {rendered!r:.100}; it must be a list of Manifests")
    if len(manifests) > MOST_MANIFESTS:
        raise _broken(f"{told} rendered more than {MOST_MANIFESTS} manifests")
    for manifest in manifests:
        if (problem := _unfit(manifest)) is not None:
            raise _broken(f"{told} rendered {problem}")
    entries = [manifest.path for manifest in manifests if manifest.entry]
    if len(entries) != 1:
        which = ", ".join(entries)[:200] or "none"
        raise _broken(f"{told} must have exactly one entry, which players open; it has {which}")
    return manifests


def _unfit(manifest: Any) -> str | None:
    """What is wrong with a manifest, as the end of a sentence."""
    if not isinstance(manifest, Manifest):
        return f"{manifest!r:.100}; it must be a Manifest"
    path, kind, body = manifest.path, manifest.content_type, manifest.body
    if not isinstance(path, str) or len(path) > LONGEST_PATH or not keys.is_key(path):
        return (
            f"a manifest whose path is {path!r:.100}; it must be relative, of letters, digits and ._-=@+% and /"
            f" between them, and of at most {LONGEST_PATH} characters"
        )
    if path.rpartition("/")[2] == ARTIFACTS:
        return f"a manifest whose path is {path!r}; {ARTIFACTS} is a name of ours, call it otherwise"
    if not isinstance(kind, str) or not is_media_type(kind):
        return f"{path} with content_type {kind!r:.100}; it must be a media type, like application/dash+xml"
    if not isinstance(manifest.entry, bool):
        return f"{path} with entry {manifest.entry!r:.100}; it must be True or False"
    if not isinstance(body, str):
        return f"{path} with a body of {type(body).__name__}; it must be text (str)"
    return _unfit_body(path, body)


def _unfit_body(path: str, body: str) -> str | None:
    try:
        size = len(body.encode()) if len(body) <= MOST_BYTES else len(body)
    except UnicodeEncodeError as error:
        return f"{path} with {body[error.start]!r} at {error.start} of its body, which is no Unicode text"
    if size > MOST_BYTES:
        return f"{path} with a body of {size} bytes or more; at most {MOST_BYTES} fit"
    return None


def _broken(sentence: str) -> TaskFailed:
    return TaskFailed(f"{sentence}.", code=BAD_MANIFEST)
