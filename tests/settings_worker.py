"""The project's settings, with the stand-in of a sync command first."""

from data_warehouse.settings import *  # noqa: F403
from data_warehouse.settings import INSTALLED_APPS as PROJECT_APPS

# The first app that has a command provides it.
INSTALLED_APPS = ["tests.fakeapp", *PROJECT_APPS]
