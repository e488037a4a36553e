"""From release 06fed9c to this one, part by part as README says, while tasks run and come. make deployment"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sandbox.serving.server import SandboxServer
from tests.deployment.conftest import NewSite
from tests.deployment.hosts import Host, wait_for
from tests.deployment.release import TODAY, Release
from tests.deployment.site import Site, seen_from
from tests.deployment.test_site import Note, carried_out, restart, visited

pytestmark = pytest.mark.deployment

# At each step so many tasks have not ended.
STEPS, OPEN = 20, 60
PARTS = ("web1", "web2", "control", "beat", "work1", "work2")
SCHEDULES = {"rows": "hubspot", "steps": "five9"}


def turns(site: Site, *, since: datetime) -> set[str]:
    """The schedules that have run well since."""
    found = f"Runs.objects.filter(status='success', start_time__gt='{since.isoformat()}')"
    return set(site.ask_django(f"list({found}.values_list('schedule__name', flat=True))")) - {None}


def test_nothing_is_lost_on_the_way(
    new_site: NewSite, earlier_release: Release, tmp_path: Path, note: Note
) -> None:
    with SandboxServer(tmp_path, rows=200, names=("hubspot",), port=0, host="0.0.0.0") as sandbox:

        def crms(host: Host) -> dict[str, str]:
            return seen_from(host, sandbox.settings)

        site = new_site(release=earlier_release, more=crms)
        site.managed("sync_hubspot_contacts", "--quiet")
        add = ("manage_schedules", "add")
        for name, crm in SCHEDULES.items():
            site.managed(*add, name, crm, "contacts", "--every", "15s")
        tasks = site.submit(range(1, OPEN + 1), steps=STEPS)
        wait_for("some run", lambda: len(site.runs()) > 2)
        answers: list[int] = []

        with visited(site, answers):
            site.release = TODAY
            site.prepare()
            for name in PARTS:
                missing = OPEN - site.open_count()
                first = len(tasks) + 1
                tasks |= site.submit(range(first, first + missing), steps=STEPS)
                restart(site, name)
            assert site.open_count() > 0, "the load ended before the last restart"
            site.await_health()
        assert set(answers) == {200}
        sandbox.sandboxes.tick()
        ticked_at = datetime.now(UTC)
        wait_for("a turn of both", lambda: turns(site, since=ticked_at) == set(SCHEDULES))
        for name in SCHEDULES:
            site.managed("manage_schedules", "disable", name)
        site.await_end()

        carried_out(site, tasks, note)
        assert set(site.outcomes().values()) == {"success"}
        site.managed("verify_warehouse", "hubspot", "--model", "contacts", "--no-progress")
        site.managed("deploy_check", "--json")
