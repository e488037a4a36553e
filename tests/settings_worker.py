"""The project's settings, with a fake sync command first; with NEW_CRM, those of its next version."""

import os

from data_warehouse.settings import *  # noqa: F403
from data_warehouse.settings import INSTALLED_APPS as PROJECT_APPS

# The first app that has a command provides it.
INSTALLED_APPS = ["tests.fakeapp", *PROJECT_APPS]
if os.environ.get("NEW_CRM"):
    INSTALLED_APPS.append("tests.fakeapp.new_crm")
