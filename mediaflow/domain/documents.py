"""Publications as JSON objects, as documents keep them: written in the newest shape, read in every one there was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from mediaflow.domain.older import publication_of_schema_1
from mediaflow.domain.publication import Files, FileType, Output, Publication


def publication_document(publication: Publication) -> dict[str, Any]:
    """The publication as a JSON object."""
    lists = ("outputs", "renditions", "sources", "lent", "warnings")
    return {
        **{name: getattr(publication, name) for name in ("generation", "duration_seconds", "poster_seconds")},
        **({"picture": publication.picture} if publication.picture else {}),
        **{name: [_json(each) for each in getattr(publication, name)] for name in lists},
        **{name: dict(value) for name in ("fewer", "sounds") if (value := getattr(publication, name))},
        **{name: [_files_document(files) for files in getattr(publication, name)] for name in ("files", "earlier")},
    }


def publication_of(document: Mapping[str, Any]) -> Publication:
    """The publication of a JSON object; LookupError, TypeError or ValueError when it is none."""
    if "outputs" not in document:
        return publication_of_schema_1(document)
    return Publication(
        generation=document["generation"],
        outputs=tuple(Output(**output) for output in document["outputs"]),
        files=tuple(_files(files) for files in document["files"]),
        duration_seconds=document["duration_seconds"],
        sources=tuple(document["sources"]),
        lent=tuple(document.get("lent", ())),
        renditions=tuple(document["renditions"]),
        warnings=tuple(document["warnings"]),
        poster_seconds=document["poster_seconds"],
        picture=document.get("picture"),
        earlier=tuple(_files(files) for files in document["earlier"]),
        fewer=document.get("fewer", {}),
        sounds=document.get("sounds", {}),
    )


def _json(value: Any) -> Any:
    if isinstance(value, Output):
        return asdict(value)
    return dict(value) if isinstance(value, Mapping) else value


def _files_document(files: Files) -> dict[str, Any]:
    types = {key: [what.kind, what.content_type] for key, what in files.types.items()}
    awaited = {"awaited": dict(files.awaited)} if files.awaited else {}
    return {"prefix": files.prefix, "types": types, "until": files.until, **awaited}


def _files(document: Mapping[str, Any]) -> Files:
    types = {key: FileType(kind, content_type) for key, (kind, content_type) in document["types"].items()}
    return Files(document["prefix"], types, document["until"], document.get("awaited", {}))
