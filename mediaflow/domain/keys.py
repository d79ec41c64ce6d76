"""Storage keys. They are made here and nowhere else, from ids and from quoted text, never from a client's file name."""

from __future__ import annotations

import re
from urllib.parse import quote

from mediaflow.domain.errors import InvalidInput
from mediaflow.domain.ids import derived_id

_KEY_PART = re.compile(r"[A-Za-z0-9_%=@+-][A-Za-z0-9._%=@+-]*")
_SEGMENT = re.compile(
    r"g(?P<generation>[1-9][0-9]{0,8})/tracks/(?P<track>[^/]+)/(?P<number>init|[0-9]{5}|[1-9][0-9]{5})\.[A-Za-z0-9]{1,10}"
)
"""Each number is written in one way. The ending is for people: it does not tell segments apart."""
MAX_KEY_CHARACTERS = 900
MAX_PART_CHARACTERS = 255
"""File systems take no longer names."""
MAX_OWNER_CHARACTERS = 200


def is_key(key: str) -> bool:
    """True for a key that a storage may use, and for a path that may be the end of one."""
    return len(key) <= MAX_KEY_CHARACTERS and all(map(is_key_part, key.split("/")))


def is_key_part(text: str) -> bool:
    """True for what may stand between two slashes of a key."""
    return len(text) <= MAX_PART_CHARACTERS and _KEY_PART.fullmatch(text) is not None


def checked_key(key: str) -> str:
    """The key itself when it is one a storage may use: parts joined by `/`, none empty, none starting with a dot."""
    if not is_key(key):
        raise InvalidInput(f"{key[:100]!r} is no storage key", code="storage.bad_key")
    return key


def quoted(text: str) -> str:
    """Any text as one key part: percent-encoded, dots too, so that no part can be `..`."""
    return quote(text, safe="").replace(".", "%2E").replace("~", "%7E")


def upload_key(upload_id: str) -> str:
    """Where an upload's bytes arrive."""
    return f"uploads/{upload_id}"


def piece_key(transfer_id: str, piece_id: str) -> str:
    """Where bytes of a transfer lie that are in no chunk yet."""
    return f"pieces/{transfer_id}/{piece_id}"


def original_key(owner: str, sha256: str) -> str:
    """How the keys of an owner's originals with that content begin; the oldest ones have nothing behind it.

    Long names are told by a hash: file systems take 255 bytes.
    """
    name = quoted(owner)
    return f"originals/{name if len(name) <= MAX_OWNER_CHARACTERS else derived_id('owner', owner)}/{sha256}"


def shared_original_key(owner: str, sha256: str, life: str) -> str:
    """Where an owner's original stays that an asset was the first to have, and others may share. `life` is an id of its
    own, each time.

    Never used twice, so that deleting it can harm nobody who uploads the same bytes again, however late it happens.
    """
    return f"{original_key(owner, sha256)}-{life}"


def linked_key(file_id: str, asset_id: str) -> str:
    """Names an asset's original that stays where it was found (`domain.imports.SourceFile`), in no storage of ours."""
    return f"linked/{file_id}/{asset_id}"


def linked_file(key: str) -> tuple[str, str] | None:
    """The ids of the file and of the asset in such a key; None for any other."""
    parts = key.split("/")
    return (parts[1], parts[2]) if len(parts) == 3 and parts[0] == "linked" else None


def archived_key(asset_id: str) -> str:
    """Where an asset's original lies in the second storage (MEDIAFLOW_ARCHIVE_URL)."""
    return f"archive/{asset_id}"


def is_archived(key: str) -> bool:
    """True for a key of the second storage."""
    return key.startswith("archive/")


def asset_prefix(asset_id: str) -> str:
    """All that was made of an asset lies under this prefix."""
    return f"assets/{asset_id}/"


def prefix_of(key: str) -> str:
    """The prefix of the asset that a key is of."""
    return "/".join(key.split("/", 2)[:2]) + "/"


def attempt_path(generation: int, task_name: str, attempt: int) -> str:
    """The path, below the asset's prefix, of what one attempt of one task made: `g1/video-0.1`. Never used twice."""
    return f"g{generation}/{task_name}.{attempt}"


def attempt_task(path: str) -> str:
    """The name of the task that made the file at that path, which lies below `attempt_path`."""
    return path.split("/")[1].rpartition(".")[0]


def opening_path(generation: int) -> str:
    """How the paths begin of what attempts of the task `open` made."""
    return f"g{generation}/open."


def tracks_path(generation: int) -> str:
    """Below it a generation's segments have addresses that tell neither who made them nor where they lie."""
    return f"g{generation}/tracks/"


def segment_address(generation: int, track: str, number: int, suffix: str) -> str:
    """The address of a segment below the asset's prefix; of the init segment with the number -1."""
    return f"{tracks_path(generation)}{track}/{'init' if number < 0 else f'{number:05d}'}{suffix}"


def addressed_segment(path: str) -> tuple[int, str, int] | None:
    """Generation, track and number of a segment's address; None for any other path."""
    match = _SEGMENT.fullmatch(path)
    if match is None:
        return None
    number = -1 if match["number"] == "init" else int(match["number"])
    return int(match["generation"]), match["track"], number


def captions_path(generation: int, token: str) -> str:
    """The path, below the asset's prefix, of manifests that tell of captions. `token` is random: never used twice."""
    return f"g{generation}/captions.{token}"


def caption_source(language: str, token: str) -> str:
    """The path, below the asset's prefix, of captions as they were uploaded; every generation is given a copy."""
    return f"captions/{language}.{token}.vtt"


def picture_source(token: str) -> str:
    """The path, below the asset's prefix, of an image that its owner gave. `token` is random: never used twice."""
    return f"pictures/{token}"


def generation_of(path: str) -> int | None:
    """The generation that a path below an asset's prefix belongs to, or None when it belongs to none."""
    match = re.match(r"g([1-9][0-9]{0,8})/", path)
    return int(match[1]) if match else None
