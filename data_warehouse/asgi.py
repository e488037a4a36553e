"""The ASGI application."""

import os

from django.core.asgi import get_asgi_application

from data_warehouse.logs import speak_on_stdout

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "data_warehouse.settings")
application = get_asgi_application()
speak_on_stdout()
