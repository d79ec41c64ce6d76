"""What Schemathesis can not know from the document: two requests do not share an `Idempotency-Key`, streams need not
last.
"""

from __future__ import annotations

import re
import uuid
from typing import Any

import schemathesis

KEY = "Idempotency-Key"
LAST = "for_seconds"


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """A key that is one becomes a fresh one, a stream of minutes one that ends; what is wrong stays wrong."""
    headers = case.headers or {}
    if re.fullmatch(r"[\x21-\x7e]{1,255}", str(headers.get(KEY, ""))):
        headers[KEY] = str(uuid.uuid4())
    if case.path.endswith("/events"):
        query = case.query or {}
        if re.fullmatch("[0-5]?[0-9]{1,2}|600", str(query.get(LAST, 0))):
            case.query = {**query, LAST: 0}
