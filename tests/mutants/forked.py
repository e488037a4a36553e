"""Asks in a fork in which one module of the project is another one."""

from __future__ import annotations

import os
import pickle
import resource
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

Ask = Callable[[], Any]
# What one question may take: a mutant may never come to an end.
CPU_SECONDS = 20
WALL_SECONDS = 120
NO_END = "it came to no end, or took too much of the CPU"

# What takes long to import, and knows nothing of the project.
SLOW = (
    *("anyascii", "babel.dates", "babel.numbers", "boto3", "botocore.auth", "botocore.client"),
    *("cryptography.hazmat.primitives.asymmetric.rsa", "django.db.models", "duckdb", "filelock"),
    *("google.auth.crypt", "google.auth.jwt", "hypothesis", "lxml.etree", "orjson", "psycopg"),
    *("pyarrow.compute", "pyarrow.csv", "pymysql", "pytest", "pytest_httpserver", "requests"),
    *("sqlalchemy.dialects.mysql", "sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.sqlite"),
    *("tenacity", "unittest.mock", "werkzeug.middleware.dispatcher", "werkzeug.routing"),
    *("werkzeug.serving", "werkzeug.test", "zeep"),
)


class _Changed(MetaPathFinder, SourceFileLoader):
    """Loads the module of ``path`` from ``source``."""

    def __init__(self, path: Path, source: bytes) -> None:
        root = Path(__file__).parents[2]
        self.module = ".".join(path.relative_to(root).with_suffix("").parts)
        super().__init__(self.module, str(path))
        self.source = source

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self.module:
            return None
        return spec_from_file_location(fullname, self.path, loader=self)

    def get_code(self, fullname: str) -> Any:
        return compile(self.source, self.path, "exec")


def answers_of_child(asks: Sequence[Ask], changed: tuple[Path, bytes] | None) -> Iterator[Any]:
    """What each gives there, in turn; a text that says why, of one that raised or came to no end.
    The child ends with the iterator."""
    for name in SLOW:
        import_module(name)
    told = 0
    while told < len(asks):
        for answer in _answers(asks[told:], changed):
            told += 1
            yield answer


def _answers(asks: Sequence[Ask], changed: tuple[Path, bytes] | None) -> Iterator[Any]:
    """The last one is NO_END where the child died of it: the rest has not been asked then."""
    reading, writing = os.pipe()
    with tempfile.TemporaryDirectory(prefix="mutant-", ignore_cleanup_errors=True) as folder:
        child = os.fork()
        if child == 0:
            os.close(reading)
            tempfile.tempdir = folder
            _answer(asks, changed, writing)
        os.close(writing)
        try:
            with os.fdopen(reading, "rb") as pipe:
                yield from _until_it_dies(pipe, len(asks))
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def _until_it_dies(pipe: BinaryIO, count: int) -> Iterator[Any]:
    for _ in range(count):
        try:
            yield pickle.load(pipe)
        except EOFError:
            yield NO_END
            return


def _answer(asks: Sequence[Ask], changed: tuple[Path, bytes] | None, writing: int) -> None:
    """Ends the process, without what the parent has registered for its own end."""
    try:
        _change(changed)
        for ask in asks:
            _limit()
            try:
                answer = ask()
            except Exception as problem:  # a mutant may fail in any way
                answer = f"{type(problem).__name__}: {problem}"[:200]
            _write(writing, pickle.dumps(answer))
    finally:
        os._exit(0)


def _change(changed: tuple[Path, bytes] | None) -> None:
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    if changed is not None:
        finder = _Changed(*changed)
        if finder.module in sys.modules:
            raise RuntimeError(f"{finder.module} was imported before")
        sys.meta_path.insert(0, finder)


def _limit() -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = int(used.ru_utime + used.ru_stime) + CPU_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (most, resource.RLIM_INFINITY))
    signal.alarm(WALL_SECONDS)


def _write(pipe: int, content: bytes) -> None:
    while content:
        content = content[os.write(pipe, content) :]
