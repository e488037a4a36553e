"""What WAREHOUSE_URL may be; without a database library, so that every start can look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

IN_MEMORY: Final = ("", ":memory:")
OF_MOTHERDUCK: Final = ("md:", "motherduck:")


@dataclass(frozen=True)
class Kind:
    """``drivers``: the module of each, by the name that a URL has after a plus; "" is that of a URL
    without one. ``needs``: modules beside it. ``extra``: of this project, which installs them."""

    title: str
    form: str
    drivers: Mapping[str, str] = field(default_factory=dict)
    extra: str | None = None
    is_file: bool = False
    needs: tuple[str, ...] = ()


_MYSQL: Final = {"pymysql": "pymysql", "mysqldb": "MySQLdb", "": "MySQLdb"}
_DELTA: Final = {"": "deltalake"}
_ENGINE: Final = ("duckdb", "duckdb_sqlalchemy")
KINDS: Final[Mapping[str, Kind]] = {
    "sqlite": Kind(
        "SQLite", "sqlite:///path", {"pysqlite": "sqlite3", "": "sqlite3"}, is_file=True
    ),
    "postgresql": Kind(
        "PostgreSQL",
        "postgresql://user:password@host/name",
        {"psycopg": "psycopg", "psycopg2": "psycopg", "": "psycopg"},
    ),
    "duckdb": Kind("DuckDB", "duckdb:///path", {"": "duckdb"}, extra="duckdb", is_file=True),
    "mariadb": Kind("MariaDB", "mariadb+pymysql://user:password@host/name", _MYSQL),
    "file": Kind("Delta files", "file:///folder", _DELTA, extra="delta", needs=_ENGINE),
    "s3": Kind("Delta files in S3", "s3://bucket/prefix", _DELTA, extra="delta", needs=_ENGINE),
}
OF_DELTA: Final = ("file", "s3")
# What such a URL names is looked at when it is opened: rows are loaded into MariaDB alone.
ALIASES: Final = {"postgres": "postgresql", "mysql": "mariadb"}
SUPPORTED: Final = ", ".join(f"{kind.title} ({kind.form})" for kind in KINDS.values())


def problem_of(url: str) -> str | None:
    """Why rows cannot be loaded there, in one sentence with what is supported; None where nothing
    speaks against it."""
    backend, driver, place = _parts(url)
    if not place:
        return f"WAREHOUSE_URL is not a database URL; supported are {SUPPORTED}."
    kind = KINDS.get(backend)
    if kind is None:
        return (
            f"WAREHOUSE_URL names {backend!r}, into which nothing is loaded; "
            f"supported are {SUPPORTED}."
        )
    if driver not in kind.drivers:
        known = ", ".join(filter(None, kind.drivers))
        return (
            f"WAREHOUSE_URL names the driver {driver!r}, which {kind.title} is not loaded by; "
            f"write {kind.form}, or one of {known} after the plus."
        )
    modules = (kind.drivers[driver], *kind.needs)
    missing = next(filter(None, (_missing(kind, module) for module in modules)), None)
    return missing or (_delta_problem(url) if is_delta(url) else _place_problem(kind, place))


def problem_of_version(version: str) -> str | None:
    """Why rows cannot be loaded into a server of MySQL's family that answers ``SELECT version()`` so;
    None for a MariaDB."""
    if "MariaDB" in version:
        return None
    return (
        f"WAREHOUSE_URL names a server of version {version}: of MySQL's family rows are loaded into"
        " MariaDB alone."
    )


def is_delta(url: str) -> bool:
    """Whether it names a place of Delta tables."""
    return _parts(url)[0] in OF_DELTA


def folder_of(url: str) -> Path | None:
    """Of a URL without a problem: the folder that the files of the warehouse stand in; None where
    that is not on this machine."""
    backend, _, place = _parts(url)
    if backend == "file":
        return Path(unquote(urlsplit(url).path))
    if not KINDS[backend].is_file:
        return None
    return Path(place.removeprefix("//").partition("/")[2].partition("?")[0]).parent


def _parts(url: str) -> tuple[str, str, str]:
    """Backend, driver and what stands behind them, two slashes first; that is empty where it is no
    URL."""
    scheme, _, place = url.partition(":")
    backend, _, driver = scheme.partition("+")
    return ALIASES.get(backend, backend), driver, place if place.startswith("//") else ""


def _missing(kind: Kind, module: str) -> str | None:
    if find_spec(module) is not None:
        return None
    cure = f"install the extra {kind.extra!r}" if kind.extra else f"write {kind.form}"
    return f"The driver of WAREHOUSE_URL is not installed: {module}; {cure}."


def _delta_problem(url: str) -> str | None:
    found = urlsplit(url)
    if found.query or found.fragment:
        return f"WAREHOUSE_URL has more than a place; write {KINDS[found.scheme].form}."
    if found.scheme == "file" and found.netloc:
        return "WAREHOUSE_URL names a host; write file:///folder, with three slashes."
    if found.scheme == "file" and not found.path.strip("/"):
        return "WAREHOUSE_URL names no folder; write file:///folder."
    if "@" in found.netloc:
        return (
            "WAREHOUSE_URL has credentials in it; write s3://bucket/prefix, and set"
            " AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment."
        )
    if found.scheme == "s3" and not found.netloc:
        return "WAREHOUSE_URL names no bucket; write s3://bucket/prefix."
    return None


def _place_problem(kind: Kind, place: str) -> str | None:
    if kind.title == "MariaDB" and not place.removeprefix("//").partition("/")[2].split("?")[0]:
        return f"WAREHOUSE_URL names no database; write {kind.form}."
    path = place.removeprefix("//").partition("/")[2].partition("?")[0]
    if kind.is_file and path in IN_MEMORY:
        return (
            f"WAREHOUSE_URL names a {kind.title} database in memory, which ends with the process: "
            f"name a file, e.g. {kind.form.removesuffix('path')}/var/lib/warehouse/warehouse.db."
        )
    if kind.is_file and path.startswith(OF_MOTHERDUCK):
        return f"WAREHOUSE_URL names MotherDuck, which is not supported; supported are {SUPPORTED}."
    return None
