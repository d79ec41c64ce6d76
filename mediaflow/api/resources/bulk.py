"""The same action on many assets at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mediaflow.api.http.context import BASE, caller, runtime
from mediaflow.api.http.errors import status_of
from mediaflow.api.http.resource import Resource
from mediaflow.api.schemas.actions import BulkBody, BulkResultsSchema, bulk_request
from mediaflow.services.assets.bulk import Action, BulkResult

blueprint = Resource("bulk", __name__, url_prefix=f"{BASE}/assets", description="Many assets at once.")

SUCCESSES: Final[Mapping[Action, int]] = {"delete": 204, "purge": 204, "reprocess": 202}
"""What the operation on one asset answers, where that is not 200."""


@blueprint.operation("POST", "/bulk", takes=BulkBody, gives={200: BulkResultsSchema})
def change_assets(body: dict[str, Any]) -> dict[str, Any]:
    """Do the same to up to 100 assets.

    Each has its own result; one that fails does not stop the others. `purge` deletes so that nothing can be restored.
    """
    request = bulk_request(body)
    results = runtime().bulk.run(caller(), request)
    return {"results": [_document(result, SUCCESSES.get(request.action, 200)) for result in results]}


def _document(result: BulkResult, success: int) -> dict[str, Any]:
    error = result.error
    if error is None:
        return {"id": result.id, "status": success, "error": None}
    return {"id": result.id, "status": status_of(error), "error": {"code": error.code, "detail": error.detail}}
