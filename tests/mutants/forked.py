"""Runs a function in a fork in which one module of the project is another one."""

from __future__ import annotations

import os
import pickle
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

CPU_SECONDS = 60

# What takes long to import, and knows nothing of the project.
SLOW = (
    *("boto3", "botocore.auth", "cryptography.hazmat.primitives.serialization", "django.db.models"),
    *(
        "lxml.etree",
        "orjson",
        "psycopg",
        "pyarrow.compute",
        "pymysql",
        "pytest",
        "pytest_httpserver",
    ),
    *("requests", "sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.sqlite", "tenacity"),
    *("werkzeug.serving", "zeep"),
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


def answer_of_child(ask: Callable[[], Any], changed: tuple[Path, bytes] | None) -> Any:
    """What ``ask`` gives there; a text that says why, where the process came to no end of its own."""
    for name in SLOW:
        import_module(name)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _answer(ask, changed, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        content = pipe.read()
    os.waitpid(child, 0)
    return pickle.loads(content) if content else "it came to no end, or took too much of the CPU"


def _answer(ask: Callable[[], Any], changed: tuple[Path, bytes] | None, writing: int) -> None:
    """Ends the process, without what the parent has registered for its own end."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    signal.alarm(10 * CPU_SECONDS)
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    try:
        if changed is not None:
            finder = _Changed(*changed)
            if finder.module in sys.modules:
                raise RuntimeError(f"{finder.module} was imported before")
            sys.meta_path.insert(0, finder)
        answer = ask()
    except Exception as problem:  # a mutant may fail in any way
        answer = f"{type(problem).__name__}: {problem}"[:200]
    os.write(writing, pickle.dumps(answer))
    os._exit(0)
