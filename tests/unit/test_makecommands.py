"""The sync_* commands are what the CRM folders call for."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command, load_command_class

from ingestion.management.commands import makecommands
from ingestion.management.sync import SyncCommand
from ingestion.sync.common.registry import crms


def test_every_route_has_its_command() -> None:
    for name, crm in crms().items():
        for sync_type in crm.sync_types:
            command = load_command_class("ingestion", f"sync_{name}_{sync_type}")
            assert isinstance(command, SyncCommand)
            assert (command.crm_source, command.sync_type) == (name, sync_type)
            assert crm.title in command.help


def test_there_are_71_commands_and_those_of_new_crms() -> None:
    assert len(makecommands.stubs()) >= 71


def test_the_committed_commands_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("makecommands", check=True)
    assert f"{len(makecommands.stubs())} commands are up to date" in capsys.readouterr().out


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(makecommands, "COMMANDS_DIR", tmp_path)
    makecommands.write(tmp_path)
    return tmp_path


def test_check_names_what_is_missing_different_and_extra(folder: Path) -> None:
    (folder / "sync_five9_contacts.py").unlink()
    (folder / "sync_five9_all.py").write_text(f"# {makecommands.WRITTEN_BY}")
    (folder / "sync_other_all.py").write_text(f"# {makecommands.WRITTEN_BY}")
    with pytest.raises(CommandError) as caught:
        call_command("makecommands", check=True)
    assert caught.value.returncode == 1
    for told in (
        "sync_five9_contacts.py missing",
        "sync_five9_all.py different",
        "sync_other_all.py extra",
    ):
        assert told in str(caught.value)
    assert not (folder / "sync_five9_contacts.py").exists()


def test_writing_mends_the_folder(folder: Path) -> None:
    (folder / "sync_five9_contacts.py").unlink()
    (folder / "sync_other_all.py").write_text(f"# {makecommands.WRITTEN_BY}")
    call_command("makecommands", verbosity=0)
    assert list(makecommands.differences(folder)) == []
    assert len(list(folder.glob("*.py"))) == len(makecommands.stubs())


def test_a_command_by_another_hand_is_left_alone(folder: Path) -> None:
    own = folder / "sync_own_all.py"
    own.write_text("# mine")
    call_command("makecommands", verbosity=0)
    assert own.read_text() == "# mine"
    (folder / "sync_five9_all.py").write_text("# mine too")
    with pytest.raises(CommandError, match="will not be overwritten"):
        call_command("makecommands", verbosity=0)
