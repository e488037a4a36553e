"""What ``up`` makes of the settings: sandbox or the real CRM, what is wrong, ports and login."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.test import RequestFactory

from data_warehouse.environment import BASE_DIR
from ingestion.installation_conf import SystemConf
from ingestion.models import PoolSetting
from ingestion.services.system import crms, plan, ports, problems
from ingestion.services.system.login import ensure_login, ensure_secret
from ingestion.services.system.processes import StartFailed
from ingestion.services.tasks import limits


def conf(tmp_path: Path, **configured: str) -> SystemConf:
    return SystemConf(
        base_dir=BASE_DIR,
        var_dir=tmp_path,
        log_dir=tmp_path,
        is_production=False,
        broker_url="",
        warehouse_url=f"sqlite:///{tmp_path}/warehouse/w.sqlite3",
        worker_concurrency=12,
        worker_shutdown_seconds=20,
        max_workers=2,
        log_level="INFO",
        setting_names=("MAX_SYNC_WORKERS",),
        dotenv_names=tuple(configured),
        configured=lambda name: configured.get(name, ""),
    )


def test_a_crm_with_a_credential_is_not_played(tmp_path: Path) -> None:
    played = crms.sandboxed_crms(conf(tmp_path, HUBSPOT_ACCESS_TOKEN="secret"))

    assert "hubspot" not in played
    assert "genius" in played


def test_a_sandbox_that_cannot_be_asked_stops_the_start(tmp_path: Path) -> None:
    without_manage = replace(conf(tmp_path), base_dir=tmp_path)

    with pytest.raises(StartFailed, match=r"(?s)cannot name its CRMs.*manage\.py"):
        crms.sandboxed_crms(without_manage)


def test_sandbox_settings_never_mix_with_an_operators_own(tmp_path: Path) -> None:
    of_sandbox = {
        "HUBSPOT_BASE_URL": "http://127.0.0.1:1/hubspot",
        "HUBSPOT_ACCESS_TOKEN": "made-up",
        "GENIUS_DATABASE_URL": "sqlite:///genius",
    }

    left = crms.without_operators(of_sandbox, conf(tmp_path, HUBSPOT_BASE_URL="https://proxy"))

    assert left == {"GENIUS_DATABASE_URL": "sqlite:///genius"}


@pytest.mark.django_db
def test_a_crm_configured_in_part_is_a_problem_that_names_the_rest(tmp_path: Path) -> None:
    with pytest.raises(problems.WrongSettings, match=r"Five9 .* set FIVE9_PASSWORD as well"):
        problems.check(conf(tmp_path, FIVE9_USERNAME="somebody"))


@pytest.mark.django_db
def test_nothing_configured_is_fine(tmp_path: Path) -> None:
    problems.check(conf(tmp_path))


def test_a_name_that_nobody_reads_is_named_with_what_was_meant(tmp_path: Path) -> None:
    found = list(problems.unknown_names(conf(tmp_path, MAX_SYNC_WORKER="3", QQ="x")))

    assert found == [
        "MAX_SYNC_WORKER in .env is no setting of this system; did you mean MAX_SYNC_WORKERS?",
        "QQ in .env is no setting of this system.",
    ]


@pytest.mark.parametrize(("kept", "expected"), [(None, 12), (5, 12), (20, 22)])
@pytest.mark.django_db
def test_the_worker_has_processes_to_spare(tmp_path: Path, kept: int | None, expected: int) -> None:
    if kept:
        PoolSetting.objects.create(name=limits.NAME, value=kept)

    assert plan.concurrency(conf(tmp_path)) == expected


def test_two_clones_have_workers_of_different_names(tmp_path: Path) -> None:
    assert plan.worker_name(conf(tmp_path / "a")) != plan.worker_name(conf(tmp_path / "b"))


def test_the_next_free_port_is_taken_when_the_usual_one_is_in_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server((ports.HOST, 0)) as taken:
        usual = taken.getsockname()[1]
        monkeypatch.setattr(ports, "USUAL_PORT", usual)
        with ports.listen(None) as found:
            assert found.getsockname()[1] != usual


def test_a_port_that_was_asked_for_and_is_in_use_is_an_error_with_the_cure() -> None:
    with socket.create_server((ports.HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ports.PortTaken, match=rf"Port {port} cannot be had .* another --port"):
            ports.listen(port)


@pytest.mark.django_db
def test_the_login_is_made_once_and_works(tmp_path: Path) -> None:
    first = ensure_login(tmp_path)
    second = ensure_login(tmp_path)

    assert (first.is_new, second.is_new) == (True, False)
    request = RequestFactory().get("/login/")
    assert authenticate(request, username=first.user, password=first.password) is not None
    assert f"password: {first.password}" in (tmp_path / "operator-login").read_text()
    assert (second.path, second.password) == (tmp_path / "operator-login", "")


@pytest.mark.django_db
def test_a_new_ledger_keeps_the_login_of_the_old_one(tmp_path: Path) -> None:
    first = ensure_login(tmp_path)
    get_user_model().objects.all().delete()

    assert ensure_login(tmp_path).password == first.password


@pytest.mark.django_db
def test_operators_with_accounts_of_their_own_get_no_other(tmp_path: Path) -> None:
    get_user_model().objects.create_superuser("ada", password="x")

    login = ensure_login(tmp_path)

    assert (login.path, login.is_new) == (None, False)
    assert get_user_model().objects.count() == 1


def test_a_secret_stays_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "secret"

    assert ensure_secret(path) == ensure_secret(path)
    assert path.stat().st_mode & 0o777 == 0o600
