"""The fault ``column`` in Five9: a contact field is gone, one is new, one has another type."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from lxml import etree

VANISHED, RETYPED = "company", "Score"
NEW, NEW_VALUE = "Added By Fault", "new"


def changed(content: bytes) -> bytes:
    """The envelope with changed fields and contacts."""
    envelope = etree.fromstring(content)
    for answer in envelope.iter("{*}getContactFieldsResponse"):
        _change_fields(answer)
    for found in envelope.iterfind(".//{*}getContactRecordsResponse/return"):
        _change_contacts(found)
    changed: bytes = etree.tostring(envelope, encoding="UTF-8")
    return changed


def _change_fields(answer: Any) -> None:
    fields = {found.findtext("name"): found for found in answer.findall("return")}
    new = deepcopy(fields[VANISHED])
    new.find("name").text = NEW
    answer.append(new)
    answer.remove(fields[VANISHED])
    fields[RETYPED].find("type").text = "STRING"


def _change_contacts(found: Any) -> None:
    names = found.findall("fields")
    place = [name.text for name in names].index(VANISHED)
    names[-1].addnext(_element("fields", NEW))
    found.remove(names[place])
    for values in found.iterfind("records/values"):
        values.append(_element("data", NEW_VALUE))
        values.remove(values.findall("data")[place])


def _element(name: str, text: str) -> Any:
    made = etree.Element(name)
    made.text = text
    return made
