"""Half an hour of the 38 standard schedules on two worker hosts, made short; one is cut off in the middle
and comes back. make deployment"""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest

from ingestion.services.scheduling.standard import STANDARD
from sandbox.serving.server import SandboxServer
from tests.deployment.conftest import RESULTS, NewSite
from tests.deployment.figures import Figures
from tests.deployment.hosts import Host, wait_for
from tests.deployment.site import LEASE_SECONDS, WORKERS, Site, seen_from
from tests.deployment.test_site import Note
from tests.deployment.windows import Window, overlaps, windows
from tests.e2e.crowd import (
    EVERY_SECONDS,
    TURNS,
    assert_no_limit_passed,
    budgets,
    slow_crms,
    usual_limits,
)

pytestmark = pytest.mark.deployment

SLOTS = 4
LONGEST_SECONDS = 900
FAULTS = ("missing", "different", "duplicates", "wrong_values")
LOAD = f"from tests.integration.driver import load_crowd; load_crowd({EVERY_SECONDS})"
WATERMARKS = (
    "SELECT format('SELECT %L, model, value FROM %I._watermarks', nspname, nspname)"
    " FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE relname = '_watermarks'"
)


def loads(site: Site) -> list[Window]:
    return windows({name: site.folder_of(site.hosts[name]) / "logs" for name in WORKERS})


def runs_of_routes(site: Site) -> Counter[str]:
    """How many have ended well."""
    found = site.ask_django(
        "list(Runs.objects.filter(status='success').values_list('crm_source', 'sync_type'))"
    )
    return Counter(f"{crm}.{model}" for crm, model in found)


def have_all_run(site: Site, *, times: int) -> bool:
    counts = runs_of_routes(site)
    return len(counts) == len(STANDARD) and min(counts.values()) >= times


def test_one_of_two_hosts_is_cut_off(new_site: NewSite, tmp_path: Path, note: Note) -> None:
    settings: dict[str, str] = {"MAX_SYNC_WORKERS": str(SLOTS)}
    with slow_crms(tmp_path, host="0.0.0.0") as sandbox:
        settings |= usual_limits(sandbox)

        def more(host: Host) -> dict[str, str]:
            return seen_from(host, settings)

        site = new_site(settings="data_warehouse.settings", more=more)
        over_at = time.monotonic() + TURNS * EVERY_SECONDS
        site.managed("shell", "-c", LOAD)
        wait_for("a run of each", lambda: have_all_run(site, times=1), seconds=LONGEST_SECONDS)
        sandbox.sandboxes.tick()
        back_at = cut_off(site, "work2")
        sandbox.sandboxes.tick()
        wait_for(
            "the other turns",
            lambda: time.monotonic() > over_at and have_all_run(site, times=3),
            seconds=LONGEST_SECONDS,
        )
        site.programs["beat"].stop()
        site.await_end()

        tell(site, sandbox)
        found = loads(site)
        assert {window.host for window in found if window.begun_at > back_at} == set(WORKERS)
        note(figures := figures_of(site, found))
        assert (figures.lost, figures.run_twice) == ([], [])
        assert_one_watermark(site)
        assert_no_limit_passed(sandbox)
    with SandboxServer(tmp_path, port=0, host="0.0.0.0") as sandbox:  # as quick as it can
        settings |= sandbox.settings
        assert faults_of(site, {window.model for window in found}) == {}


def cut_off(site: Site, name: str) -> datetime:
    """While it loads something, until nobody counts on it any more; what it did then must not be
    merged twice. When it was back."""
    wait_for(
        "a load on it",
        lambda: any(w.host == name and w.is_open(datetime.now(UTC)) for w in loads(site)),
    )
    site.hosts[name].cut()
    wait_for(
        "its end is noticed",
        lambda: site.workers_online() == ["sync@work1"],
        seconds=20 * LEASE_SECONDS,
    )
    site.hosts[name].heal()
    wait_for("it is back", lambda: len(site.workers_online()) == len(WORKERS))
    return datetime.now(UTC)


def figures_of(site: Site, found: list[Window]) -> Figures:
    outcomes = site.outcomes()
    return Figures(
        submitted=len(outcomes),
        interrupted=sum(window.merged_at is None for window in found),
        lost=[f"{task}: {status}" for task, status in outcomes.items() if status != "success"],
        run_twice=overlaps(found),
    )


def assert_one_watermark(site: Site) -> None:
    """Each model has one, which never went back."""
    reported = site.ask_django(
        "[[run.crm_source, model['model'], model['watermark']]"
        " for run in Runs.objects.filter(status='success').order_by('end_time')"
        " for model in run.performance_metrics['models'] if model.get('watermark')]"
    )
    by_model: dict[str, list[str]] = defaultdict(list)
    for crm, model, watermark in reported:
        by_model[f"{crm}.{model}"].append(watermark)
    for model, marks in by_model.items():
        assert all(first <= second for first, second in pairwise(marks)), model
    with psycopg.connect(site.postgres.url()) as connection:
        tables = connection.execute(WATERMARKS).fetchall()
        kept = [row for (each,) in tables for row in connection.execute(each).fetchall()]
    counts = Counter(f"{crm}.{model}" for crm, model, _ in kept)
    assert set(by_model) <= set(counts)
    assert set(counts.values()) == {1}


def faults_of(site: Site, loaded: set[str]) -> dict[str, dict[str, int]]:
    """Of the warehouse, by model that was loaded. Of what was deleted a delta does not always hear."""
    crms = sorted({each.crm_source for each in STANDARD})
    done = site.manage("verify_warehouse", *crms, "--json", "--no-progress")
    reports = {
        f"{each['crm_source']}.{each['model']}": each for each in json.loads(done.stdout)["models"]
    }
    assert loaded <= set(reports)
    faults = {model: {name: reports[model][name] for name in FAULTS} for model in loaded}
    return {model: counts for model, counts in faults.items() if any(counts.values())}


def tell(site: Site, sandbox: SandboxServer) -> None:
    """The figures, for people, whatever comes of them."""
    lines = [f"{route}: {count} runs" for route, count in sorted(runs_of_routes(site).items())]
    RESULTS.parent.mkdir(exist_ok=True)
    text = "\n".join([*lines, *budgets(sandbox)]) + "\n"
    RESULTS.with_name("schedules-two-hosts.txt").write_text(text)
