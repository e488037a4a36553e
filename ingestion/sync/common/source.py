"""What a CRM folder offers: a table of models (``settings.py``) and a source (``source.py``).

``settings.py`` holds ``CRM``, a ``Crm``; ``source.py`` holds ``Source``, a class that keeps the
``CrmSource`` contract. Everything else - dlt, upsert, watermark, deletions, counts - is common.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, runtime_checkable

from ingestion.sync.common.progress import Reporter, SilentReporter
from ingestion.sync.common.rate_limit import RateLimiter, process_rate_limiter

# A record as it is to be landed: flat, or nested where the column is "json".
# Values: str, int, float, Decimal, bool, date, time, aware or naive datetime, list/dict (json), None.
Record = dict[str, Any]
Watermark = datetime | str | int
# Column name to data type, dlt's: text bigint double decimal bool timestamp date time json binary;
# and ``datetime``: a time without a zone, kept as the CRM tells it.
Columns = Mapping[str, str]


@dataclass(frozen=True)
class Setting:
    """One setting of a CRM, read from the environment by name."""

    name: str
    help: str
    default: str = ""
    secret: bool = False
    required: bool = False


@dataclass(frozen=True)
class Model:
    """One table of a CRM. A CRM folder may subclass it with what its API needs (path, ...).

    ``key``: columns that identify a record. ``cursor``: the column whose highest value is the
    watermark of an incremental run; None: no such column.
    ``incremental``: ``cursor`` reads what has ``cursor`` >= watermark - overlap; ``run_start``
    reads what changed since the last run began (the source decides how); ``full`` always reads
    everything.
    ``deletions``: ``told`` the source yields deleted records with ``_deleted_at`` set;
    ``full_run`` a run that reads everything, or all keys (``ListsKeys``), marks what is gone;
    ``never`` rows only grow.
    ``note``: why a model is not incremental, or what is odd about it.
    """

    name: str
    key: tuple[str, ...] = ("id",)
    cursor: str | None = None
    incremental: Literal["cursor", "run_start", "full"] = "full"
    overlap_seconds: float = 0
    deletions: Literal["told", "full_run", "never"] = "full_run"
    columns: Columns = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Crm:
    """One CRM: its settings, its models in the order in which ``all`` loads them.

    ``fallback``: the sync type that an unknown one runs. ``connected`` False: routes and commands
    exist, and a run fails with NotConnected.
    """

    name: str
    title: str
    models: tuple[Model, ...]
    fallback: str
    settings: tuple[Setting, ...] = ()
    connected: bool = True
    routed: bool = True  # False: the models are reached through ``all`` only (MarketSharp)

    def model(self, name: str) -> Model:
        """Raises LookupError for an unknown name."""
        for model in self.models:
            if model.name == name:
                return model
        raise LookupError(f"{self.name} has no model {name!r}")

    @property
    def sync_types(self) -> tuple[str, ...]:
        """Every routed sync type, ``all`` last."""
        return (*(m.name for m in self.models if self.routed), "all")


@dataclass(frozen=True)
class Window:
    """What a run has to read.

    ``since``: from here on (inclusive; already reduced by the overlap), None: from the beginning.
    ``until``: up to here (inclusive), None: to the end. Datetimes are aware, in UTC.
    ``is_full`` is True when everything is to be read: the source must not filter.
    """

    since: Watermark | None = None
    until: datetime | None = None

    @property
    def is_full(self) -> bool:
        return self.since is None and self.until is None


@dataclass(frozen=True)
class Scope:
    """Says that a page holds everything there is for some owners: rows of these owners that the
    run did not see are gone. ``columns`` e.g. ("from_type", "from_id"); ``owners`` their values."""

    columns: tuple[str, ...]
    owners: frozenset[tuple[Any, ...]]


@dataclass(frozen=True)
class Page:
    """Some records, in one piece; what a source yields."""

    records: Sequence[Record]
    scope: Scope | None = None


@dataclass
class Meter:
    """Counts what a run costs the CRM; kept in SyncHistory.performance_metrics."""

    requests: int = 0
    throttled: int = 0  # answers 429 or their like
    bytes_read: int = 0


class CrmSource(Protocol):
    """Reads one CRM. Built per run as ``Source(context)`` with a SourceContext.

    Every error that leaves it is a SyncError (see ``errors``): a sentence with the CRM, the
    request and what to do, without any secret.
    """

    def columns(self, model: Model) -> Columns:
        """The types of the columns that the CRM declares; may ask the CRM. Columns that are not
        named here get the type that their values have."""

    def pages(self, model: Model, window: Window, *, batch_size: int | None) -> Iterator[Page]:
        """The records of ``window``, page by page, in the order of the cursor where the API can.
        ``batch_size`` is a wish; the API's own cap stands above it."""

    def close(self) -> None:
        """Give back connections."""


@runtime_checkable
class AdaptsModels(Protocol):
    """A source whose settings decide how a model can be read: Five9 is incremental only where
    the account has a report of changed contacts."""

    def adapted(self, model: Model) -> Model:
        """The model as this account lets it be read. Its name and key stay."""


@runtime_checkable
class ListsKeys(Protocol):
    """A source that can tell cheaply which records exist: every run finds what is gone then, not
    only a full one. A database can; an API that hands out whole records cannot."""

    def keys(self, model: Model) -> Iterator[Sequence[Record]]:
        """The keys of all records, as records of nothing but the columns of ``model.key``."""


@runtime_checkable
class Probes(Protocol):
    """A source with models whose first page is dear: it comes after many requests, or makes the
    CRM go through all it has."""

    def probe(self, model: Model) -> Page | None:
        """Some records of the model, or none, by few small requests that need every right that a
        sync of it needs. None: the first page of a full read is cheap enough."""


@dataclass(frozen=True)
class SourceContext:
    """What a source is built with. ``max_attempts``: how often a request is made at most, where
    that is less than the CRM's own retry policy allows; ``first_delay_seconds``: between its first
    two attempts; None: as that policy says."""

    settings: Mapping[str, str]
    timeout_seconds: float = 60
    max_attempts: int | None = None
    first_delay_seconds: float | None = None
    meter: Meter = field(default_factory=Meter)
    reporter: Reporter = field(default_factory=SilentReporter)
    limiter: RateLimiter = field(default_factory=process_rate_limiter)
