"""The settings of the tests: nothing of this clone's ``.env``, data, or running system."""

import atexit
import copy
import os
import shutil
import tempfile

# Processes that a test starts inherit the mark, and keep what the test has set for them.
if "INSIDE_TESTS" not in os.environ:
    FOLDER = tempfile.mkdtemp(prefix="data-warehouse-tests-")
    atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
    os.environ |= {
        "INSIDE_TESTS": "1",
        "DOTENV_FILE": os.devnull,
        "VAR_DIR": f"{FOLDER}/var",
        "LOG_DIR": f"{FOLDER}/logs",
        # Nobody answers there: a test that needs Redis starts its own.
        "CACHE_URL": "redis://127.0.0.1:1/1",
        "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
    }

from data_warehouse.settings import *  # noqa: F403
from data_warehouse.settings import LOGGING as PROJECT_LOGGING

# Real password hashes take a quarter of a second each.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# pytest listens at the root.
LOGGING = copy.deepcopy(PROJECT_LOGGING)
for logger in LOGGING["loggers"].values():
    logger["propagate"] = True

# Every answer of the API that any test gets is held against the document.
MIDDLEWARE = ["tests.documented.AnswersFitTheDocument", *MIDDLEWARE]  # noqa: F405
