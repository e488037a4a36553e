"""The log files of the system, in a folder of a test's own."""

from __future__ import annotations

import copy
import logging.config
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from data_warehouse.settings import LOGGING


@contextmanager
def logging_everything(folder: Path) -> Iterator[None]:
    """At the level DEBUG."""
    wanted = copy.deepcopy(LOGGING)
    for handler in wanted["handlers"].values():
        if "filename" in handler:
            handler["filename"] = str(folder / Path(handler["filename"]).name)
    for logger in (wanted["root"], *wanted["loggers"].values()):
        logger["level"] = "DEBUG"
    folder.mkdir()
    logging.config.dictConfig(wanted)
    try:
        yield
    finally:
        logging.config.dictConfig(settings.LOGGING)
