"""Every exception from the rules of the layout, with its reason."""

from __future__ import annotations

# Folders whose ``__init__.py`` need not describe a room.
NO_ROOMS = {
    "data_warehouse": "settings, URLs and the Celery app, which Django and Celery find by name",
    "ingestion": "its own modules are found by Django and Celery by name",
    "ingestion.management": "the base of the sync commands stands beside the rooms",
    "ingestion.management.commands": "Django finds every command by name",
    "ingestion.migrations": "Django finds every migration by name",
    "ingestion.services": "its rooms, and two modules that stand between them",
    "ingestion.sync": "its rooms, and the CRMs, which import nobody but sync/common and sync/http",
}

# Folders that count as one, whatever stands in them.
UNDIVIDED = {"sandbox": "a tool of development, with contracts of its own in .importlinter"}

# Folders that may hold any number of modules: what is found by its place cannot be divided.
FLAT = {
    "tests": "pytest finds every file by name",
    "migrations": "Django finds every migration by name",
    "commands": "Django finds every command by name",
}

# Modules that every room may use without a word about it.
FOR_ALL = {
    "ingestion.deadline": "how long whoever asks the ledger's database may wait",
    "ingestion.deprecated_names": "old public names, for whoever prints the new ones",
    "ingestion.private_files": "files that are their owner's alone, for whoever makes one",
}

# Rooms whose ``__init__.py`` holds more than its docstring.
FULL_INITS = {
    "ingestion.models": "Django loads an app's models from here",
}
