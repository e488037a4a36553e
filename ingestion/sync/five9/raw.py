"""Five9's answers, read a second time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from hashlib import blake2b

from lxml import etree

from ingestion.sync.common.setting_values import time_zone
from ingestion.sync.common.source import Heard, Model, SourceContext
from ingestion.sync.five9.engines.admin import Criterion, Five9Admin
from ingestion.sync.raw import reader
from ingestion.sync.raw.parsing import xml_of
from ingestion.sync.raw.reader import Abilities, Count, RawRecord, StoredRow

NUMBERS = ("number1", "number2", "number3")
IDENTITY = (*NUMBERS, "first_name", "last_name")
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


class RawReader(reader.RawReader):
    """Contacts in the envelopes, and sizes of lists: there are at least as many contacts as the
    largest list has."""

    most_look_ups = 5

    def __init__(self, context: SourceContext) -> None:
        super().__init__(context)
        self.zone = time_zone(self.settings, "FIVE9_TIME_ZONE")
        self._context = context

    def abilities(self, model: Model) -> Abilities:
        return Abilities("answers", "sizes of the lists, as a least count", "by number, one by one")

    def received(self, model: Model, answer: Heard) -> Iterator[RawRecord]:
        return _contacts(answer)

    def count(self, model: Model) -> Count | None:
        if self.settings["FIVE9_LISTS"]:
            return None
        heard: list[Heard] = []
        with self._session(heard) as admin:
            admin.list_names()
        sizes = [
            int(size.text or 0)
            for answer in heard
            for found in _named(xml_of(answer.content, answer.content_type), "getListsInfoResponse")
            for returned in _children(found, "return")
            for size in _children(returned, "size")
        ]
        return Count(max(sizes), is_least=True) if sizes else None

    def look_up(self, model: Model, rows: Sequence[StoredRow]) -> list[RawRecord] | None:
        """By the first number that a row has."""
        heard: list[Heard] = []
        named = ((next((n for n in NUMBERS if row.get(n)), None), row) for row in rows)
        with self._session(heard) as admin:
            for name, row in named:
                if name is not None:
                    admin.contacts((Criterion(name, row[name]),))
        return [record for answer in heard for record in _contacts(answer)]

    def _session(self, heard: list[Heard]) -> closing[Five9Admin]:
        """One for each question: a user has one session at a time."""
        return closing(Five9Admin(replace(self._context, hear=heard.append)))


def _named(root: etree._Element | None, name: str) -> Iterator[etree._Element]:
    for element in root.iter() if root is not None else ():
        if _local(element) == name:
            yield element


def _children(element: etree._Element, name: str) -> Iterator[etree._Element]:
    return (child for child in element if _local(child) == name)


def _local(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _contacts(answer: Heard) -> Iterator[RawRecord]:
    root = xml_of(answer.content, answer.content_type)
    for found in _named(root, "getContactRecordsResponse"):
        for returned in _children(found, "return"):
            yield from _rows(returned)


def _rows(returned: etree._Element) -> Iterator[RawRecord]:
    names = [field.text or "" for field in _children(returned, "fields")]
    for record in _children(returned, "records"):
        for values in _children(record, "values"):
            texts = [None if d.get(NIL) == "true" else d.text for d in _children(values, "data")]
            contact = dict(zip(names, texts, strict=False))
            yield RawRecord((_key(contact),), contact)


def _key(contact: Mapping[str, str | None]) -> str:
    if found := contact.get("contactID"):
        return found
    told = "\x1f".join(contact.get(name) or "" for name in IDENTITY)
    return "h" + blake2b(told.encode(), digest_size=16).hexdigest()
