"""What holds for every CRM folder that is found, an eleventh one too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from data_warehouse.environment import BASE_DIR
from ingestion.services.crms import env_example
from ingestion.services.security.secrets import is_secret_name
from ingestion.sync.common.registry import SYNC_DIR, crms, load_source
from ingestion.sync.common.source import Crm, Model, SourceContext
from sandbox.base import Sandbox, SandboxConf
from sandbox.serving.registry import crm_names, sandbox_classes

FILES = ("__init__.py", "settings.py", "source.py", "README.md", "tests/__init__.py")
DATA_TYPES = {"text", "bigint", "double", "decimal", "bool", "json", "binary"} | {
    "timestamp",
    "datetime",
    "date",
    "time",
}
ENV_LINE = re.compile(r"^#?([A-Z][A-Z0-9_]*)=", re.MULTILINE)
SHARED = ("common", "http", "load", "raw", "recording")


def every_model() -> list[tuple[str, Model]]:
    return [(name, model) for name, crm in crms().items() for model in crm.models]


@pytest.fixture(params=list(crms()))
def crm(request: pytest.FixtureRequest) -> Crm:
    return crms()[request.param]


@pytest.fixture(params=every_model(), ids=lambda found: f"{found[0]}.{found[1].name}")
def model(request: pytest.FixtureRequest) -> Model:
    found: Model = request.param[1]
    return found


@pytest.fixture
def sandbox(crm: Crm, tmp_path: Path) -> Sandbox:
    return sandbox_classes()[crm.name](SandboxConf(tmp_path, rows=20))


@pytest.fixture
def settings(crm: Crm, sandbox: Sandbox) -> dict[str, str]:
    """Those that point at the sandbox, with the defaults of the others."""
    defaults = {setting.name: setting.default for setting in crm.settings}
    return {**defaults, **sandbox.settings(f"http://127.0.0.1:9/{crm.name}")}


def folders() -> Iterator[Path]:
    for path in SYNC_DIR.iterdir():
        if path.is_dir() and path.name not in (*SHARED, "__pycache__"):
            yield path


def test_every_folder_is_a_crm() -> None:
    assert {path.name for path in folders()} == crms().keys()


def test_its_folder_holds_the_same_files(crm: Crm) -> None:
    folder = SYNC_DIR / crm.name
    assert [name for name in FILES if not (folder / name).is_file()] == []
    assert list(folder.glob(f"tests/test_{crm.name}_*.py"))


def test_it_is_called_as_its_folder(crm: Crm) -> None:
    assert crms()[crm.name] is crm
    assert crm.title.strip() == crm.title != ""


def test_an_unknown_sync_type_has_a_fallback(crm: Crm) -> None:
    assert crm.fallback in crm.sync_types


def test_its_models_have_names_of_their_own(crm: Crm) -> None:
    names = [model.name for model in crm.models]
    assert names
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) and name != "all" for name in names)


def test_a_model_has_a_key(model: Model) -> None:
    assert model.key
    assert all(model.key)


def test_an_incremental_model_has_a_cursor(model: Model) -> None:
    assert model.cursor or model.incremental != "cursor"
    assert model.overlap_seconds >= 0
    assert model.overlap_seconds == 0 or model.incremental != "full"


def test_a_model_declares_types_that_there_are(model: Model) -> None:
    assert set(model.columns.values()) <= DATA_TYPES


def test_every_model_stands_in_the_readme(crm: Crm) -> None:
    readme = (SYNC_DIR / crm.name / "README.md").read_text()
    words = set(re.findall(r"\w+", readme))
    assert [model.name for model in crm.models if model.name not in words] == []


def test_the_readme_says_what_is_open(crm: Crm) -> None:
    assert re.search(r"^## Open until", (SYNC_DIR / crm.name / "README.md").read_text(), re.M)


def test_every_setting_is_explained(crm: Crm) -> None:
    assert crm.settings
    assert [setting.name for setting in crm.settings if not setting.help.strip()] == []
    listed = ENV_LINE.findall((BASE_DIR / env_example.FILE_NAME).read_text())
    assert [setting.name for setting in crm.settings if setting.name not in listed] == []


def test_its_settings_bear_its_name(crm: Crm) -> None:
    prefix = f"{crm.name.upper()}_"
    assert [s.name for s in crm.settings if not s.name.startswith(prefix)] == []
    assert len({setting.name for setting in crm.settings}) == len(crm.settings)


def test_what_sounds_secret_is_kept_secret(crm: Crm) -> None:
    secret = {setting.name for setting in crm.settings if setting.secret}
    assert secret, "the sandbox cannot be told from an operator's account"
    assert {s.name for s in crm.settings if is_secret_name(s.name)} <= secret


def test_a_secret_has_no_default(crm: Crm) -> None:
    assert [s.name for s in crm.settings if s.default and (s.secret or s.required)] == []


def test_the_sandbox_has_the_same_crms() -> None:
    assert crm_names() == tuple(sorted(crms()))


def test_its_sandbox_has_its_name(crm: Crm) -> None:
    assert sandbox_classes()[crm.name].name == crm.name


def test_its_sandbox_sets_its_own_settings_only(crm: Crm, sandbox: Sandbox) -> None:
    found = sandbox.settings(f"http://127.0.0.1:9/{crm.name}")
    assert found.keys() <= {setting.name for setting in crm.settings}
    assert {setting.name for setting in crm.settings if setting.required} <= found.keys()


def test_its_sandbox_has_all_its_models(crm: Crm, sandbox: Sandbox) -> None:
    counts = sandbox.counts()
    assert counts.keys() == {model.name for model in crm.models}
    assert [name for name, count in counts.items() if count <= 0] == []


def test_its_source_is_built_without_asking_anybody(crm: Crm, settings: dict[str, str]) -> None:
    context = SourceContext(settings)
    with closing(load_source(crm.name)(context)) as source:
        assert callable(source.columns)
        assert callable(source.pages)
    assert context.meter.requests == 0
