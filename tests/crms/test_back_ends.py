"""CRMs that can be read in two ways: the second one leaves the warehouse equal, too."""

from __future__ import annotations

import pytest

from sandbox.crms.five9.service import REPORT_FOLDER, REPORT_NAME
from tests.crms.world import World

pytestmark = [pytest.mark.crms, pytest.mark.django_db(transaction=True)]

NOT_IN_THE_LAKE = {"appointments", "users"}


@pytest.mark.parametrize(
    ("crm", "settings_of_the_other", "not_offered"),
    [
        ("salespro", {"SALESPRO_BACKEND": "athena"}, NOT_IN_THE_LAKE),
        (
            "five9",
            {"FIVE9_REPORT_FOLDER": REPORT_FOLDER, "FIVE9_REPORT_NAME": REPORT_NAME},
            set[str](),
        ),
    ],
    ids=["salespro from the data lake", "five9 with a report"],
)
def test_the_other_way_to_read_leaves_them_equal(
    world: World, settings_of_the_other: dict[str, str], not_offered: set[str]
) -> None:
    world.settings.INGESTION_CRM_ENVIRONMENT = {**world.server.settings, **settings_of_the_other}
    world.run()
    assert_equal(world, not_offered)
    world.tick()
    world.run()
    assert_equal(world, not_offered, gone_are_marked=False)
    world.run(full=True)
    assert_equal(world, not_offered)


def assert_equal(world: World, not_offered: set[str], *, gone_are_marked: bool = True) -> None:
    """Neither way tells a delta what is gone."""
    reports = world.differences()
    assert {report.model for report in reports if report.not_offered} == not_offered
    for report in reports:
        report.extra = report.extra if gone_are_marked else 0
        assert report.is_equal, report.to_dict()
