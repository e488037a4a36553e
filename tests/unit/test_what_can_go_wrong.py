"""The page "What can go wrong …" says of each CRM what its second reading can do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ingestion.sync.common.registry import crms
from ingestion.sync.raw.reader import Abilities
from ingestion.sync.salespro.raw import LakeReader, LeapReader

PAGE = Path(__file__).parents[2] / "docs" / "what_can_go_wrong.md"
ROW = re.compile(
    r"^\| (\w+)(?: \((\w+)\))? \| ([\w, ]+) \| (.+) \| (.+) \| (.+) \| (.+) \|$", re.MULTILINE
)
NOTHING = "–"


def readers(name: str) -> dict[str, Any]:
    """The class of a CRM's reader; by back end where it has several."""
    if name == "salespro":
        return {"leap": LeapReader, "athena": LakeReader}
    module = __import__(f"ingestion.sync.{name}.raw", fromlist=["RawReader"])
    return {"": module.RawReader}


def rows(name: str, back_end: str) -> dict[str, tuple[str, ...]]:
    """What the page says, by model; ``all`` stands for those that no other row names."""
    found = {}
    for crm, of, models, *told in ROW.findall(PAGE.read_text()):
        if (crm, of) == (name, back_end):
            found |= {model: tuple(told) for model in models.split(", ")}
    return found


@pytest.mark.parametrize("name", sorted(crms()))
def test_the_page_says_what_verification_can_do(name: str) -> None:
    for back_end, kind in readers(name).items():
        reader, told = object.__new__(kind), rows(name, back_end)
        for model in crms()[name].models:
            able: Abilities = reader.abilities(model)
            if able == Abilities():  # the data lake does not hold it
                assert model.name not in told
                continue
            wanted = (able.raw, able.count, able.look_up, able.sample)
            said = told.get(model.name) or told["all"]
            assert said == tuple(text or NOTHING for text in wanted), model.name
