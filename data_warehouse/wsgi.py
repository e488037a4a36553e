"""The WSGI application."""

import os

from django.core.wsgi import get_wsgi_application

from data_warehouse.logs import speak_on_stdout

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "data_warehouse.settings")
application = get_wsgi_application()
speak_on_stdout()
