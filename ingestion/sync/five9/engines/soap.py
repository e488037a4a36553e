"""zeep's transport over the common HTTP layer, and the WSDL that nobody fetches."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests
import zeep
from lxml import etree
from zeep.exceptions import Error as ZeepError

from ingestion.sync.common.errors import PermanentError, SyncError, TransientError
from ingestion.sync.common.rate_limit import Rate
from ingestion.sync.common.source import SourceContext
from ingestion.sync.http.client import HttpApi, HttpClient
from ingestion.sync.http.decoding import charset_of
from ingestion.sync.http.errors import is_html
from ingestion.sync.http.xml_text import allowed_xml

BUNDLED_WSDL = Path(__file__).with_name("admin_web_service.wsdl")
BINDING = "WsAdminServiceSoapBinding"
ENVELOPE = "{http://schemas.xmlsoap.org/soap/envelope/}Envelope"
FAULT_STATUS = 500  # SOAP 1.1: a fault is an answer with this status

# The vendor's WSDL imports this schema from the web, for two fields of prompts.
SWAREF = "swaref.xsd"
SWAREF_SCHEMA = b"""<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"
    targetNamespace="http://ws-i.org/profiles/basic/1.1/xsd">
  <xs:simpleType name="swaRef"><xs:restriction base="xs:anyURI"/></xs:simpleType>
</xs:schema>"""


class SoapHttp(HttpClient):
    """Posts envelopes. ``operation`` is what messages name: the path is the same for all."""

    def __init__(self, api: HttpApi, context: SourceContext) -> None:
        super().__init__(api, context)
        self.operation = "request"
        self.rates: tuple[Rate, ...] = ()

    def post_envelope(self, envelope: bytes, headers: Mapping[str, str]) -> requests.Response:
        """The answer, a fault among them."""
        request = requests.Request("POST", self.api.base_url, data=envelope, headers=dict(headers))
        return self.send(request, accept=(FAULT_STATUS,), rates=self.rates).response

    def forget_session(self) -> None:
        """The next request begins a new session on the server's side."""
        self._session.cookies.clear()

    def _label(self, request: requests.Request) -> str:
        return f"{self.api.title} {self.operation}"


class SoapTransport(zeep.Transport):
    """Sends through SoapHttp, and loads files only: a sync must not depend on a web server that
    serves schemas."""

    def __init__(self, http: SoapHttp, *, timeout_seconds: float) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            timeout=timeout_seconds, operation_timeout=timeout_seconds
        )
        self._http = http

    def load(self, url: Any) -> bytes:
        if not str(url).startswith(("http://", "https://")):
            return bytes(super().load(url))  # type: ignore[no-untyped-call]
        if str(url).endswith(SWAREF):
            return SWAREF_SCHEMA
        raise PermanentError(
            f"Five9: the WSDL imports {url}, and nothing is fetched for it; store that file beside"
            " the one that FIVE9_WSDL names, and import it from there."
        )

    def post(self, address: str, message: bytes, headers: Mapping[str, str]) -> requests.Response:
        return self._http.post_envelope(message, headers)


def open_service(http: SoapHttp, *, wsdl: str, timeout_seconds: float) -> Any:
    """zeep's proxy of the service, pointed at the base URL of ``http``.

    ``wsdl``: a path, "" for the bundled file. Raises PermanentError where it cannot be used.
    """
    transport = SoapTransport(http, timeout_seconds=timeout_seconds)
    try:
        client: Any = zeep.Client(  # type: ignore[no-untyped-call]
            wsdl or str(BUNDLED_WSDL), transport=transport
        )
    except (OSError, ZeepError, etree.XMLSyntaxError) as problem:
        raise PermanentError(
            f"FIVE9_WSDL names {wsdl!r}, which cannot be read as a WSDL file"
            f" ({type(problem).__name__}); correct the path, or leave it empty."
        ) from problem
    for name in client.wsdl.bindings:
        if etree.QName(name).localname == BINDING:
            return client.create_service(name, http.api.base_url)
    raise PermanentError(f"FIVE9_WSDL names {wsdl!r}, which has no binding {BINDING}.")


def envelope_of(label: str, response: requests.Response) -> Any:
    """The parsed envelope. zeep would take any XML, a web page too, for a fault."""
    # zeep parses the answer again.
    content = response._content = allowed_xml(response.content, charset_of(response))
    if is_html(content[:200].decode("utf-8", "replace")):
        raise _web_page(label, response)
    try:
        root = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        if response.status_code == FAULT_STATUS:
            raise _server_error(label) from None
        raise TransientError(
            f"{label} sent XML that breaks off or is damaged; try again later."
        ) from None
    if root.tag != ENVELOPE:
        raise PermanentError(f"{label} did not answer with a SOAP envelope; check FIVE9_BASE_URL.")
    return root


def _web_page(label: str, response: requests.Response) -> SyncError:
    if response.status_code == FAULT_STATUS:
        return _server_error(label)
    return PermanentError(
        f"{label} answered with a web page in place of SOAP;"
        " check FIVE9_BASE_URL and FIVE9_API_VERSION."
    )


def _server_error(label: str) -> TransientError:
    return TransientError(f"{label} failed on the server's side (500); try again later.")
