"""Why a question about rows is not answered."""

from __future__ import annotations

from ingestion.pool.errors import PoolError, PoolUnavailable


class UnknownDataset(PoolError, LookupError):
    """There is no such dataset, or no run has loaded it yet."""

    code = "NO_SUCH_DATASET"


class InvalidQuestion(PoolError, ValueError):
    """A column, filter or order makes no sense."""

    code = "INVALID_QUESTION"


class MaskedColumn(InvalidQuestion):
    """A masked column can be neither filtered by nor sorted by."""

    code = "MASKED_COLUMN"


class TookTooLong(InvalidQuestion):
    """The warehouse was stopped after the time that a question may take."""

    code = "TOOK_TOO_LONG"


class WarehouseAway(PoolUnavailable):
    """The warehouse cannot be read now."""

    code = "WAREHOUSE_UNAVAILABLE"
