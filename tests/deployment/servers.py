"""The servers of a site of its own: PostgreSQL and Redis with passwords, RabbitMQ."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
from contextlib import closing, suppress
from glob import glob
from pathlib import Path

from kombu import Connection
from kombu.exceptions import OperationalError
from redis import Redis

from ingestion.services.system import embedded_redis
from ingestion.services.system.embedded_redis import free_port
from tests.deployment.hosts import wait_for
from tests.missing import cannot_have

ACCOUNT = "postgres"


class PostgreSQL:
    """Durable, with a password, reached from every host."""

    def __init__(self, folder: Path) -> None:
        programs = sorted(glob("/usr/lib/postgresql/*/bin/postgres"))
        if not programs:
            cannot_have("PostgreSQL", "no server is installed")
        self._programs = Path(programs[-1]).parent
        self.port, self.password = free_port(), secrets.token_hex(16)
        self._data = folder / "data"
        folder.mkdir(mode=0o700)
        (folder / "password").write_text(self.password)
        self._account = pwd.getpwnam(ACCOUNT)
        for path in (folder, folder / "password"):
            os.chown(path, self._account.pw_uid, self._account.pw_gid)
        rules = ("--auth=scram-sha-256", "--username=warehouse", f"--pwfile={folder}/password")
        self._run("initdb", f"--pgdata={self._data}", "--encoding=UTF8", "--locale=C", *rules)
        with (self._data / "postgresql.conf").open("a") as conf:
            conf.write(
                f"port = {self.port}\nlisten_addresses = '*'\nunix_socket_directories = ''\n"
                "max_connections = 200\n"
            )
        with (self._data / "pg_hba.conf").open("a") as rules_file:
            rules_file.write("host all all 10.213.0.0/16 scram-sha-256\n")
        self.start()

    def url(self, host: str = "127.0.0.1") -> str:
        return f"postgresql://warehouse:{self.password}@{host}:{self.port}/postgres"

    def start(self) -> None:
        self._run("pg_ctl", f"--pgdata={self._data}", "-w", f"--log={self._data}/log", "start")

    def stop(self) -> None:
        self._run("pg_ctl", f"--pgdata={self._data}", "-w", "--mode=fast", "stop")

    def restart(self) -> None:
        self.stop()
        self.start()

    def _run(self, name: str, *words: str) -> None:
        done = subprocess.run(
            [str(self._programs / name), *words],
            cwd="/",
            user=self._account.pw_uid,
            group=self._account.pw_gid,
            extra_groups=[],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE if name == "initdb" else subprocess.DEVNULL,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{name}: {done.stderr!r}"


class RedisServer:
    """With an append-only file and a password, reached from every host."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._process = folder, None
        self.port, self.password = free_port(), secrets.token_hex(16)
        self.start()

    def url(self, database: int, host: str = "127.0.0.1") -> str:
        return f"redis://:{self.password}@{host}:{self.port}/{database}"

    def start(self) -> None:
        command = embedded_redis.command(self._folder, password=self.password, port=self.port)
        with (self._folder / "log").open("ab") as log:
            self._process: subprocess.Popen[bytes] | None = subprocess.Popen(
                [*command, "--bind", "0.0.0.0"], stdout=log, stderr=log, start_new_session=True
            )
        wait_for("Redis answers", lambda: embedded_redis.answers(self.port, self.password))

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=60)
            self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def clear(self) -> None:
        """As the server of a new machine is."""
        with closing(Redis.from_url(self.url(0))) as client:
            client.flushall()


class RabbitMQ:
    """A node of its own, with a folder, a cookie and a name service of its own, with a password,
    reached from every host."""

    def __init__(self, folder: Path) -> None:
        # The one on the path writes into the folders of the machine's own node.
        if not (program := shutil.which("rabbitmq-server", path="/usr/lib/rabbitmq/bin")):
            cannot_have("RabbitMQ", "no server is installed")
        folder.mkdir()
        self._folder, self._program = folder, program
        self._account = pwd.getpwnam("rabbitmq")
        self.port, self.password = free_port(), secrets.token_hex(16)
        (folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 0.0.0.0:{self.port}\n"
            f"default_user = warehouse\ndefault_pass = {self.password}\n"
        )
        os.chown(folder, self._account.pw_uid, self._account.pw_gid)
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "RABBITMQ_NODENAME": f"warehouse{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "ERL_EPMD_PORT": str(free_port()),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }
        self._names = self._popen("epmd")
        self.start()

    def url(self, host: str = "127.0.0.1") -> str:
        return f"amqp://warehouse:{self.password}@{host}:{self.port}//"

    def start(self) -> None:
        self._process = self._popen(self._program)
        wait_for("RabbitMQ answers", self._answers)

    def stop(self) -> None:
        self._end(self._process)

    def restart(self) -> None:
        self.stop()
        self.start()

    def remove(self) -> None:
        self.stop()
        self._end(self._names)

    def messages(self, queue: str) -> int:
        """How many wait in the queue."""
        with Connection(self.url(), connect_timeout=5) as link:
            return int(link.default_channel.queue_declare(queue, passive=True).message_count)

    def _answers(self) -> bool:
        try:
            with Connection(self.url(), connect_timeout=5) as link:
                link.ensure_connection(max_retries=1, interval_start=0)
        except OperationalError:
            return False
        return True

    def _popen(self, *words: str) -> subprocess.Popen[bytes]:
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(
                words,
                cwd=self._folder,
                env=self._environment,
                user=self._account.pw_uid,
                group=self._account.pw_gid,
                extra_groups=[],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)
