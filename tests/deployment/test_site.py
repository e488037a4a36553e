"""A whole site under load: rolling restarts, a lost host, a backup, another broker. make deployment"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests.deployment.conftest import NewSite
from tests.deployment.figures import Figures
from tests.deployment.hosts import wait_for
from tests.deployment.site import LEASE_SECONDS, QUEUES, WEB, WORKERS, Site

pytestmark = pytest.mark.deployment

Note = Callable[[Figures], None]
STEPS = 15


def carried_out(site: Site, tasks: dict[int, str], note: Note) -> None:
    """Each was carried out, and once."""
    figures = site.figures(tasks)
    note(figures)
    assert (figures.lost, figures.run_twice) == ([], [])


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


def restart(site: Site, name: str) -> None:
    """With the release that is installed; a web server takes its place before the next one goes."""
    site.begin(name)
    if name in WEB:
        wait_for(f"{name} is back", lambda: site.ask(name, "/health/live") == 200)


def test_every_part_is_restarted_under_load(new_site: NewSite, note: Note) -> None:
    site = new_site()
    tasks = site.submit(range(1, 61), steps=STEPS)
    answers: list[int] = []

    with visited(site, answers):
        for name in (*WORKERS, "control", "beat", *WEB):
            restart(site, name)
        site.await_health()
    assert set(answers) == {200}
    tasks |= site.submit(range(61, 121), steps=STEPS)
    for server in (site.redis, site.postgres):
        server.restart()
        assert site.open_count() > 0, "the load ended before the last restart"

    site.await_end()
    carried_out(site, tasks, note)
    site.await_health()
    site.managed("deploy_check", "--json")


def test_a_host_is_lost(new_site: NewSite, note: Note) -> None:
    site = new_site()
    tasks = site.submit(range(1, 41), steps=STEPS)
    wait_for("both work", lambda: len(site.runs()) >= 4)

    site.cut("work2")

    wait_for(
        "its end is noticed",
        lambda: site.workers_online() == ["sync@work1"],
        seconds=20 * LEASE_SECONDS,
    )
    site.await_end()
    carried_out(site, tasks, note)


def test_rabbitmq_carries_the_messages(new_site: NewSite, note: Note) -> None:
    """It is restarted like every other part."""
    site = new_site(rabbitmq=True)
    assert site.rabbitmq is not None
    tasks = site.submit(range(1, 41), steps=STEPS)
    for name in (*WORKERS, "control", "beat"):
        restart(site, name)
    site.rabbitmq.restart()
    tasks |= site.submit(range(41, 81), steps=STEPS)
    assert site.open_count() > 0, "the load ended before the last restart"

    site.await_end()
    carried_out(site, tasks, note)
    assert site.rabbitmq.messages(QUEUES["worker"]) == 0
    site.await_health()
    site.managed("deploy_check", "--json")


def test_a_backup_comes_back_on_empty_servers(new_site: NewSite, note: Note) -> None:
    """It was made under load. What had not ended then runs again, for nothing knows of it any more."""
    site = new_site()
    tasks = site.submit(range(1, 41), steps=STEPS)
    wait_for("some have ended", lambda: len(site.runs()) >= 8)
    backups = site.folder / "backups"

    site.managed("backup", str(backups))
    site.stop_programs()
    with psycopg.connect(site.postgres.url(), autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    site.redis.clear()
    (folder,) = backups.iterdir()
    site.managed("restore", str(folder), "--yes")
    outcomes = site.outcomes()
    unended = {label for label, task_id in tasks.items() if outcomes[task_id] != "success"}
    assert 0 < len(unended) < len(tasks)
    site.forget_runs(unended)
    for name in site.programs:
        site.begin(name)

    site.await_health()
    site.await_end()
    carried_out(site, tasks, note)
