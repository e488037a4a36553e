"""SOAP as the sandbox reads and writes it: document/literal, children without a namespace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lxml import etree
from werkzeug import Response

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
SERVICE = "http://service.admin.ws.five9.com/"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
CONTENT_TYPE = "text/xml;charset=UTF-8"
# JAXB takes children in the order of the schema only.
ORDERS: Mapping[str, tuple[str, ...]] = {
    "lookupCriteria": ("contactIdField", "criteria"),
    "criteria": ("field", "value", "reportObjects", "time"),
    "time": ("end", "start"),
}


@dataclass
class SoapFault(Exception):
    """``name`` of a declared fault with its ``details``; "" for one without."""

    name: str
    message: str
    details: Mapping[str, str] = field(default_factory=dict)
    code: str = "soap:Server"


def read_request(body: bytes) -> tuple[str, etree._Element]:
    """The operation's name and element. Raises SoapFault for what the service cannot read."""
    try:
        envelope = etree.fromstring(body, etree.XMLParser(resolve_entities=False))
    except etree.XMLSyntaxError as problem:
        raise _unreadable(f"Error reading XMLStreamReader: {problem.msg}") from None
    operation = envelope.find(f"{{{SOAP}}}Body/{{{SERVICE}}}*")
    if operation is None:
        raise _unreadable(f"No operation of {SERVICE} in the body")
    for element in operation.iter():
        _check_order(element)
    return etree.QName(operation).localname, operation


def _check_order(element: Any) -> None:
    order = ORDERS.get(etree.QName(element).localname)
    if order is None:
        return
    names = [child.tag for child in element]
    unknown = [name for name in names if name not in order]
    if unknown or names != sorted(names, key=order.index):
        wrong = unknown[0] if unknown else names[0]
        raise _unreadable(f'Unmarshalling Error: unexpected element (uri:"", local:"{wrong}")')


def _unreadable(message: str) -> SoapFault:
    return SoapFault("", message, code="soap:Client")


def children(parent: Any, name: str) -> list[Any]:
    return [] if parent is None else parent.findall(name)


def text_of(parent: Any, name: str) -> str:
    return "" if parent is None else parent.findtext(name) or ""


def element(name: str, value: Any = None) -> Any:
    """``value``: text, a bool, a number, child elements, or None for ``xsi:nil``."""
    made = etree.Element(name)
    if value is None:
        made.set(f"{{{XSI}}}nil", "true")
    elif isinstance(value, bool):
        made.text = str(value).lower()
    elif isinstance(value, str | int):
        made.text = str(value)
    else:
        made.extend(value)
    return made


def record(name: str, values: Iterable[str | None]) -> Any:
    data = [element("data", value) for value in values]
    return element(name, [element("values", data)])


def answer(operation: str, parts: Iterable[Any]) -> Response:
    body = etree.Element(f"{{{SERVICE}}}{operation}Response", nsmap={"ns2": SERVICE})
    body.extend(parts)
    return _envelope(body, 200)


def fault(problem: SoapFault) -> Response:
    """HTTP 500, as SOAP 1.1 wants it."""
    made = etree.Element(f"{{{SOAP}}}Fault", nsmap={"soap": SOAP})
    made.append(element("faultcode", problem.code))
    made.append(element("faultstring", problem.message))
    if problem.name:
        detail = etree.SubElement(made, "detail")
        named = etree.SubElement(detail, f"{{{SERVICE}}}{problem.name}", nsmap={"ns2": SERVICE})
        details = {**problem.details, "message": problem.message}
        named.extend(element(name, details[name]) for name in sorted(details))
    return _envelope(made, 500)


def _envelope(body: Any, status: int) -> Response:
    envelope = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"soap": SOAP})
    etree.SubElement(envelope, f"{{{SOAP}}}Body").append(body)
    content = etree.tostring(envelope, xml_declaration=False, encoding="UTF-8")
    return Response(content, status, content_type=CONTENT_TYPE)
