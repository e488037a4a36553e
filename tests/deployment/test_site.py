"""A whole site under load: rolling restarts, a lost host, another broker. make deployment"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.chaos.namespace import NoNamespace
from tests.deployment.hosts import wait_for
from tests.deployment.site import LEASE_SECONDS, Site
from tests.missing import cannot_have

pytestmark = pytest.mark.deployment


@pytest.fixture
def new_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Site]]:
    made: list[Site] = []

    def make(**options: bool) -> Site:
        folder = tmp_path_factory.mktemp("site")
        for parent in (folder, *folder.parents[:2]):
            parent.chmod(parent.stat().st_mode | 0o055)  # PostgreSQL runs as another account
        made.append(Site(folder, **options))
        try:
            made[-1].start()
        except NoNamespace as problem:
            cannot_have("Hosts in network namespaces", problem)
        return made[-1]

    yield make
    for site in made:
        site.stop()


@contextmanager
def visited(site: Site, into: list[int]) -> Iterator[None]:
    """Somebody asks for the login page all the time, by a proxy that tries the other server too."""
    ends = threading.Event()

    def visit() -> None:
        while not ends.wait(0.2):
            into.append(site.ask("web1", "/login/") or site.ask("web2", "/login/"))

    visitor = threading.Thread(target=visit)
    visitor.start()
    try:
        yield
    finally:
        ends.set()
        visitor.join()


def all_ended(site: Site) -> None:
    wait_for("all tasks have ended", lambda: site.open_count() == 0, seconds=400)


def test_every_part_is_restarted_under_load(new_site: Callable[..., Site]) -> None:
    site = new_site()
    tasks = site.submit(range(1, 61), steps=15)
    answers: list[int] = []

    with visited(site, answers):
        for name in ("work1", "work2", "control", "beat"):
            site.programs[name].restart()
        for name in ("web1", "web2"):
            site.programs[name].restart()
            wait_for(f"{name} is back", lambda name=name: site.ask(name, "/health/live") == 200)
        site.await_health()
    assert set(answers) == {200}
    tasks |= site.submit(range(61, 121), steps=15)
    for server in (site.redis, site.postgres):
        server.restart()
        assert site.open_count() > 0, "the load ended before the last restart"

    all_ended(site)
    assert site.faults(tasks, steps=15) == []
    site.await_health()
    done = site.manage("deploy_check", "--json")
    assert done.returncode == 0, done.stdout


def test_a_host_is_lost(new_site: Callable[..., Site]) -> None:
    site = new_site()
    tasks = site.submit(range(1, 41), steps=15)
    wait_for("both work", lambda: len({*site.spans()}) >= 4)

    site.hosts["work2"].cut()

    wait_for(
        "its end is noticed",
        lambda: site.workers_online() == ["sync@work1"],
        seconds=20 * LEASE_SECONDS,
    )
    all_ended(site)
    assert site.faults(tasks, steps=15) == []


def test_rabbitmq_carries_the_messages(new_site: Callable[..., Site]) -> None:
    site = new_site(rabbitmq=True)
    tasks = site.submit(range(1, 31), steps=10)
    for name in ("work1", "work2", "control"):
        site.programs[name].restart()

    all_ended(site)
    assert site.faults(tasks, steps=10) == []
