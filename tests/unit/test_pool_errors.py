"""Every refusal has one code, and the scripts know no other."""

from __future__ import annotations

import inspect

import pytest

from ingestion.pool import errors
from ingestion.pool.errors import PoolError, TaskNotFound, error_for, refused
from ingestion.pool.redis.lua_scripts import load_scripts

CLASSES = [
    cls
    for _, cls in inspect.getmembers(errors, inspect.isclass)
    if issubclass(cls, PoolError) and cls.__module__ == errors.__name__
]
SCRIPT_CODES = frozenset().union(*(script.codes for script in load_scripts().values()))


def test_no_two_classes_share_a_code() -> None:
    codes = [cls.code for cls in CLASSES]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_a_code_gives_its_class(cls: type[PoolError]) -> None:
    assert type(error_for(cls.code)) is cls


@pytest.mark.parametrize("code", sorted(SCRIPT_CODES))
def test_every_code_of_a_script_has_a_class_that_says_why(code: str) -> None:
    assert str(error_for(code, task_id="t1")).startswith("Task t1: ")


def test_the_scripts_refuse_with_what_the_contract_names_and_nothing_else() -> None:
    assert {type(error_for(code)).__name__ for code in SCRIPT_CODES} == {
        "TaskNotFound",
        "LeaseLost",
        "AlreadyConfirmed",
        "AlreadyFinished",
        "Conflict",
        "NotQueued",
        "OtherInstallation",
        "Overlaps",
        "StateLost",
        "UnreadableTask",
    }


def test_a_detail_is_said_instead_of_the_class_words() -> None:
    assert str(error_for("GONE", "attempt 2 runs", task_id="t1")) == "attempt 2 runs"


def test_an_unknown_code_is_a_bug_and_not_a_refusal() -> None:
    with pytest.raises(LookupError, match="NONSENSE"):
        error_for("NONSENSE")


def test_a_refusal_names_the_task_in_one_line() -> None:
    message = str(refused(TaskNotFound, "t1"))
    assert message.startswith("Task t1: The pool knows no such task")
    assert "\n" not in message


def test_wrong_input_is_a_value_error_too() -> None:
    assert isinstance(error_for("INVALID_PRIORITY"), ValueError)
    assert isinstance(error_for("INVALID_LIMIT"), ValueError)
    assert isinstance(error_for("NOT_FOUND"), LookupError)
