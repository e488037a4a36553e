"""The app: brings the command ``crm_sandbox``."""

from django.apps import AppConfig


class SandboxConfig(AppConfig):
    name = "sandbox"
    verbose_name = "CRM sandbox"
