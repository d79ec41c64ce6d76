"""The files that an asset promises, each with its size, and which of them are in the storage."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from mediaflow.domain import keys
from mediaflow.domain.errors import NotFound
from mediaflow.domain.madesegments import MadeSegment
from mediaflow.domain.publication import ARTIFACTS, Publication
from mediaflow.domain.records import Asset
from mediaflow.plugin import ObjectInfo, Storage
from mediaflow.services.integrity.naming import Names, unit_of

_ANY: Final = ("*", ".")
"""A pattern of `Files.types` has a star or begins with a dot; the others are the names of single files."""

_TOLD: Final = {"path", "size_bytes"}
"""What lists of steps and of manifests both tell of a file."""


@dataclass(slots=True)
class Seen:
    """What was found of one asset: files that are missing or have another size (in `wrong`, with what is wrong), and
    what nothing names.
    """

    wrong: dict[str, str] = field(default_factory=dict)
    lost_segments: list[MadeSegment] = field(default_factory=list)
    """Records of what was made on demand and is not there as they say."""
    unnamed: set[str] = field(default_factory=set)
    unnamed_bytes: int = 0
    newest: float = 0.0


def compared(asset: Asset, names: Names, storage: Storage, listed: Iterable[ObjectInfo]) -> Seen:
    """The files that the asset promises, against what is listed below its prefix, which is read once and not held."""
    prefix, seen = keys.asset_prefix(asset.id), Seen()
    promised = dict(_promised(asset, storage, seen.wrong))
    recorded = {made.path: made for made in names.made_on_demand()}
    for info in listed:
        path = info.key.removeprefix(prefix)
        size = promised.pop(path, None)
        if size is not None and size != info.size_bytes:
            seen.wrong[path] = f"it has {info.size_bytes} bytes of {size}"
        made = recorded.pop(path, None)
        if made is not None and made.size_bytes != info.size_bytes:
            seen.lost_segments.append(made)
        if unit_of(path) in seen.unnamed or not names.has(path):
            seen.unnamed.add(unit_of(path))
            seen.unnamed_bytes += info.size_bytes
            seen.newest = max(seen.newest, info.modified_at)
    seen.wrong.update(dict.fromkeys(promised, "it is missing"))
    seen.lost_segments.extend(recorded.values())
    return seen


def _promised(asset: Asset, storage: Storage, wrong: dict[str, str]) -> Iterator[tuple[str, int | None]]:
    """Paths and sizes (None: not kept). `wrong` gets the lists that say it, where they are lost."""
    for caption in asset.captions:
        yield caption["path"], caption["size_bytes"]
    if asset.published is None or not asset.playable:
        return
    prefix, publication = keys.asset_prefix(asset.id), asset.published
    for directory, exact in _directories(publication).items():
        yield from ((path, None) for path in exact)
        try:
            listed = _artifacts(storage, f"{prefix}{directory}{ARTIFACTS}")
        except NotFound:
            # what is older has no list beside its manifests
            if directory.rstrip("/") in publication.sources:
                wrong[directory + ARTIFACTS] = "it is missing"
            continue
        except ValueError:
            wrong[directory + ARTIFACTS] = "it is no list of files"
            continue
        yield from ((item.get("at", directory + item["path"]), item["size_bytes"]) for item in listed)
    for output in publication.outputs:
        yield output.path, output.size_bytes


def _directories(publication: Publication) -> dict[str, list[str]]:
    """The directories of attempts that something published lies in, and the files in each that are told by name.

    What the first version published tells no attempts (`g1/`), only its outputs.
    """
    found: dict[str, list[str]] = {f"{source}/": [] for source in publication.sources}
    for files in publication.files:
        if files.prefix.count("/") == 2 and files.prefix.endswith("/"):
            exact = [files.prefix + rest for rest in files.types if not (rest.startswith(_ANY[1]) or _ANY[0] in rest)]
            found.setdefault(files.prefix, []).extend(exact)
    return found


def _artifacts(storage: Storage, key: str) -> list[dict[str, Any]]:
    listed = json.loads(b"".join(storage.read(key)))
    if not isinstance(listed, list) or not all(isinstance(item, dict) and item.keys() >= _TOLD for item in listed):
        raise ValueError(key)
    return listed


def summed(wrong: dict[str, str]) -> str:
    """One sentence about all of them."""
    first = min(wrong)
    kinds = Counter("missing" if "missing" in what else "wrong" for what in wrong.values())
    counts = " and ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    return f"of its files, {counts}: first {first}, {wrong[first]}"
