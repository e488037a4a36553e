"""The whole system for a browser: Redis, a worker, and a web server that can be killed."""

from __future__ import annotations

import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ingestion.services.system import embedded_redis
from tests.integration.system import ROOT, System, wait_for

USER, PASSWORD = "operator", "correct horse battery"
OPERATOR, VIEWER, NOBODY = USER, "viewer", "nobody"


class Live(System):
    """Its pages answer at ``url``. Redis loses everything when it is killed."""

    web: subprocess.Popen[bytes] | None = None
    beats: tuple[subprocess.Popen[bytes], ...] = ()
    web_port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.web_port}"

    def start_web(self, *options: str) -> None:
        self.web_port = self.web_port or embedded_redis.free_port()
        log = (self.folder / "web.log").open("ab")
        self.web = subprocess.Popen(
            [
                *(sys.executable, "-m", "data_warehouse.web"),
                *("--listen", f"127.0.0.1:{self.web_port}", "--threads", "6", *options),
            ],
            cwd=ROOT,
            env=self._env,
            stdout=log,
            stderr=log,
        )
        log.close()
        wait_for(self._answers, what="the web server")

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health/live", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def play(self, *words: str) -> None:
        """Bring one of the scenes of ``tests.e2e.scene`` about."""
        scene = [sys.executable, "-m", "tests.program", "tests.e2e.scene", *words]
        subprocess.run(scene, cwd=ROOT, env=self._env, check=True)

    def kill_web(self) -> None:
        assert self.web is not None
        self.web.kill()
        self.web.wait(timeout=30)
        wait_for(lambda: not self._answers(), what="the end of the web server")

    def start_beat(self) -> None:
        """One more of them."""
        log = (self.folder / "beat.log").open("ab")
        words = ("-m", "celery", "-A", "data_warehouse", "beat", "-l", "INFO", "--pidfile=")
        beat = subprocess.Popen(
            [sys.executable, *words], cwd=ROOT, env=self._env, stdout=log, stderr=log
        )
        log.close()
        self.beats = (*self.beats, beat)

    def manage(self, *words: str) -> subprocess.CompletedProcess[str]:
        """What ``manage.py`` says in this system."""
        return subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=ROOT,
            env=self._env,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def kill_redis(self) -> None:
        self.redis.process.kill()
        self.redis.process.wait(timeout=10)

    def start_redis(self) -> None:
        self.redis = embedded_redis.start(
            self.folder / "redis", port=self.redis.port, durable=False
        )

    def stop(self) -> None:
        for beat in self.beats:
            beat.terminate()
            beat.wait(timeout=30)
        if self.web is not None:
            self.web.terminate()
            self.web.wait(timeout=30)
        super().stop()
        self.redis.stop()


@contextmanager
def live_system(
    folder: Path, *, result_database: int | None = None, web_port: int = 0, **environment: str
) -> Iterator[Live]:
    """``result_database``: where Celery keeps results, which it does not without one. ``web_port``:
    0 takes a free one."""
    data = folder / "redis"
    data.mkdir(parents=True)
    redis = embedded_redis.start(data, durable=False)
    if result_database is not None:
        environment["CELERY_RESULT_BACKEND"] = redis.url(result_database)
    system = Live(folder, redis, environment)
    system.web_port = web_port
    try:
        system.prepare()
        system.call("add_operator", USER, PASSWORD)
        system.start_web()
        system.start_worker()
        yield system
    finally:
        system.stop()
