"""A bundle keeps what an answer was like, and gives each request the answer that it had then."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from ingestion.sync.common.registry import crms
from ingestion.sync.common.source import Crm, Exchange, Model, Setting
from ingestion.sync.recording.bundle import Answered, Asked, Bundle, Recorded
from ingestion.sync.recording.matching import Tape
from ingestion.sync.recording.replacing import Replacing

BASE = "https://api.example.com/v1"
CRM = Crm(
    name="acme",
    title="Acme",
    models=(Model("people", cursor="updated_at"),),
    fallback="all",
    settings=(
        Setting("ACME_BASE_URL", "Where.", default="https://api.example.com"),
        Setting("ACME_TOKEN", "Opens it.", secret=True, required=True),
        Setting("ACME_ACCOUNT_ID", "Whose.", required=True),
        Setting("ACME_PAGE_SIZE", "How many.", default="100"),
    ),
    steering=("next", "*/fields"),
)
SETTINGS = {
    "ACME_BASE_URL": f"{BASE}/",
    "ACME_TOKEN": "token-of-acme",
    "ACME_ACCOUNT_ID": "house4711",
    "ACME_PAGE_SIZE": "50",
}


def exchange(path: str, content: Any, **others: Any) -> Exchange:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    kind = others.pop("kind", "application/json")
    found = Exchange("GET", f"{BASE}{path}", b"", 200, {"Content-Type": kind}, body)
    return replace(found, **others)


def made(*exchanges: Exchange) -> tuple[Replacing, list[Recorded]]:
    replacing = Replacing(CRM, SETTINGS)
    return replacing, list(replacing.recorded(exchanges))


def content_of(recorded: Recorded) -> Any:
    return json.loads(recorded.answered.content({"ACME_BASE_URL": "http://here"}))


def test_keys_times_and_what_steers_stay_and_the_rest_goes() -> None:
    row = {"id": "p-77", "name": "Ada", "updated_at": "2026-01-02T03:04:05Z", "born": 1815}
    _, (found,) = made(exchange("/people", {"rows": [row], "next": "abc"}))
    answer = content_of(found)
    (new,) = answer["rows"]
    assert (new["id"], new["updated_at"], answer["next"]) == ("p-77", row["updated_at"], "abc")
    assert new["name"] != "Ada"
    assert new["born"] != 1815


def test_a_value_that_equals_a_key_stays_and_equal_ones_stay_equal() -> None:
    rows = [{"id": "p-77", "boss": "p-78", "mail": "a@b.cd"}, {"id": "p-78", "mail": "a@b.cd"}]
    _, (found,) = made(exchange("/people", rows))
    one, other = content_of(found)
    assert one["boss"] == other["id"] == "p-78"
    assert one["mail"] == other["mail"] != "a@b.cd"


SHEET = """{"valueRanges": [{"range": "A1:C9", "values": [
    ["Name", "Date of Birth", "Called"], ["Ada", "2010-12-10", "2026-01-09"], [true, "2011-10-12"]
]}]}"""
LAKE = """{"ResultSet": {
    "ResultSetMetadata": {"ColumnInfo": [{"Name": "name"}, {"Name": "dob"}, {"Name": "called"}]},
    "Rows": [
        {"Data": [{"VarCharValue": "Ada"}, {"VarCharValue": "2010-12-10"}, {"VarCharValue": "2026-01-09"}]},
        {"Data": [{}, {"VarCharValue": "2011-10-12"}]}
    ]
}}"""
LIST = """<r>
    <fields>name</fields><fields>Birth Date</fields><fields>called</fields>
    <records><values><data>Ada</data><data>2010-12-10</data><data>2026-01-09</data></values></records>
    <records><values><data/><data>2011-10-12</data></values></records>
</r>"""


@pytest.mark.parametrize(
    ("name", "answer"), [("gsheet", SHEET), ("salespro", LAKE), ("five9", LIST)]
)
def test_a_birthday_goes_where_a_list_names_no_field(name: str, answer: str) -> None:
    (found,) = Replacing(crms()[name], {}).recorded([exchange("/", answer.encode())])
    text = found.answered.body
    assert re.findall(r"2010-12-10|2011-10-12|2026-01-09", text) == ["2026-01-09"]
    assert len(re.findall(r"20\d\d-\d\d-\d\d", text)) == 3, text


def test_a_key_that_is_an_address_goes() -> None:
    _, found = made(
        exchange("/people", [{"id": "ada@example.com"}]), exchange("/people/ada@example.com", {})
    )
    (row,) = content_of(found[0])
    assert row["id"] != "ada@example.com"
    assert found[1].asked.path.endswith(row["id"].replace("@", "%40"))


def test_answers_that_describe_fields_stay_whole() -> None:
    _, found = made(exchange("/fields", [{"label": "Nickname"}]), exchange("/people", ["Nickname"]))
    assert content_of(found[0]) == [{"label": "Nickname"}]
    assert content_of(found[1]) == ["Nickname"]


def test_what_a_request_says_first_stays_and_small_numbers_do() -> None:
    _, found = made(
        exchange("/people?sort=newest&size=50", [{"order": "newest", "age": 20}]),
        exchange("/people?sort=newest&size=20&page=2", []),
    )
    assert found[1].asked.query == (("page", "2"), ("size", "20"), ("sort", "newest"))
    assert content_of(found[0])[0]["order"] == "newest"


def test_a_request_by_a_value_of_an_answer_asks_for_the_made_up_one() -> None:
    _, found = made(
        exchange("/people", [{"phone": "6155550199"}]), exchange("/people?phone=6155550199", [])
    )
    assert found[1].asked.query == (("phone", content_of(found[0])[0]["phone"]),)


def test_links_to_the_crm_itself_lead_to_the_replay() -> None:
    _, (found,) = made(exchange("/people", {"next": f"{BASE}/people?page=2"}))
    assert content_of(found) == {"next": "http://here/people?page=2"}
    (asked,) = made(exchange("/people?page=2", {}))[1]
    assert (asked.asked.base, asked.asked.path) == ("ACME_BASE_URL", "/people")


def test_no_secret_and_no_account_is_in_the_bundle() -> None:
    text = "You are house4711 with token-of-acme"
    account = exchange("/house4711/people?key=token-of-acme", {"account": "house4711", "you": text})
    replacing, found = made(account)
    settings = replacing.bundled_settings()
    assert settings.keys() == {"ACME_ACCOUNT_ID", "ACME_PAGE_SIZE"}
    bundle = Bundle("acme", "people", "", (), settings, "", tuple(found))
    assert "token-of-acme" not in bundle.to_text()
    assert "house4711" not in bundle.to_text()
    assert content_of(found[0])["account"] == settings["ACME_ACCOUNT_ID"]
    assert found[0].asked.path == f"/{settings['ACME_ACCOUNT_ID']}/people"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b'\xef\xbb\xbf{"name": "Zo\xc3\xab"}', "application/json"),
        ('<?xml version="1.0" encoding="latin-1"?><a>Zoë</a>'.encode("latin-1"), "text/xml"),
        ("<a>Zoë</a>".encode("latin-1"), "text/xml; charset=utf-8"),
        ('{"name": "Zoë"}'.encode("utf-16"), "application/json; charset=utf-16"),
        (b"<a>Ada \x01 Byron</a>", "text/xml"),
        (b'{"name": "Ada\\u0000\\ud83d", "next": "broken', "application/json"),
        (b"<html><body>Bad gateway, Ada</body></html>", "text/html"),
    ],
)
def test_odd_answers_stay_as_odd(content: bytes, kind: str) -> None:
    """Marks, wrong encodings, characters that are forbidden, and answers that break off."""
    _, (found,) = made(exchange("/people", content, kind=kind))
    bundle = Bundle.from_text(Bundle("acme", "people", "", (), {}, "", (found,)).to_text())
    again = bundle.exchanges[0].answered.content({})
    assert len(again) == len(content)
    assert again != content
    same = [(a, b) for a, b in zip(again, content, strict=True) if not chr(b).isalpha()]
    assert all(a == b or b > 127 for a, b in same)
    assert bundle.exchanges[0].answered.headers == {"Content-Type": kind}


def tape(*asked: Asked) -> Tape:
    return Tape(Recorded(a, Answered(200, {}, str(n), "utf-8")) for n, a in enumerate(asked))


def body(found: Answered | None) -> str | None:
    return found and found.body


def test_equal_requests_get_their_answers_in_turn_and_then_the_last_again() -> None:
    asked = Asked("GET", "BASE", "/poll")
    played = tape(asked, asked)
    assert [body(played.answer(asked)) for _ in range(4)] == ["0", "1", "1", "1"]


def test_a_request_that_differs_in_its_times_alone_gets_the_answer_of_its_like() -> None:
    days = [Asked("GET", "BASE", "/calls", (("to", f"2026-01-0{n}"),)) for n in (1, 2)]
    played = tape(*days)
    assert body(played.answer(days[1])) == "1"
    assert body(played.answer(replace(days[0], query=(("to", "2027-03-04"),)))) == "0"
    assert played.answer(replace(days[0], query=(("until", "2027-03-04"),))) is None


def test_a_body_is_compared_without_blanks_and_without_a_clients_own_token() -> None:
    sent = Asked("POST", "", "", body='{"a": 1, "b": [2]}', operation="Start")
    played = tape(sent)
    again = replace(sent, base="BASE", body='{"b":[2],"a":1,"ClientRequestToken":"x"}')
    assert body(played.answer(again)) == "0"
    assert played.answer(replace(again, operation="Stop")) is None


def test_every_crm_says_how_it_is_recorded_or_why_not() -> None:
    for crm in crms().values():
        assert crm.not_recorded.endswith(".") or not crm.not_recorded
        assert not (crm.steering and crm.not_recorded)
