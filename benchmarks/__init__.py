"""The project's own measurements; each module runs by ``python -m benchmarks.<name>``."""

import os
from importlib.util import find_spec

# Not in the environment of what is compared.
if find_spec("django"):
    import django
    from django.apps import apps

    if not apps.ready:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "data_warehouse.settings")
        django.setup()
