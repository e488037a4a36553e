"""The project's settings, with syncs that do nothing first."""

from data_warehouse.settings import *  # noqa: F403
from data_warehouse.settings import INSTALLED_APPS as PROJECT_APPS

# The first app that has a command provides it.
INSTALLED_APPS = ["benchmarks.pool.app", *PROJECT_APPS]
