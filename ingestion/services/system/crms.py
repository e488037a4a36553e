"""Which CRMs are the operator's own, and which the sandbox serves.

The sandbox is an optional app, a tool of development: it is asked by its command line, never
imported.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping

from django.core.management import get_commands

from ingestion.installation_conf import SystemConf
from ingestion.services.system import plan
from ingestion.services.system.processes import StartFailed
from ingestion.sync.common.registry import crms
from ingestion.sync.common.source import Crm

LIST_SECONDS = 60.0
NO_SANDBOX = (
    "there is no sandbox in this installation: set the credentials of your CRMs in .env, or run "
    "'up' in a clone of the repository, where sandbox/ is"
)


def operators_crms(conf: SystemConf) -> list[Crm]:
    """The CRMs of which a credential is configured."""
    return [found for found in crms().values() if _is_operators(found, conf)]


def _is_operators(found: Crm, conf: SystemConf) -> bool:
    return any(conf.configured(s.name) for s in found.settings if s.secret or s.required)


def has_sandbox() -> bool:
    """Whether the app with the command ``crm_sandbox`` is installed."""
    return plan.SANDBOX_COMMAND in get_commands()


def sandboxed_crms(conf: SystemConf) -> tuple[str, ...]:
    """The CRMs that the sandbox has and the operator has not configured.

    Raises StartFailed where the sandbox cannot be asked.
    """
    own = {found.name for found in operators_crms(conf)}
    return tuple(name for name in _crms_of_sandbox(conf) if name not in own)


def _crms_of_sandbox(conf: SystemConf) -> list[str]:
    try:
        done = subprocess.run(
            plan.manage(plan.SANDBOX_COMMAND, "--list", "--json"),
            cwd=conf.base_dir,
            capture_output=True,
            text=True,
            timeout=LIST_SECONDS,
            check=True,
            start_new_session=True,  # a Ctrl-C in the terminal is for ``up`` alone
        )
    except subprocess.CalledProcessError as problem:
        raise StartFailed(f"The sandbox cannot name its CRMs:\n{problem.stderr}") from problem
    except subprocess.TimeoutExpired as problem:
        raise StartFailed(
            f"The sandbox did not name its CRMs within {LIST_SECONDS:.0f} s."
        ) from problem
    names: list[str] = json.loads(done.stdout)["crms"]
    return names


def without_operators(settings: Mapping[str, str], conf: SystemConf) -> dict[str, str]:
    """The sandbox's settings without those of a CRM of which the operator has set one of the
    names: a real base URL must never get the sandbox's credentials, nor the reverse."""
    found = dict(settings)
    for crm in crms().values():
        names = {setting.name for setting in crm.settings} & settings.keys()
        if any(conf.configured(each) for each in names):
            found = {key: value for key, value in found.items() if key not in names}
    return found
