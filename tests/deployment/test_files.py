"""The files of a deployment, each read by the program that it is for."""

from __future__ import annotations

import datetime
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from data_warehouse.environment import BASE_DIR
from ingestion.services.system.problems import OF_COMPOSE

DEPLOY = BASE_DIR / "deploy"
COMPOSE = BASE_DIR / "docker-compose.yml"
UNITS = DEPLOY / "systemd"
INSTALLED = "/opt/data-warehouse/.venv/bin"
CELERY = ["celery", "--quiet", "-A", "data_warehouse"]


def tool(name: str) -> str:
    """Where it is; the test is skipped where it is not installed."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name, path="/usr/sbin:/usr/bin:/bin")
    if not found:
        pytest.skip(f"{name} is not installed")
    return found


def passes(*words: str | Path, cwd: Path = BASE_DIR) -> str:
    done = subprocess.run(
        [str(word) for word in words], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return found


class TestImage:
    def test_the_dockerfile_has_no_faults(self) -> None:
        assert passes(tool("hadolint"), "Dockerfile") == ""

    def test_nothing_of_this_clone_gets_into_the_image(self) -> None:
        left_out = set((BASE_DIR / ".dockerignore").read_text().split())
        assert {".git", ".env", "var", "logs", "backups", ".venv"} <= left_out


class TestCompose:
    def test_is_what_compose_reads(self, compose: dict[str, Any]) -> None:
        """Its merges carried out, as compose does first."""
        found = PyCompose.from_yaml(yaml.safe_dump(compose, sort_keys=False))
        found.validate_volumes()
        found.validate_secrets()
        assert {"web", "worker", "control", "beat", "postgres", "redis"} <= set(
            found.service_names()
        )

    def test_what_it_wants_of_the_operator_is_explained(self) -> None:
        wanted = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE.read_text()))
        explained = set(re.findall(r"^#?([A-Z_]+)=", (BASE_DIR / ".env.example").read_text(), re.M))
        assert wanted <= explained
        assert wanted >= OF_COMPOSE

    def test_a_worker_has_longer_to_stop_than_its_syncs(self, compose: dict[str, Any]) -> None:
        for name in ("worker", "control"):
            assert int(compose["services"][name]["stop_grace_period"].removesuffix("s")) > 8 + 15

    def test_every_program_starts_after_the_tables_are_there(self, compose: dict[str, Any]) -> None:
        for name in ("web", "worker", "control", "beat"):
            waits = compose["services"][name]["depends_on"]
            assert waits["prepare"] == {"condition": "service_completed_successfully"}

    def test_nothing_is_published_to_the_network(self, compose: dict[str, Any]) -> None:
        ports = [p for service in compose["services"].values() for p in service.get("ports", ())]
        assert all(port.startswith("127.0.0.1:") for port in ports)


class TestSystemd:
    def test_every_unit_is_right(self, tmp_path: Path) -> None:
        """With programs that are there in the place of those that the operator installs."""
        programs = tmp_path / "bin"
        programs.mkdir()
        for name in ("python", "celery"):
            (programs / name).symlink_to("/bin/true")
        for unit in UNITS.iterdir():
            (tmp_path / unit.name).write_text(unit.read_text().replace(INSTALLED, str(programs)))
        units = sorted(path for path in tmp_path.iterdir() if path.suffix)
        assert passes(tool("systemd-analyze"), "verify", "--man=no", *units) == ""

    @pytest.mark.parametrize("name", ["web", "worker", "control", "beat"])
    def test_starts_what_compose_starts(self, name: str, compose: dict[str, Any]) -> None:
        unit = (UNITS / f"data-warehouse-{name}.service").read_text()
        (line,) = re.findall(rf"^ExecStart={INSTALLED}/(.*)$", unit, re.M)
        started = shlex.split(line.replace("%H", "%h").replace("--fd 3", "--listen 0.0.0.0:8000"))
        service = compose["services"][name]
        assert started == service.get(
            "command", ["python", "-m", "data_warehouse.web", "--listen", "0.0.0.0:8000"]
        )
        assert "User=warehouse" in unit


class TestKubernetes:
    @pytest.fixture(scope="class")
    def manifests(self, tmp_path_factory: pytest.TempPathFactory) -> str:
        """What kustomize makes of the example, with a secret like the one that is shown."""
        folder = tmp_path_factory.mktemp("kubernetes")
        shutil.copytree(DEPLOY / "kubernetes", folder, dirs_exist_ok=True)
        example = folder / "example"
        shutil.copyfile(example / "secret.env.example", example / "secret.env")
        return passes(tool("kubectl"), "kustomize", example)

    @pytest.fixture(scope="class")
    def pods(self, manifests: str) -> dict[str, dict[str, Any]]:
        """The pods' templates by name."""
        every = [
            found for found in yaml.safe_load_all(manifests) if "template" in found.get("spec", {})
        ]
        return {found["metadata"]["name"]: found["spec"]["template"]["spec"] for found in every}

    def test_is_what_kubernetes_takes(self, manifests: str, tmp_path: Path) -> None:
        (tmp_path / "all.yaml").write_text(manifests)
        passes(tool("kubernetes-validate"), "--strict", "--quiet", tmp_path / "all.yaml")

    def test_no_pod_runs_as_root_or_writes_into_its_image(
        self, pods: dict[str, dict[str, Any]]
    ) -> None:
        assert pods.keys() == {"prepare", "web", "worker", "control", "beat"}
        for pod in pods.values():
            assert pod["securityContext"]["runAsNonRoot"]
            for container in (*pod["containers"], *pod.get("initContainers", ())):
                rights = container["securityContext"]
                assert rights["readOnlyRootFilesystem"]
                assert not rights["allowPrivilegeEscalation"]

    @pytest.mark.parametrize("name", ["worker", "control", "beat"])
    def test_starts_what_compose_starts(
        self, name: str, pods: dict[str, dict[str, Any]], compose: dict[str, Any]
    ) -> None:
        (container,) = pods[name]["containers"]
        assert container["command"] == compose["services"][name]["command"]

    def test_a_worker_has_longer_to_stop_than_its_syncs(
        self, pods: dict[str, dict[str, Any]]
    ) -> None:
        assert pods["worker"]["terminationGracePeriodSeconds"] > 8 + 15


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a certificate that nobody has signed."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "warehouse.example.com")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    (folder / "fullchain.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "privkey.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return folder


def test_nginx_takes_its_configuration(certificate: Path, tmp_path: Path) -> None:
    site = (DEPLOY / "nginx/data-warehouse.conf").read_text()
    site = site.replace("/etc/ssl/data-warehouse", str(certificate))
    whole = tmp_path / "nginx.conf"
    whole.write_text(
        f"pid {tmp_path}/pid; error_log stderr; events {{}}\nhttp {{ access_log off;\n{site}}}\n"
    )
    assert "test is successful" in passes(tool("nginx"), "-t", "-c", whole, "-p", tmp_path)


class TestMonitoring:
    FOLDER = DEPLOY / "prometheus"

    def test_prometheus_takes_its_configuration(self, tmp_path: Path) -> None:
        """With a token that is there."""
        shutil.copytree(self.FOLDER, tmp_path, dirs_exist_ok=True)
        conf = tmp_path / "prometheus.yml"
        token = tmp_path / "token"
        token.write_text("a token")
        conf.write_text(conf.read_text().replace("/run/secrets/metrics_token", str(token)))
        passes(tool("promtool"), "check", "config", conf)

    def test_the_alerts_fire_when_they_must(self) -> None:
        passes(tool("promtool"), "test", "rules", self.FOLDER / "alerts_test.yml")

    @pytest.mark.parametrize(
        "file", ["prometheus/alerts.yml", "grafana/dashboards/data-warehouse.json"]
    )
    def test_asks_for_metrics_that_there_are(self, file: str) -> None:
        """As the quick reference lists them."""
        asked = set(re.findall(r"worker_pool_([a-z_]+)", (DEPLOY / file).read_text()))
        told = (BASE_DIR / "docs/worker_pool_quick_reference.md").read_text()
        listed = set(re.findall(r"`([a-z_]+)`", told.split("## Metrics")[1].split("## Keys")[0]))
        assert asked
        assert {name.removesuffix("_bucket") for name in asked} <= listed
