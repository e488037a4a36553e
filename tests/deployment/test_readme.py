"""README, word by word: the chapter about production on this machine and on a new one, and the two
commands on a new one. make deployment"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from data_warehouse.environment import BASE_DIR
from ingestion.services.system.embedded_redis import free_port
from tests.deployment.chroot import Chroot
from tests.deployment.conftest import let_others_in
from tests.deployment.hosts import wait_for
from tests.deployment.reader import log_in
from tests.deployment.servers import PostgreSQL, RedisServer
from tests.project_copy import copy_project

pytestmark = pytest.mark.deployment
SECONDS = 900
# Empty for all of them, which takes longer than everything else here.
TESTS = os.environ.get("README_TESTS", "tests/unit/schedules")
READY = re.compile(
    r"The warehouse is ready +(?P<url>http://\S+)/$.*?login +(?P<name>\S+) / (?P<password>\S+) ",
    re.M | re.S,
)

FIRST_ROWS = re.compile(r"^hubspot: [\d,]+ rows in", re.M)


class Here:
    """This machine, with the Python of this run in the place of python3, and nothing of what it has
    installed."""

    def __init__(self, folder: Path) -> None:
        self.home = folder
        programs = folder / "bin"
        programs.mkdir()
        (programs / "python3").symlink_to(Path(sys.base_prefix) / "bin" / Path(sys.executable).name)
        wanted = ("HOME", "PIP_CONFIG_FILE", "PIP_INDEX_URL", "PIP_FIND_LINKS", "LANG")
        self.environment = {name: os.environ[name] for name in wanted if name in os.environ}
        self.environment["PATH"] = f"{programs}:/usr/local/bin:/usr/bin:/bin"

    def words(self, script: str, *, where: Path) -> list[str]:
        return ["bash", "-euo", "pipefail", "-c", f"cd {where}\n{script}"]

    def own(self, folder: Path) -> None: ...


class Terminal:
    """Where a reader of README types in the folder of a clone. What still runs at the end is ended."""

    def __init__(self, place: Here | Chroot, folder: str, script: str) -> None:
        self.clone = place.home / folder
        if not self.clone.exists():
            copy_project(self.clone)
            place.own(self.clone)
        self._out = (place.home / "out").open("w+b")
        self.process = subprocess.Popen(
            place.words(script, where=self.clone),
            env=place.environment,
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=self._out,
            start_new_session=True,
        )

    @property
    def shown(self) -> str:
        return Path(self._out.name).read_text(errors="replace")

    def interrupt(self) -> None:
        """Ctrl-C."""
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self) -> None:
        self._out.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        wait_for("the end of all that was started", self._is_over)

    def _is_over(self) -> bool:
        self.process.poll()
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return True
        return False


@pytest.fixture(scope="module")
def new_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chroot]:
    machine = Chroot(tmp_path_factory.mktemp("machine") / "root")
    yield machine
    machine.kill_all()


@pytest.fixture(params=["this machine", "a new machine"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Here | Chroot:
    if request.param == "this machine":
        return Here(tmp_path)
    found: Chroot = request.getfixturevalue("new_machine")
    return found


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[PostgreSQL, RedisServer]]:
    let_others_in(tmp_path)
    postgres, redis = PostgreSQL(tmp_path / "postgres"), RedisServer(tmp_path / "redis")
    yield postgres, redis
    redis.stop()
    postgres.stop()


def snippets() -> str:
    chapter = (BASE_DIR / "README.md").read_text().split("\n## Production\n")[1].split("\n## ")[0]
    return "\n".join(re.findall(r"^```bash\n(.*?)^```", chapter, re.M | re.S))


def test_the_chapter_ends_in_a_site_with_login_rows_and_health(
    servers: tuple[PostgreSQL, RedisServer], place: Here | Chroot
) -> None:
    """Changed are the addresses, which the reader puts in too."""
    postgres, redis = servers
    port, sandbox = free_port(), free_port()
    script = snippets()
    for shown, own in (
        ("postgresql://warehouse:PASSWORD@127.0.0.1:5432/warehouse", postgres.url()),
        ("redis://:PASSWORD@127.0.0.1:6379", f"redis://:{redis.password}@127.0.0.1:{redis.port}"),
        ("127.0.0.1:8000", f"127.0.0.1:{port}"),
        ("--port 8100", f"--port {sandbox}"),
    ):
        assert shown in script
        script = script.replace(shown, own)
    terminal = Terminal(place, "production", script)
    try:
        code = terminal.process.wait(timeout=SECONDS)
        assert code == 0, terminal.shown[-4000:]
        assert "completed after" in terminal.shown
        url = f"http://127.0.0.1:{port}"
        with urllib.request.urlopen(f"{url}/health/ready") as answer:
            assert b'"missing": []' in answer.read()
        kept = dict(
            re.findall(r"(\w+): (\S+)", (terminal.clone / "var/operator-login").read_text())
        )
        assert "Log out" in log_in(url, name=kept["username"], password=kept["password"])
        with psycopg.connect(postgres.url()) as connection:
            rows = connection.execute("SELECT count(*) FROM hubspot.contacts").fetchone()
            runs = connection.execute("SELECT count(*) FROM ingestion_syncschedule").fetchone()
        assert rows is not None
        assert rows[0] > 0
        assert runs == (38,)
        assert len(list((terminal.clone / "backups").iterdir())) == 1
    finally:
        terminal.end()


def test_the_first_command_starts_everything_and_leaves_nothing(new_machine: Chroot) -> None:
    terminal = Terminal(new_machine, "two-commands", "make up")
    try:
        wait_for(
            "the first rows",
            lambda: re.search(FIRST_ROWS, terminal.shown) or terminal.process.poll() is not None,
            seconds=SECONDS,
        )
        assert re.search(FIRST_ROWS, terminal.shown), terminal.shown[-4000:]
        ready = READY.search(terminal.shown)
        assert ready, terminal.shown[-4000:]
        page = log_in(ready["url"], name=ready["name"], password=ready["password"])
        assert "Log out" in page
        terminal.interrupt()
        wait_for("nothing runs any more", lambda: new_machine.processes() == [])
    finally:
        terminal.end()


def test_the_second_command_runs_the_tests(new_machine: Chroot) -> None:
    terminal = Terminal(new_machine, "two-commands", f'make test ARGS="{TESTS}"')
    try:
        code = terminal.process.wait(timeout=SECONDS if TESTS else 10 * SECONDS)
        assert code == 0, terminal.shown[-4000:]
        assert re.search(r"\d+ passed", terminal.shown)
        assert " failed" not in terminal.shown
    finally:
        terminal.end()
