"""Sites for tests, and the figures of all of them at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from data_warehouse.environment import BASE_DIR
from tests.chaos.namespace import NoNamespace
from tests.deployment.figures import Figures, table
from tests.deployment.release import Release, of_06fed9c
from tests.deployment.site import Site
from tests.missing import cannot_have

NewSite = Callable[..., Site]
RESULTS = BASE_DIR / "test-results" / "deployment.txt"
FIGURES = "figures of the tasks"


def let_others_in(folder: Path) -> None:
    """PostgreSQL and RabbitMQ run as other accounts."""
    for parent in (folder, *folder.parents[:3]):
        parent.chmod(parent.stat().st_mode | 0o055)


@pytest.fixture
def new_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewSite]:
    made: list[Site] = []

    def make(**options: Any) -> Site:
        folder = tmp_path_factory.mktemp("site")
        let_others_in(folder)
        made.append(Site(folder, **options))
        try:
            made[-1].start()
        except NoNamespace as problem:
            cannot_have("Hosts in network namespaces", problem)
        return made[-1]

    yield make
    for site in made:
        site.stop()


@pytest.fixture(scope="session")
def earlier_release(earlier_release_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Release:
    return of_06fed9c(earlier_release_dir, tmp_path_factory.mktemp("earlier") / "environment")


@pytest.fixture
def note(record_property: Callable[[str, object], None]) -> Callable[[Figures], None]:
    """Keeps the figures of a test for the table."""
    return lambda figures: record_property(FIGURES, figures.to_dict())


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table, on the screen and in a file."""
    rows = [
        (report.nodeid.rsplit("::")[-1], value)
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == FIGURES and report.when == "call"
    ]
    if rows:
        text = table(rows)
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(text)
        terminalreporter.section("tasks, by test")
        terminalreporter.write(text)
