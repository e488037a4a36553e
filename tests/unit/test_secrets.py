"""Secrets are found in parameters and masked in texts."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from collections import Counter
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

import pytest
from django.test import override_settings

from ingestion.services.security.secrets import (
    MASK,
    find_secret,
    is_secret_name,
    known_secrets,
    mask,
    mask_error,
    mask_json,
)
from ingestion.sync.common.registry import crms


@pytest.fixture(autouse=True)
def _read_anew() -> Iterator[None]:
    """A process reads its secrets once; these tests change the environment of one that runs."""
    known_secrets.cache_clear()
    yield
    known_secrets.cache_clear()


class Counted(dict[str, str]):
    """Settings that know how often each was read."""

    def __init__(self) -> None:
        self.reads: Counter[str] = Counter()

    def get(self, name: str, default: object = None) -> None:
        self.reads[name] += 1


def test_every_setting_is_read_once_in_a_process() -> None:
    counted = Counted()
    with override_settings(INGESTION_CRM_ENVIRONMENT=counted):
        for text in ("one", "two", "three"):
            mask(text)
    assert set(counted.reads.values()) == {1}


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("redis://:s3cretpw@127.0.0.1:6379/1 refused", "s3cretpw"),
        ("postgresql://ann:p%40ss-word@db/x", "p%40ss-word"),
        ("Authorization: Bearer abcdef0123456789", "abcdef0123456789"),
        ("GET /x?api_key=0123456789abcdef&page=2", "0123456789abcdef"),
        ('{"password": "hunter2222"}', "hunter2222"),
        ("{'client_secret': 'hunter2222'}", "hunter2222"),
        ("token=abcd1234", "abcd1234"),
        ("pat-na1-01234567-89ab-cdef-0123-456789abcdef", "01234567-89ab"),
        ("key AKIAIOSFODNN7EXAMPLE was refused", "AKIAIOSFODNN7EXAMPLE"),
        ("eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.abc-def_1", "eyJzdWIiOiIxMjM0"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "MIIE"),
        ("-----BEGIN PRIVATE KEY-----\\nMIIE cut off", "MIIE"),
        ("-----BEGIN PGP PRIVATE KEY BLOCK-----\nlQHY\n", "lQHY"),
        ("password=a1", "a1"),
        ('{"password": "two words"}', "words"),
        (r'{"password": "with \" quote"}', "quote"),
        (r"said {\"api_key\": \"hunter2222\"}", "hunter2222"),
        ('{"tokens": ["first1", "second"]}', "second"),
        ("{'credentials': {'user': 'ann', 'pw': 'x'}}", "'x'"),
        ("login(user='ann', password='hun ter')", "ter"),
        ("<ns:password>hunter2222</ns:password>", "hunter2222"),
        ('<Password Type="Text">hunter2222</Password>', "hunter2222"),
        ("Driver=x;UID=sa;PWD=hunter;", "hunter"),
        ("X-Auth-Key: hunter2222", "hunter2222"),
        ("{'X-Auth-Token': b'hunter2222'}", "hunter2222"),
        ("[('X-Api-Key', 'hunter2222')]", "hunter2222"),
        ("Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("{'Authorization': 'Basic dXNlcjpwYXNz'}", "dXNlcjpwYXNz"),
        ("[('Authorization', 'Basic dXNlcjpwYXNz')]", "dXNlcjpwYXNz"),
        ('Authorization: Token token="abc"', "abc"),
        ('Authorization: Digest username="ann", response="6629fae4"', "6629fae4"),
        ("Authorization: 1a2b3c", "1a2b3c"),
        ("Cookie: sessionid=aaa; csrftoken=bbb\nHost: x", "bbb"),
        ("GET https://h/x?a=1&sig=c2lnbg&b=2", "c2lnbg"),
        ("https://s3/x?X-Amz-Signature=0badc0de&z=1", "0badc0de"),
        ("https://maps/x?key=AbCd12", "AbCd12"),
        ("url=https%3A%2F%2Fann%3Ahunter2222%40h", "hunter2222"),
        ("body: a=1&password%3Dhunter2222", "hunter2222"),
        ("mysql://ann:p/a@ss@h/x", "ss"),
        ("redis://:one11@h1:1 redis://:two22@h2:2", "two22"),
    ],
)
def test_masks_what_looks_like_a_credential(text: str, secret: str) -> None:
    assert secret not in mask(text)
    assert MASK in mask(text)


@pytest.mark.parametrize(
    "text",
    [
        "HubSpot answered 429 to GET /crm/v3/objects/deals; wait 10 s.",
        "task 3f2a attempt 1 sent as ingestion.tasks.sync_five9_contacts",
        "http://127.0.0.1:8100/hubspot/crm/v3?after=200",
        "2026-11-21T21:10:51+00:00",
        "password is missing: set HUBSPOT_ACCESS_TOKEN in .env",
        "HUBSPOT_ACCESS_TOKEN: set it in .env",
        "FIVE9_PASSWORD=",
        '{"password": "", "token": null}',
        "Five9 refused the Basic authentication of this user",
        'FATAL: password authentication failed for user "postgres"',
        "GET http://127.0.0.1:8100/users/@me failed",
        "the worker celery@host:12 stopped",
        "",
    ],
)
def test_leaves_ordinary_texts_alone(text: str) -> None:
    assert mask(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "password=hunter2222 at redis://a:b1234567@h",
        "Authorization: Bearer abcdef0123456789 was refused",
        "Authorization: Digest a, b",
        'Cookie: "a=b"; tokens: ["x", "y"]',
        "<token>abc</token>",
    ],
)
def test_masking_twice_changes_nothing_more(text: str) -> None:
    once = mask(text)
    assert once != text
    assert mask(once) == once


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("password=a1 for ann", f"password={MASK} for ann"),
        ("a password=a", f"a password={MASK}"),
        ("Authorization: Bearer abcdef01 got 401", f"Authorization: Bearer {MASK} got 401"),
        ("a=1&token=abcd&page=2", f"a=1&token={MASK}&page=2"),
        ("postgresql://ann:pw@db:5432/x", f"postgresql://ann:{MASK}@db:5432/x"),
    ],
)
def test_masks_no_more_than_the_secret(text: str, left: str) -> None:
    assert mask(text) == left


def secret_setting() -> str:
    return next(s.name for crm in crms().values() for s in crm.settings if s.secret)


def test_masks_the_value_of_every_secret_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(secret_setting(), "correct-horse")
    assert mask("said correct-horse and left") == f"said {MASK} and left"


def test_masks_the_longer_of_two_values_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(secret_setting(), "correct-horse-battery")
    with override_settings(SECRET_KEY="correct-horse"):
        assert mask("correct-horse-battery") == MASK


SECRET = "c0rrect/horse+ä b"


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        f"x{SECRET}y",
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET).lower(),
        json.dumps({"a": SECRET}),
        repr([SECRET]),
        *(
            b64encode(f"{user}{SECRET}{end}".encode()).decode()
            for user in ("", "a:", "an:", "ann:")
            for end in ("", "!")
        ),
        urlsafe_b64encode(f":{SECRET}".encode()).decode(),
    ],
)
def test_masks_a_known_value_however_it_is_written(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv(secret_setting(), SECRET)
    masked = mask(f"got {text} here")
    assert MASK in masked
    assert len(masked) < len(f"got {text} here") - len(SECRET) + 12


def test_masks_a_word_only_where_it_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(secret_setting(), "contact")
    assert mask("hubspot.contacts: contact") == f"hubspot.contacts: {MASK}"
    assert mask(r"a\ncontact %3Acontact") == rf"a\n{MASK} %3A{MASK}"


def test_a_short_value_masks_no_ordinary_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(secret_setting(), "test")
    assert mask("a test") == "a test"
    assert mask("password=test") == f"password={MASK}"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:postgres@db/x",
        "postgresql://ledger:ledger@db/ledger",
        "postgresql://ann:dbhost@dbhost/x",
    ],
)
def test_a_password_that_is_public_masks_no_names(url: str) -> None:
    with override_settings(INGESTION_DATABASE_URL=url):
        text = "postgresql says: no database ledger for postgres at dbhost"
        assert mask(text) == text
        assert mask(url).count(MASK) == 1


def test_knows_the_passwords_of_its_own_urls() -> None:
    with override_settings(INGESTION_CACHE_URL="redis://:c%40che-pw@h/1", SECRET_KEY="django-key"):
        assert {"c%40che-pw", "c@che-pw", "django-key"} <= set(known_secrets())


def test_knows_the_passwords_among_the_options_of_its_urls() -> None:
    url = "redis+sentinel://:of-redis-1@h:1,i/master/0?socket_keepalive=1&sentinel_password=its%20own-1"
    with override_settings(INGESTION_CACHE_URL=url):
        assert {"of-redis-1", "its own-1", "its%20own-1"} <= set(known_secrets())


def test_knows_a_password_that_is_not_quoted_for_its_url() -> None:
    with override_settings(INGESTION_CACHE_URL="redis://:half/quoted@h/1"):
        assert mask("Port could not be cast: half/quoted") == f"Port could not be cast: {MASK}"


def test_knows_the_parts_of_a_key_with_several_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG\nAQEFAASCBKcwggSj\n-----END"
    monkeypatch.setenv(secret_setting(), json.dumps({"id": "robot-7", "private_key": key}))
    assert mask("line MIIEvQIBADANBgkqhkiG of robot-7") == f"line {MASK} of robot-7"


def test_masks_json_without_breaking_it() -> None:
    value = {
        "api_key": "x",
        "tokens": ["a", 1],
        "auth": {"user": "ann", "password": ""},
        "urls": ["redis://a:b1@h"],
        "count": 3,
        "token=abcd1234": None,
    }
    assert mask_json(value) == {
        "api_key": MASK,
        "tokens": [MASK, 1],
        "auth": {"user": "ann", "password": ""},
        "urls": [f"redis://a:{MASK}@h"],
        "count": 3,
        f"token={MASK}": None,
    }


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "PASSWORD",
        "db_passwd",
        "api_key",
        "apiKey",
        "apikey",
        "x-api-key",
        "accessToken",
        "access_token",
        "client_secret",
        "Authorization",
        "private_key",
        "credentials",
        "dbpassword",
        "password2",
        "signing-key",
        "refreshtoken",
        "jwt",
    ],
)
def test_knows_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "full",
        "start_date",
        "max_records",
        "batch_size",
        "mode",
        "tokenizer",
        "secretary",
        "keys",
        "pass_",
    ],
)
def test_knows_names_that_are_none(name: str) -> None:
    assert is_secret_name(name) == (name == "pass_")


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"auth": {"password": "x"}}, "auth.password"),
        ({"urls": ["http://h", "http://a:b12345@h"]}, "urls[1]"),
        ({"note": "Bearer abcdef0123456789"}, "note"),
        ({"note": '{"inner": {"password": "x"}}'}, "note"),
        ({"a": [{"b": {"token": 5}}]}, "a[0].b.token"),
        ({"auth": ["ann", "x"]}, "auth"),
        ({"headers": {"X-Auth-Key": "x"}}, "headers.X-Auth-Key"),
        ({"source": "https://h/x?sig=abc"}, "source"),
        ({"note": "Basic authentication"}, None),
        ({"token=abcd1234": 1}, "token=abcd1234"),
        ({"password": None}, None),
        ({"full": True, "start_date": "2026-01-01"}, None),
        ({}, None),
    ],
)
def test_says_where_a_secret_stands(value: object, place: str | None) -> None:
    assert find_secret(value) == place


class TestLongTexts:
    """To look for secrets in megabytes takes minutes, and a worker's slot as long."""

    def test_the_beginning_is_read_and_the_rest_is_not_kept(self) -> None:
        text = f"HTTP 500: password=hunter2222 {'<td>' * 1_250_000}"
        masked = mask_error(text)
        assert masked.startswith("HTTP 500: password=*** <td><td>")
        assert len(masked) <= 20_000

    @pytest.mark.parametrize("before", range(17_970, 20_010, 7))
    def test_no_half_of_a_secret_is_left_at_the_end(self, before: int) -> None:
        text = (
            f"{'a ' * (before // 2)}Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.abc.def {'z' * 9999}"
        )
        assert "eyJ" not in mask_error(text)

    def test_a_short_text_is_read_to_its_end(self) -> None:
        assert mask_error("token=abcdefgh12345") == mask("token=abcdefgh12345")
