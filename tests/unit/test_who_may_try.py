"""Logins and tokens that are tried again and again, and whose address counts."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from django.test import Client

from data_warehouse.known_secrets import is_well_known, well_known_in_urls
from ingestion.pool.change import ChangeRequest
from ingestion.services.infra import request_rates
from ingestion.services.security import api_tokens
from ingestion.services.security.addresses import client_address
from tests.unit.people import PASSWORD, member
from tests.unit.pool_shell import pool_in_memory

HERE, THERE, PROXY = "203.0.113.5", "203.0.113.6", "10.0.0.9"


@pytest.fixture(autouse=True)
def nobody_has_tried(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """However slow the machine is, no test lasts longer than the window."""
    monkeypatch.setattr(request_rates, "WINDOW_SECONDS", 3600)
    request_rates.forget_failures()
    yield
    request_rates.forget_failures()


def log_in(name: str, password: str, *, address: str = HERE, **headers: str) -> int:
    sent = {"username": name, "password": password}
    return Client(REMOTE_ADDR=address, headers=headers).post("/login/", sent).status_code


class TestLogin:
    def test_thirty_names_from_one_address_lock_that_address(self) -> None:
        member("Viewers")
        answers = [log_in(f"name{n}", "Summer2026") for n in range(30)]
        assert answers == [200] * 20 + [429] * 10
        assert log_in("ann", PASSWORD) == 429
        assert log_in("ann", PASSWORD, address=THERE) == 302

    def test_of_ipv6_the_whole_network_counts(self) -> None:
        answers = [log_in(f"n{n}", "x", address=f"2001:db8::{n:x}") for n in range(22)]
        assert answers[-2:] == [429, 429]
        assert log_in("n", "x", address="2001:db8:1::1") == 200

    def test_behind_a_trusted_proxy_one_cannot_lock_out_all(self, settings: Any) -> None:
        settings.INGESTION_TRUSTED_PROXIES = [ip_network(PROXY)]
        member("Viewers")
        for n in range(25):
            last = log_in(f"n{n}", "x", address=PROXY, **{"X-Forwarded-For": f"1.1.1.1, {HERE}"})
        assert last == 429
        assert log_in("ann", PASSWORD, address=PROXY, **{"X-Forwarded-For": THERE}) == 302

    def test_a_header_that_nobody_vouches_for_changes_nothing(self) -> None:
        answers = [
            log_in(f"n{n}", "x", **{"X-Forwarded-For": f"198.51.100.{n}"}) for n in range(21)
        ]
        assert answers[-1] == 429

    def test_may_be_left_to_others(self, settings: Any) -> None:
        settings.INGESTION_LOGIN_FAILURES_PER_ADDRESS = 0
        assert {log_in(f"n{n}", "x") for n in range(25)} == {200}


class TestTokens:
    def ask(self, token: str, *, address: str = HERE) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return Client(REMOTE_ADDR=address, headers=headers).get("/api/status").status_code

    def test_four_hundred_made_up_ones_are_refused_without_being_looked_up(
        self, django_assert_num_queries: Any
    ) -> None:
        answers = [self.ask(f"dw_{n}") for n in range(400)]
        assert answers == [401] * request_rates.MOST_FAILURES + [429] * 380
        with django_assert_num_queries(0):
            self.ask("dw_another")
        assert self.ask("dw_other", address=THERE) == 401

    def test_do_not_lock_out_one_that_is_known(self) -> None:
        change = ChangeRequest(by="ann")
        made = api_tokens.create("robot", scope="read", expires_at=None, change=change)
        with pool_in_memory():
            assert self.ask(made.secret) == 200
            for n in range(30):
                self.ask(f"dw_{n}")
            assert self.ask(made.secret) == 200
            api_tokens.revoke("robot", change=change)
            assert self.ask(made.secret) == 401

    def test_what_is_remembered_has_an_end(self) -> None:
        for n in range(request_rates.MOST_CALLERS + 10):
            request_rates.note_failure(f"198.51.{n}")
        assert len(request_rates._failures) == request_rates.MOST_CALLERS


@pytest.mark.parametrize(
    ("connected", "forwarded", "found"),
    [
        (HERE, "", HERE),
        (HERE, "1.2.3.4", HERE),
        (PROXY, "1.2.3.4", "1.2.3.4"),
        (PROXY, "6.6.6.6, 1.2.3.4", "1.2.3.4"),
        (PROXY, "6.6.6.6, 1.2.3.4, 10.0.0.7", "1.2.3.4"),
        (PROXY, "nonsense", PROXY),
        (PROXY, "", PROXY),
        ("::ffff:10.0.0.9", "2001:db8::1", "2001:db8::1"),
        ("", "1.2.3.4", ""),
    ],
)
def test_the_client_is_whom_a_trusted_proxy_saw(connected: str, forwarded: str, found: str) -> None:
    assert client_address(connected, forwarded, proxies=[ip_network("10.0.0.0/8")]) == found


@pytest.mark.parametrize(
    ("secret", "is_known"),
    [
        ("django-insecure-x8f7s6df87s6df8s7d6f8s7d6f87sd6f", True),
        ("only-for-collecting-static-files-while-building", True),
        ("a" * 50, True),
        ("changeme", True),
        ("Change-Me-please-change-me-please-change", True),
        ("Jx0T1qW7c8b-lkU3hYv_5rA9sDfGhJkL", False),
        ("correct horse battery staple", False),
    ],
)
def test_secrets_that_everybody_knows(secret: str, is_known: bool) -> None:
    assert is_well_known(secret) is is_known


def test_a_url_with_such_a_password_is_named() -> None:
    urls = {"DATABASE_URL": "postgresql://u:changeme@h/n", "CACHE_URL": "redis://h:6379/1"}
    assert well_known_in_urls(urls) == ["DATABASE_URL"]
