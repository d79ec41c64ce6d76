"""The indexes behind listings of assets, the same ones in both databases.

One for each order, for one owner's assets and for everybody's. `deleted_at` comes early because a listing shows either
what is not deleted or the trash. `upload_id` makes the order total: it is as unique as the id, which no index here may
have (see `mongo/documents.py`). What listings filter by follows, so that a deep page is found in the index alone, and a
document is read only when it is shown.
"""

from __future__ import annotations

from typing import Final

Index = tuple[str, ...]

_SORTS: Final = ("created_at", "updated_at", "title", "size_bytes", "state")
_FILTERS: Final = ("upload_id", "state", "visibility", "created_at")


def _indexes(scope: Index) -> tuple[Index, ...]:
    return tuple((*scope, sort, *(name for name in _FILTERS if name != sort)) for sort in _SORTS)


ASSET_LISTINGS: Final = (*_indexes(("owner", "deleted_at")), *_indexes(("deleted_at",)))
ASSET_LISTS: Final = ("search", "tags", "shared_with")
"""Lists of texts that assets are found by."""
JOB_LISTINGS: Final = (("owner", "created_at", "state", "kind"), ("created_at", "state", "kind"))
