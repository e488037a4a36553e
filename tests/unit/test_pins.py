"""The pins: each names the files that may be installed for it, and docs/licenses.md tells of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# "name[extra]==version", then a marker, or not, and the hashes.
PIN = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[[^]]*\])?==([^ ;\\]+)( ;[^\\]*)?( \\)?$")


def pins(name: str) -> list[re.Match[str]]:
    lines = (ROOT / name).read_text().splitlines()
    found = [PIN.match(line) for line in lines if line and line[0] not in " #"]
    assert found
    assert None not in found
    return [pin for pin in found if pin]


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_pin_has_hashes(name: str) -> None:
    text = (ROOT / name).read_text()
    for pin in pins(name):
        assert pin[4], f"{pin[1]} has none"
        assert re.search(rf"^{re.escape(pin[0])}\n    --hash=sha256:[0-9a-f]{{64}}", text, re.M)


def test_the_list_of_licenses_is_that_of_the_pins() -> None:
    rows = re.findall(r"^\| (\S+) +\| (\S+) +\| (.+?) +\|$", LICENSES, re.M)[1:]
    listed = {_plain(name): (version, license_) for name, version, license_ in rows}
    pinned = {_plain(pin[1]): pin[2] for pin in pins("requirements.txt")}
    always = {_plain(pin[1]) for pin in pins("requirements.txt") if not pin[3]}
    assert always <= listed.keys() <= pinned.keys(), "run: make sbom"
    assert {name: version for name, (version, _) in listed.items()}.items() <= pinned.items()
    assert not [name for name, (_, license_) in listed.items() if license_ == "UNKNOWN"]


LICENSES = (ROOT / "docs" / "licenses.md").read_text()


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
