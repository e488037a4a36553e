"""What a CRM folder offers: a table of models (``settings.py``) and a source (``source.py``).

``settings.py`` holds ``CRM``, a ``Crm``; ``source.py`` holds ``Source``, a class that keeps the
``CrmSource`` contract. Everything else - types, upsert, watermark, deletions, counts - is common.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any, Literal, Protocol, overload, runtime_checkable

from ingestion.sync.common.errors import did_you_mean
from ingestion.sync.common.progress import Reporter, SilentReporter
from ingestion.sync.common.rate_limit import RateLimiter, process_rate_limiter

if TYPE_CHECKING:
    import pyarrow as pa

# A record as it is to be landed: flat, or nested where the column is "json".
# Values: str, int, float, Decimal, bool, date, time, aware or naive datetime, list/dict (json), None.
Record = dict[str, Any]
Watermark = datetime | str | int
# Column name to data type: text bigint double decimal bool timestamp date time json binary;
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
    ``freshness``: how old the table may be at most, whatever schedules it has; None: they decide.
    ``only_filled``: a column that the CRM declares is made when the first record has a value in it,
    which an empty text is not.
    ``after_others``: nothing of it is read before the models before it are loaded.
    ``note``: why a model is not incremental, or what is odd about it.
    """

    name: str
    key: tuple[str, ...] = ("id",)
    cursor: str | None = None
    incremental: Literal["cursor", "run_start", "full"] = "full"
    overlap_seconds: float = 0
    deletions: Literal["told", "full_run", "never"] = "full_run"
    columns: Columns = field(default_factory=dict)
    only_filled: bool = False
    after_others: bool = False
    note: str = ""
    freshness: timedelta | None = None


@dataclass(frozen=True)
class Crm:
    """One CRM: its settings, its models in the order in which ``all`` loads them.

    ``fallback``: the sync type that an unknown one runs. ``connected`` False: routes and commands
    exist, and a run fails with NotConnected. ``freshness``: of every model that declares none.
    ``steering``: by what the source finds its way, which a recording keeps as it is: names of fields,
    with all that stands below them, and patterns of paths (with a slash or ``*``), of whole answers.
    ``not_recorded``: a sentence why its answers cannot be recorded; empty where it speaks HTTP.
    ``listed``: under these names stand values without one, in the order of a list of their names.
    ``counts_days``: a number may be that of a day since 1899-12-30, and stays where the day does.
    """

    name: str
    title: str
    models: tuple[Model, ...]
    fallback: str
    settings: tuple[Setting, ...] = ()
    connected: bool = True
    freshness: timedelta | None = None
    routed: bool = True  # False: the models are reached through ``all`` only (MarketSharp)
    steering: tuple[str, ...] = ()
    not_recorded: str = ""
    listed: tuple[str, ...] = ()
    counts_days: bool = False

    def model(self, name: str) -> Model:
        """Raises LookupError for an unknown name."""
        for model in self.models:
            if model.name == name:
                return model
        names = [model.name for model in self.models]
        near = did_you_mean(name, names)
        raise LookupError(f"{self.name} has no model {name!r}{near}; it has: {', '.join(names)}")

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
class TextColumn:
    """A column as a database server wrote it: nothing is made of a value before its column is typed,
    and most columns are typed at once. ``array``: the server's texts in UTF-8, as binary; ``kind``: what every one of them means,
    where it means something: str, int, float, Decimal, datetime without a zone, or date;
    ``convert`` makes the value of one."""

    array: pa.Array
    kind: type
    convert: Callable[[bytes], Any]

    def __len__(self) -> int:
        return len(self.array)

    def __iter__(self) -> Iterator[Any]:
        for text in self.array.to_pylist():
            yield None if text is None else self.convert(text)

    def part(self, rows: slice) -> TextColumn:
        return TextColumn(self.array[rows], self.kind, self.convert)

    @property
    def first(self) -> Any:
        """The first value that is one; None where there is none."""
        if self.array.null_count == len(self.array):
            return None
        values = (self.convert(text.as_py()) for text in self.array.drop_null())
        return next((value for value in values if value is not None), None)


SourceColumn = TextColumn | Sequence[Any]


class ColumnRecords(Sequence[Record]):
    """Records that a source hands over by column; each is put together when it is asked for. All have the same names."""

    def __init__(self, columns: Mapping[str, SourceColumn], length: int) -> None:
        self.columns = columns
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Record]:
        for values in zip(*self.columns.values(), strict=True):
            yield dict(zip(self.columns, values, strict=True))

    @overload
    def __getitem__(self, rows: int) -> Record: ...

    @overload
    def __getitem__(self, rows: slice) -> ColumnRecords: ...

    def __getitem__(self, rows: int | slice) -> Record | ColumnRecords:
        if isinstance(rows, int):
            row = range(self._length)[rows]
            (record,) = self[row : row + 1]
            return record
        columns = {
            name: column.part(rows) if isinstance(column, TextColumn) else column[rows]
            for name, column in self.columns.items()
        }
        return ColumnRecords(columns, len(range(self._length)[rows]))


@dataclass(frozen=True)
class Page:
    """Some records, in one piece; what a source yields. ``unread``: what of the window could not be
    read, and why: the run is partial then, and takes nothing for gone because it was not seen.
    ``merged``: those of the keys whose deletion the page tells that were merged into other records;
    for models whose key is one column of text."""

    records: Sequence[Record]
    scope: Scope | None = None
    unread: str | None = None
    merged: frozenset[str] = frozenset()


@dataclass
class Meter:
    """Counts what a run costs the CRM; kept in SyncHistory.performance_metrics."""

    requests: int = 0
    throttled: int = 0  # answers 429 or their like
    bytes_read: int = 0
    _lock: threading.Lock = field(
        default_factory=threading.Lock, init=False, repr=False, compare=False
    )

    def add(self, *, requests: int = 0, throttled: int = 0, bytes_read: int = 0) -> None:
        """From any thread; the meter that is ``counting`` there counts it too."""
        for meter in {id(m): m for m in (self, _counting.get()) if m is not None}.values():
            with meter._lock:
                meter.requests += requests
                meter.throttled += throttled
                meter.bytes_read += bytes_read

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Meanwhile it counts what this thread adds to any meter, and threads that it starts."""
        before = _counting.set(self)
        try:
            yield
        finally:
            _counting.reset(before)


_counting: ContextVar[Meter | None] = ContextVar("counting", default=None)


class CrmSource(Protocol):
    """Reads one CRM. Built per run as ``Source(context)`` with a SourceContext. ``pages`` is gone
    through in a thread of its own, unless the source ``StaysInThread``.

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
class StaysInThread(Protocol):
    """A source whose pages are read in the thread of the run, none of them ahead: what it waits for
    can be broken off only there, by a signal."""

    stays_in_thread: bool


@runtime_checkable
class HasZone(Protocol):
    """A source whose cursors are times without a zone."""

    @property
    def zone(self) -> tzinfo:
        """The zone of its server."""


@runtime_checkable
class ListsKeys(Protocol):
    """A source that can tell cheaply which records exist: every run finds what is gone then, not
    only a full one. A database can; an API that hands out whole records cannot."""

    def keys(self, model: Model) -> Iterator[Sequence[Record]]:
        """The keys of all records, as records of nothing but the columns of ``model.key``."""


@dataclass(frozen=True)
class KeyRange:
    """Some keys, all of whole numbers whose quotient by the size of a range, cut towards zero, is
    ``number``: how many there are, and the sums of their remainders and of the squares of these."""

    number: int
    count: int
    total: int
    squares: int


@runtime_checkable
class SumsKeys(Protocol):
    """A source that can sum its keys up: a run finds what is gone without listing all of them."""

    def key_ranges(self, model: Model, size: int) -> Iterator[KeyRange] | None:
        """Every range that has a key; None where the keys are no whole numbers."""

    def keys_in(self, model: Model, number: int, size: int) -> Iterator[Sequence[Record]]:
        """The keys of one range, as ``ListsKeys`` gives them."""


@runtime_checkable
class Probes(Protocol):
    """A source with models whose first page is dear: it comes after many requests, or makes the
    CRM go through all it has."""

    def probe(self, model: Model) -> Page | None:
        """Some records of the model, or none, by few small requests that need every right that a
        sync of it needs. None: the first page of a full read is cheap enough."""


@dataclass(frozen=True)
class Heard:
    """An answer as it was received. ``target``: the URL, or the operation; ``sent``: the body of the
    request."""

    target: str
    content: bytes
    content_type: str = ""
    sent: bytes = b""


@dataclass(frozen=True)
class Exchange:
    """A request and its answer, refused ones too, as a recording takes them. ``operation``: what the
    request asks for, where neither its URL nor its body says it. ``sent``: its body."""

    method: str
    url: str
    sent: bytes
    status: int
    headers: Mapping[str, str]
    content: bytes = field(repr=False)
    operation: str = ""


@dataclass(frozen=True)
class SourceContext:
    """What a source is built with. ``max_attempts``: how often a request is made at most, where
    that is less than the CRM's own retry policy allows; ``first_delay_seconds``: between its first
    two attempts; None: as that policy says. ``hear``: gets every answer that was accepted, before
    anything is made of it; ``record`` gets every exchange; both from whichever thread it came to."""

    settings: Mapping[str, str]
    timeout_seconds: float = 60
    max_attempts: int | None = None
    first_delay_seconds: float | None = None
    meter: Meter = field(default_factory=Meter)
    reporter: Reporter = field(default_factory=SilentReporter)
    limiter: RateLimiter = field(default_factory=process_rate_limiter)
    hear: Callable[[Heard], None] | None = None
    record: Callable[[Exchange], None] | None = None


def zone_of(source: CrmSource) -> tzinfo:
    """The zone of the source's times without one; UTC where it names none."""
    return source.zone if isinstance(source, HasZone) else UTC
