"""Where settings come from, and what a wrong one brings."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from data_warehouse.environment import BASE_DIR, Environment, Settings, SettingsProblems
from ingestion import runfile
from ingestion.runfile import ProcessMark, ProcessRecord, RunFile

THIS_PROCESS = ProcessMark.of(os.getpid())


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder of its own, with nothing configured."""
    for name in ("VAR_DIR", "DOTENV_FILE", "CACHE_URL", "MAX_SYNC_WORKERS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def run_file(clone: Path, main: ProcessMark, **settings: str) -> None:
    runfile.write(clone / "var", RunFile(main, "2026-01-01T00:00:00+00:00", settings=settings))


def test_the_environment_wins_over_dotenv_and_dotenv_over_the_running_system(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_file(clone, THIS_PROCESS, CACHE_URL="run", A_DOTENV="run", AN_ENV="run")
    (clone / ".env").write_text("A_DOTENV=dotenv\nAN_ENV=dotenv\n")
    monkeypatch.setenv("AN_ENV", "env")

    found = Environment(clone)

    assert [found[n] for n in ("CACHE_URL", "A_DOTENV", "AN_ENV")] == ["run", "dotenv", "env"]
    assert [found.source_of(n) for n in ("CACHE_URL", "A_DOTENV", "AN_ENV", "NO_SUCH_NAME")] == [
        "running system",
        ".env",
        "environment",
        "default",
    ]
    assert found.configured("CACHE_URL") == ""


def test_an_empty_value_counts_as_none(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_file(clone, THIS_PROCESS, CACHE_URL="run")
    (clone / ".env").write_text("CACHE_URL=\n")
    monkeypatch.setenv("CACHE_URL", "")

    assert Environment(clone)["CACHE_URL"] == "run"


def test_a_run_file_whose_system_is_dead_is_ignored(clone: Path) -> None:
    run_file(clone, ProcessMark(THIS_PROCESS.pid, "another start"), CACHE_URL="gone")

    assert "CACHE_URL" not in Environment(clone)


def test_the_mark_of_a_process_dies_with_it() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        mark = ProcessMark.of(process.pid)
        assert mark.is_alive
        process.kill()
        process.wait()
        assert not mark.is_alive


@pytest.mark.parametrize("text", ["", "{", "[]", '{"settings": {}}'])
def test_a_broken_run_file_is_no_running_system(clone: Path, text: str) -> None:
    path = runfile.path_in(clone / "var")
    path.parent.mkdir(parents=True)
    path.write_text(text)

    assert "CACHE_URL" not in Environment(clone)


def test_a_run_file_comes_back_as_it_was_written_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    written = RunFile(
        THIS_PROCESS,
        "2026-01-01T00:00:00+00:00",
        state="ready",
        url="http://127.0.0.1:8000/",
        settings={"CACHE_URL": "redis://:secret@127.0.0.1:1/1"},
        processes=(ProcessRecord("web", THIS_PROCESS, "2026-01-01T00:00:01+00:00", restarts=2),),
    )
    runfile.write(tmp_path, written)

    assert runfile.read_running(tmp_path) == written
    assert runfile.path_in(tmp_path).stat().st_mode & 0o777 == 0o600


def test_the_run_file_is_looked_for_where_the_operator_keeps_the_data(
    clone: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    runfile.write(elsewhere, RunFile(THIS_PROCESS, "", settings={"CACHE_URL": "there"}))
    monkeypatch.setenv("VAR_DIR", str(elsewhere))

    assert Environment(clone)["CACHE_URL"] == "there"


def test_all_wrong_settings_are_named_at_once(clone: Path) -> None:
    (clone / ".env").write_text("N=many\nW=0\nF=perhaps\nC=blue\n")
    read = Settings(Environment(clone))

    values = [
        read.number("N", 1.5, minimum=0),
        read.whole("W", 2, minimum=1, maximum=9),
        read.flag("F", True),
        read.choice("C", "red", ("red", "green")),
    ]

    assert values == [1.5, 2, True, "red"]
    with pytest.raises(SettingsProblems) as problems:
        read.stop_if_wrong()
    assert str(problems.value).splitlines()[1:] == [
        "  - N is 'many'; it must be a number.",
        "  - W is 0; it must be at least 1 and at most 9.",
        "  - F is 'perhaps'; it must be true or false.",
        "  - C is 'blue'; it must be red or green.",
    ]


@pytest.mark.parametrize("value", ["nan", "inf", "-1"])
def test_a_number_of_seconds_is_a_number(clone: Path, value: str) -> None:
    (clone / ".env").write_text(f"SECONDS={value}\n")
    read = Settings(Environment(clone))

    assert read.number("SECONDS", 5, minimum=0) == 5
    assert read.problems


def test_a_command_with_wrong_settings_says_what_is_wrong_and_no_more(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "DJANGO_ENV": "production",
        "MAX_SYNC_WORKERS": "0",
        "DATABASE_URL": "postgresql://warehouse:changeme@localhost/warehouse",
        "DJANGO_SETTINGS_MODULE": "data_warehouse.settings",
        "VAR_DIR": str(tmp_path),
        "LOG_DIR": str(tmp_path),
    }
    answer = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.returncode == 2
    assert "SECRET_KEY must be set in production" in answer.stderr
    assert "The password in DATABASE_URL is one that everybody knows" in answer.stderr
    assert "MAX_SYNC_WORKERS is 0; it must be at least 1 and at most 1000." in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("entry", ["wsgi", "asgi", "celery"])
def test_no_secret_of_the_code_is_used_whatever_starts_it(tmp_path: Path, entry: str) -> None:
    """Without DJANGO_ENV too: the key is this clone's, and the same in every process."""
    settings = {"DJANGO_SETTINGS_MODULE": "data_warehouse.settings", "VAR_DIR": str(tmp_path)}
    code = f"""
import data_warehouse.{entry}
from django.conf import settings
print(settings.SECRET_KEY)
"""
    environment = {k: v for k, v in os.environ.items() if k not in ("SECRET_KEY", "DJANGO_ENV")}
    keys = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=BASE_DIR,
            env={**environment, **settings, "DOTENV_FILE": os.devnull, "LOG_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for _ in range(2)
    }
    assert keys == {(tmp_path / "secret-key").read_text()}


class TestSecretsInFiles:
    def test_a_file_stands_for_the_value(
        self, clone: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (clone / "key").write_text(" from the file\n")
        (clone / ".env").write_text(f"A_TOKEN_FILE={clone / 'key'}\n")
        monkeypatch.setenv("SECRET_KEY_FILE", str(clone / "key"))

        found = Environment(clone)

        assert (found["SECRET_KEY"], found["A_TOKEN"]) == ("from the file", "from the file")
        assert (found.source_of("SECRET_KEY"), found.source_of("A_TOKEN")) == (
            "environment",
            ".env",
        )
        assert {"SECRET_KEY", "A_TOKEN"} <= set(found)

    def test_both_at_once_are_refused(self, clone: Path) -> None:
        (clone / ".env").write_text(f"KEY=a\nKEY_FILE={clone / 'key'}\n")
        read = Settings(Environment(clone))

        assert read.text("KEY") == ""
        assert read.problems == ["KEY and KEY_FILE are both set; set one of them."]

    def test_a_file_that_is_not_there_is_named(self, clone: Path) -> None:
        (clone / ".env").write_text("KEY_FILE=/nowhere/key\n")
        read = Settings(Environment(clone))

        assert read.text("KEY") == ""
        assert read.problems == [
            "KEY_FILE leads to /nowhere/key, which cannot be read: No such file or directory."
        ]

    def test_an_empty_file_counts_as_none(self, clone: Path) -> None:
        (clone / "key").write_text("\n")
        (clone / ".env").write_text(f"KEY_FILE={clone / 'key'}\n")

        assert "KEY" not in Environment(clone)
