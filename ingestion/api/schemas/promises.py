"""What is promised of a dataset's age."""

from __future__ import annotations

from typing import Annotated

from ingestion.api.http.responses import ResponseBody, one_of
from ingestion.services.freshness.promises import PromiseKind


class Promise(ResponseBody):
    """``kind``: by a ``schedule``, by a ``setting`` of an operator, or by the CRM's ``table``."""

    kind: Annotated[str, one_of(PromiseKind)]
    words: str
    expected_seconds: float
    """How old the data gets while all goes well."""
