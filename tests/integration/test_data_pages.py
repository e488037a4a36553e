"""The data on pages, over the API and on the command line: the same, and masked everywhere."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.test import Client

from ingestion.management.commands import manage_data
from ingestion.models import AuditRecord
from ingestion.services.crms import dataset_columns
from ingestion.services.data import profiles
from tests.data_world import CUSTOMERS, SECRETS, load_customers
from tests.integration.conftest import READ_BY_PAGES
from tests.unit.people import browser, forget_answers, member, program
from tests.unit.pool_shell import Ran, pool_in_memory

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.parametrize("warehouse_settings", READ_BY_PAGES, indirect=True),
]
PAGE, API = "/crms/arrivy/customers/", "/api/data/arrivy/customers"


@pytest.fixture(autouse=True)
def loaded(warehouse_settings: Any) -> Iterator[Any]:
    forget_answers()
    dataset_columns.forget()
    with pool_in_memory():
        load_customers([*CUSTOMERS, {"id": None, "email": "ada@example.com"}])
        profiles.refresh(seconds=60)
        yield warehouse_settings


@pytest.fixture
def viewer() -> Client:
    return browser(member("Viewers"))


@pytest.fixture
def trusted() -> Client:
    user = member("Viewers", "bea")
    user.user_permissions.add(Permission.objects.get(codename="view_personal_data"))
    return browser(User.objects.get(pk=user.pk))


def shell(*words: str) -> Ran:
    out, err = io.StringIO(), io.StringIO()
    command = manage_data.Command(stdout=out, stderr=err)
    command._called_from_command_line = True
    try:
        call_command(command, *words)
    except SystemExit as left:
        return Ran(out.getvalue(), err.getvalue(), int(left.code or 0))
    return Ran(out.getvalue(), err.getvalue(), 0)


def text(answer: Any) -> str:
    assert answer.status_code == 200, answer.content
    return answer.content.decode()


def none_of(shown: str) -> None:
    assert [secret for secret in SECRETS if secret in shown] == []


class TestPages:
    def test_the_list_has_rows_size_and_freshness(self, viewer: Client) -> None:
        page = text(viewer.get("/data/?crm_source=arrivy"))
        row = page[page.index("arrivy.customers") :].split("</tr>")[0]
        assert '<td data-label="Rows" class="number">3</td>' in row
        assert "customers</span>" in row
        assert "hubspot.contacts" not in page

    def test_rows_are_shown_and_masked(self, viewer: Client) -> None:
        for path in (PAGE, f"{PAGE}?columns=all", f"{PAGE}?sort=-city&deleted=all"):
            page = text(viewer.get(path))
            assert "New York" in page
            none_of(page)
        assert "Masked for you: " in page

    def test_a_filter_on_a_masked_column_is_refused(self, viewer: Client) -> None:
        page = text(viewer.get(f"{PAGE}?column=email&operator=contains&value=ada"))
        assert "New York" in page
        assert "email is not one of the available choices" in page

    def test_the_right_shows_personal_data(self, trusted: Client) -> None:
        page = text(trusted.get(f"{PAGE}?columns=all&column=email&operator=contains&value=ada"))
        assert "ada@example.com" in page
        assert "New York" not in page
        assert "tok-ada" not in page

    def test_the_page_s_script_gets_the_rows_alone(self, viewer: Client) -> None:
        answer = viewer.get(
            f"{PAGE}?column=city&operator=eq&value=London", headers={"HX-Request": "true"}
        )
        assert "<html" not in text(answer)
        assert "New York" not in text(answer)

    def test_the_next_rows_follow(self, viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("ingestion.views.data.pages.SHOWN_ROWS", 2)
        rows_alone = {"HX-Request": "true"}  # the page also shows what changed
        page = text(viewer.get(f"{PAGE}?sort=-visits", headers=rows_alone))
        link = page.split('">Next rows')[0].rpartition('href="')[2].replace("&amp;", "&")
        assert "New York" in page
        following = text(viewer.get(PAGE + link.partition("#")[0], headers=rows_alone))
        assert "New York" not in following
        assert "London" in following


class TestApi:
    def test_rows_are_masked_by_the_token_s_scope(self) -> None:
        for scope, sees in (("read", False), ("operate", False), ("admin", True)):
            shown = text(program(scope, scope).get(f"{API}/rows"))
            assert ("ada@example.com" in shown) is sees
            assert "tok-ada" not in shown

    def test_filters_sort_and_cursor(self, viewer: Client) -> None:
        found = viewer.get(f"{API}/rows?filter=city:eq:London&sort=-id&limit=1").json()
        assert [row["id"] for row in found["rows"]] == [3]
        again = f"{API}/rows?filter=city:eq:London&sort=-id&limit=1&cursor={found['next_cursor']}"
        assert [row["id"] for row in viewer.get(again).json()["rows"]] == [1]

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ("filter=email:contains:ada", "MASKED_COLUMN"),
            ("sort=-email", "MASKED_COLUMN"),
            ("filter=city", "INVALID_QUESTION"),
            ("cursor=abc", "INVALID_CURSOR"),
        ],
    )
    def test_what_it_refuses(self, viewer: Client, query: str, code: str) -> None:
        answer = viewer.get(f"{API}/rows?{query}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, code)
        none_of(answer.content.decode())

    def test_one_dataset_and_all(self, viewer: Client) -> None:
        found = viewer.get(API).json()
        assert (found["rows"], found["key"], found["sampled_rows"]) == (3, ["id"], 3)
        names = [one["model"] for one in viewer.get("/api/data?crm_source=arrivy").json()["items"]]
        assert "customers" in names
        assert viewer.get("/api/data/arrivy/nosuch").status_code == 404

    def test_a_warehouse_that_is_away_is_told(self, viewer: Client, settings: Any) -> None:
        settings.INGESTION_WAREHOUSE_URL = "postgresql://nobody@127.0.0.1:1/none"
        answer = viewer.get(f"{API}/rows")
        assert (answer.status_code, answer.json()["error"]["code"]) == (
            503,
            "WAREHOUSE_UNAVAILABLE",
        )


class TestCommand:
    def test_list_and_show(self) -> None:
        listed = shell("list", "arrivy")
        assert "arrivy.customers\t3\t0\t" in listed.out
        shown = json.loads(shell("show", "arrivy", "customers", "--json").out)
        assert shown["rows"] == 3
        assert "city\ttext\tcity\t100.0%\t2\t" in shell("show", "arrivy", "customers").out

    def test_rows_are_masked_unless_asked_otherwise(self) -> None:
        plain = shell("head", "arrivy", "customers", "--columns", "id,email,city", "--limit", "2")
        assert plain.out.splitlines() == [
            "id\temail\tcity",
            "1\tmasked\tLondon",
            "2\tmasked\tNew York",
        ]
        assert "--cursor" in plain.err
        none_of(shell("head", "arrivy", "customers", "--json").out)
        assert not AuditRecord.objects.filter(action="read_personal_data").exists()

    def test_personal_data_is_shown_and_recorded(self) -> None:
        ran = shell(
            "head", "arrivy", "customers", "--personal", "--reason", "a complaint", "--json"
        )
        assert json.loads(ran.out)["rows"][0]["phone"] == "555-0101"
        assert "tok-ada" not in ran.out
        record = AuditRecord.objects.get(action="read_personal_data")
        assert (record.target, record.reason) == ("arrivy.customers", "a complaint")

    def test_exit_codes(self) -> None:
        assert shell("show", "arrivy", "nosuch").code == 3
        assert shell("list", "nosuch").code == 3
        assert shell("head", "arrivy", "customers", "--sort", "nosuch").code == 2
        assert shell("head", "arrivy", "customers", "--filter", "email:contains:a").code == 2
