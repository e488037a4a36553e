"""The project's settings for processes that are going to be killed."""

from data_warehouse.settings import *  # noqa: F403
from data_warehouse.settings import INSTALLED_APPS as PROJECT_APPS

# The first app that has a command provides it.
INSTALLED_APPS = ["tests.chaos.app", *PROJECT_APPS]
ROOT_URLCONF = "tests.chaos.web"
