"""Who is told what and when: with a real webhook and a real SMTP server."""

from __future__ import annotations

import io
import json
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from pytest_httpserver import HTTPServer

from ingestion.models import AuditRecord, Delivery, SyncHistory, Trouble
from ingestion.pool.change import ChangeRequest
from ingestion.pool.store import Outcome
from ingestion.pool.task import TaskStatus
from ingestion.services.breakers import breaker
from ingestion.services.notices import channels, deliveries, rounds, troubles
from ingestion.services.worker_pool import WorkerPoolService
from ingestion.signals import trouble_began, trouble_ended
from tests.smtp_server import smtp_server
from tests.unit.notices.conftest import NOON
from tests.unit.people import browser, member
from tests.unit.schedules.given import made

SECRET = "xoxb-3847-secret-word"


def ran(
    status: str = "failed", crm: str = "hubspot", model: str = "deals", **named: Any
) -> SyncHistory:
    at = datetime.now(NOON.tzinfo)
    if status == "failed":
        named.setdefault("error_message", "HubSpot answered 500.")
        named.setdefault("error_class", "permanent")
    return SyncHistory.objects.create(
        crm_source=crm, sync_type=model, status=status, start_time=at, end_time=at, **named
    )


@pytest.fixture
def look(pool: WorkerPoolService, clock: time_machine.Coordinates) -> Any:
    """A round after so many minutes."""

    def after(minutes: float = 1) -> rounds.Round:
        clock.shift(timedelta(minutes=minutes))
        pool.worker_tick("celery@test", capacity=4)
        pool.store.note_monitor_round()
        return rounds.look(pool)

    return after


@pytest.fixture
def hook(httpserver: HTTPServer, settings: Any) -> HTTPServer:
    """A channel that takes everything."""
    httpserver.expect_request(f"/{SECRET}", method="POST").respond_with_data("thanks")
    address = f"json://{httpserver.host}:{httpserver.port}/{SECRET}"
    settings.INGESTION_NOTICE_CHANNELS = {"ops": address}
    settings.INGESTION_SITE_URL = "https://warehouse.example.com/"
    return httpserver


def received(server: HTTPServer) -> list[tuple[str, str]]:
    """Title and text of each message."""
    bodies = [json.loads(request.get_data()) for request, _ in server.log]
    return [(body["title"], body["message"]) for body in bodies]


def titles(server: HTTPServer) -> list[str]:
    return [title for title, _ in received(server)]


class TestFailures:
    def test_fifty_of_one_crm_are_one_notice_and_one_when_it_is_over(
        self, look: Any, hook: HTTPServer
    ) -> None:
        for number in range(50):
            ran(model=f"model_{number}")
        look()
        look()
        assert titles(hook) == ["Sync failed: hubspot"]
        assert Trouble.objects.get().count == 50
        for number in range(50):
            ran("success", model=f"model_{number}")
        look()
        look()
        assert titles(hook) == ["Sync failed: hubspot", "Over: Sync failed: hubspot"]

    def test_links_to_the_run_and_says_why(self, look: Any, hook: HTTPServer) -> None:
        run = ran()
        look()
        ((_, text),) = received(hook)
        assert "HubSpot answered 500." in text
        assert f"https://warehouse.example.com/history/{run.pk}/" in text

    def test_refused_credentials_are_a_trouble_of_their_own(
        self, look: Any, hook: HTTPServer
    ) -> None:
        ran(error_class="credentials", error_message="HubSpot refused the credentials (401).")
        ran(model="contacts")
        look()
        assert sorted(titles(hook)) == ["Credentials refused: hubspot", "Sync failed: hubspot"]

    def test_a_trial_run_tells_nobody(self, look: Any, hook: HTTPServer) -> None:
        ran(configuration={"parameters": {"dry_run": True}})
        look()
        assert titles(hook) == []

    def test_rejected_records_are_told_once(self, look: Any, hook: HTTPServer) -> None:
        ran("partial", records_failed=3)
        look()
        ran("partial", records_failed=4)
        look()
        assert titles(hook) == ["Records rejected: hubspot"]
        ran("success")
        look()
        assert titles(hook)[1:] == ["Over: Records rejected: hubspot"]


class TestBreakers:
    def test_ten_minutes_of_500s_are_two_notices(
        self, pool: WorkerPoolService, look: Any, hook: HTTPServer, clock: time_machine.Coordinates
    ) -> None:
        made(model_name="deals", every=5)
        down = Outcome(TaskStatus.FAILED, "HubSpot answered 500.", {"error_class": "transient"})
        for _ in range(2):
            ran(error_class="transient")
            breaker.judge(pool, "hubspot", down)
            look()
        for _ in range(8):
            look()
        assert titles(hook) == ["CRM left in peace: hubspot"]
        look(10)
        ran("success")
        breaker.judge(pool, "hubspot", Outcome(TaskStatus.COMPLETED))
        look()
        look()
        assert titles(hook)[1:] == ["Over: CRM left in peace: hubspot"]

    def test_a_failure_that_passes_is_told_to_nobody(self, look: Any, hook: HTTPServer) -> None:
        ran(error_class="timeout")
        look()
        ran("success")
        look()
        assert titles(hook) == []

    def test_one_that_does_not_pass_is_told(self, look: Any, hook: HTTPServer) -> None:
        ran(error_class="timeout")
        look()
        look(3)
        assert titles(hook) == ["Sync failed: hubspot"]


class TestParts:
    def test_a_broken_promise_is_told_with_its_reason(self, look: Any, hook: HTTPServer) -> None:
        made(model_name="deals", every=10)
        look(1)
        look(30)
        ((title, text),) = received(hook)
        assert title == "Data is late: hubspot"
        assert "No run was recorded yet" in text

    def test_workers_that_come_back_soon_are_told_to_nobody(
        self, pool: WorkerPoolService, look: Any, hook: HTTPServer, clock: time_machine.Coordinates
    ) -> None:
        pool.worker_gone("celery@test")
        rounds.look(pool)
        assert Trouble.objects.get().kind == "no_workers"
        look(1)
        assert titles(hook) == []

    def test_workers_that_stay_away_are_told(
        self, pool: WorkerPoolService, look: Any, hook: HTTPServer, clock: time_machine.Coordinates
    ) -> None:
        pool.worker_gone("celery@test")
        for _ in range(4):
            rounds.look(pool)
            clock.shift(timedelta(seconds=40))
        assert titles(hook) == ["No worker online"]
        look()
        assert titles(hook)[1:] == ["Over: No worker online"]

    def test_a_full_disk_is_told(
        self, look: Any, hook: HTTPServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(troubles, "_free_space", lambda: (100_000_000, 500_000_000_000))
        look()
        assert titles(hook) == ["Disk nearly full"]


class TestDelivery:
    def test_a_mail_arrives(self, look: Any, settings: Any) -> None:
        with smtp_server() as mailbox:
            settings.INGESTION_NOTICE_CHANNELS = {
                "mail": f"mailto://127.0.0.1:{mailbox.port}/?from=dw@example.com"
                "&to=ann@example.com&mode=insecure"
            }
            ran()
            look()
            (message,) = mailbox.messages
        assert message["Subject"] == "Sync failed: hubspot"
        assert "ann@example.com" in message["To"]
        assert Delivery.objects.get().state == "sent"

    def test_is_tried_again_and_then_given_up(
        self, look: Any, httpserver: HTTPServer, hook: HTTPServer
    ) -> None:
        httpserver.clear()
        httpserver.expect_request(f"/{SECRET}").respond_with_data("no", status=500)
        ran()
        look()
        found = Delivery.objects.get()
        assert (found.state, found.attempts) == ("waiting", 1)
        assert found.next_at == datetime.now(NOON.tzinfo) + timedelta(minutes=1)
        for minutes in (1, 5, 15, 60, 240):
            look(minutes)
        found.refresh_from_db()
        assert (found.state, found.attempts, len(httpserver.log)) == ("failed", 6, 6)
        assert SECRET not in found.error

    def test_a_level_too_low_is_not_told(self, look: Any, hook: HTTPServer) -> None:
        channels.set_channel("ops", {"level": "error"}, change=ChangeRequest(by="ann"))
        ran("partial", records_failed=3)
        look()
        assert titles(hook) == []
        assert AuditRecord.objects.get(action="notice_channel").actor == "ann"

    def test_quiet_hours_are_told_afterwards(self, look: Any, hook: HTTPServer) -> None:
        quiet = {"quiet_from": "11:00", "quiet_until": "13:00"}
        channels.set_channel("ops", quiet)
        ran()
        look()
        assert titles(hook) == []
        look(61)
        assert titles(hook) == ["Sync failed: hubspot"]

    def test_what_is_over_within_quiet_hours_is_not_told_at_all(
        self, look: Any, hook: HTTPServer
    ) -> None:
        channels.set_channel("ops", {"quiet_from": "22:00", "quiet_until": "13:00"})
        ran()
        look()
        ran("success")
        look()
        look(90)
        assert titles(hook) == []
        assert Delivery.objects.get().state == "dropped"

    @pytest.mark.parametrize(
        ("at", "end"),
        [("21:59", None), ("22:00", "07:00"), ("06:59", "07:00"), ("07:00", None)],
    )
    def test_quiet_hours_may_lie_over_midnight(self, at: str, end: str | None) -> None:
        found = channels.Channel(
            "ops",
            "json://x",
            quiet_from=channels._time("22:00"),
            quiet_until=channels._time("07:00"),
        )
        moment = datetime.fromisoformat(f"2026-03-02T{at}:00+00:00")
        ends = found.quiet_end(moment)
        assert (f"{ends:%H:%M}" if ends else None) == end
        assert ends is None or timedelta(0) < ends - moment <= timedelta(hours=9)

    def test_a_test_goes_out_whatever_the_level(
        self, pool: WorkerPoolService, hook: HTTPServer
    ) -> None:
        channels.set_channel("ops", {"level": "critical", "enabled": False})
        assert deliveries.send_test("ops").state == "sent"
        assert titles(hook) == ["A test of the data warehouse"]


class TestOthers:
    def test_one_process_looks_at_a_time(self, look: Any, pool: WorkerPoolService) -> None:
        look()
        ran()
        assert rounds.look(pool) == rounds.Round()
        assert not Trouble.objects.exists()

    def test_apps_of_the_project_get_signals(self, look: Any) -> None:
        seen: list[tuple[str, str]] = []

        def began(trouble: Trouble, **_: Any) -> None:
            seen.append(("began", trouble.kind))

        def ended(trouble: Trouble, **_: Any) -> None:
            seen.append(("ended", trouble.kind))

        trouble_began.connect(began)
        trouble_ended.connect(ended)
        ran()
        look()
        ran("success")
        look()
        assert seen == [("began", "sync_failed"), ("ended", "sync_failed")]

    def test_a_dead_mans_switch_is_told_of_each_round(
        self, pool: WorkerPoolService, httpserver: HTTPServer, settings: Any
    ) -> None:
        assert rounds.ping() is None
        httpserver.expect_request("/ping/1234").respond_with_data("OK")
        settings.INGESTION_MONITOR_PING_URL = httpserver.url_for("/ping/1234")
        assert rounds.ping() is True
        settings.INGESTION_MONITOR_PING_URL = "http://127.0.0.1:9/ping/1234"  # nobody listens there
        assert rounds.ping() is False

    def test_no_address_is_shown(self, look: Any, hook: HTTPServer) -> None:
        ran()
        look()
        client = browser(member("Administrators"))
        for path in ("/notices/", "/api/notices", "/settings/", "/audit/"):
            page = client.get(path).content.decode()
            assert SECRET not in page
        assert "Sync failed: hubspot" in client.get("/notices/").content.decode()

    def test_the_page_is_set_by_those_who_may_configure(
        self, pool: WorkerPoolService, hook: HTTPServer
    ) -> None:
        args = {"data": {"level": "error", "quiet_from": "22:00", "quiet_until": "07:00"}}
        path = "/api/notices/channels/ops"
        json_type = "application/json"
        viewer = browser(member("Viewers"))
        assert viewer.patch(path, **args, content_type=json_type).status_code == 403
        admin = browser(member("Administrators", "bob"))
        answer = admin.patch(path, **args, content_type=json_type).json()
        assert (answer["level"], answer["quiet_from"]) == ("error", "22:00")
        wrong = admin.patch(path, data={"timezone": "Mars"}, content_type=json_type)
        assert (wrong.status_code, wrong.json()["error"]["code"]) == (422, "INVALID_CHANNEL")
        missing = admin.patch("/api/notices/channels/x", data={}, content_type=json_type)
        assert missing.status_code == 404
        tested = admin.post(f"{path}/test", data={}, content_type=json_type).json()
        assert tested["delivery"]["state"] == "sent"


class TestCommand:
    def said(self, *words: str) -> str:
        out = io.StringIO()
        call_command("manage_notices", *words, stdout=out)
        return out.getvalue()

    def test_lists_troubles_and_channels(self, look: Any, hook: HTTPServer) -> None:
        ran()
        look()
        said = self.said("list")
        assert "hubspot: the last sync of deals failed: HubSpot answered 500." in said
        assert "channel ops (json): from warning on" in said
        assert json.loads(self.said("list", "--json"))["open"][0]["kind"] == "sync_failed"
        assert "ops sent after 1: Sync failed: hubspot" in self.said("log")

    def test_a_test_that_is_not_taken_fails(
        self, pool: WorkerPoolService, settings: Any, hook: HTTPServer
    ) -> None:
        assert "ops sent" in self.said("test")
        settings.INGESTION_NOTICE_CHANNELS = {"away": "json://127.0.0.1:9/"}  # nobody listens there
        with pytest.raises(CommandError, match="away did not take it"):
            self.said("test", "away")

    def test_sets_a_channel(self, pool: WorkerPoolService, hook: HTTPServer) -> None:
        said = self.said("set", "ops", "--quiet-from", "22:00", "--quiet-until", "07:00")
        assert "quiet 22:00 to 07:00 UTC" in said
        with pytest.raises(CommandError, match="no channel 'x'"):
            self.said("set", "x", "--off")
