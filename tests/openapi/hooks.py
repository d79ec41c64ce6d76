"""What Schemathesis can not know from the document: two requests do not share an `Idempotency-Key`."""

from __future__ import annotations

import re
import uuid
from typing import Any

import schemathesis

KEY = "Idempotency-Key"


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """A key that is one becomes a fresh one; what is none stays wrong."""
    headers = case.headers or {}
    if re.fullmatch(r"[\x21-\x7e]{1,255}", str(headers.get(KEY, ""))):
        headers[KEY] = str(uuid.uuid4())
