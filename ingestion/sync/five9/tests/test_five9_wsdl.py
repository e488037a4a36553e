"""The WSDL is read from a file, and nothing is fetched for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingestion.sync.common.errors import PermanentError
from ingestion.sync.five9.engines.soap import BUNDLED_WSDL
from ingestion.sync.five9.tests.conftest import Five9

SWAREF = "https://raw.githubusercontent.com/apache/cxf/main/tools/swaref.xsd"
TYPES = "<wsdl:types>"


def with_import(tmp_path: Path, namespace: str, location: str) -> str:
    """The bundled file as the vendor's is: with an import and a type that needs it."""
    schema = (
        f'{TYPES}<xs:schema targetNamespace="urn:extra" xmlns:ref="{namespace}">'
        f'<xs:import namespace="{namespace}" schemaLocation="{location}"/>'
        '<xs:complexType name="prompt"><xs:sequence>'
        '<xs:element name="wavFile" type="ref:swaRef"/></xs:sequence></xs:complexType></xs:schema>'
    )
    path = tmp_path / "vendor.wsdl"
    path.write_text(BUNDLED_WSDL.read_text().replace(TYPES, schema))
    return str(path)


def test_a_vendor_wsdl_that_imports_swaref_is_read_without_the_network(
    five9: Five9, tmp_path: Path
) -> None:
    wsdl = with_import(tmp_path, "http://ws-i.org/profiles/basic/1.1/xsd", SWAREF)

    assert len(five9.ids(FIVE9_WSDL=wsdl)) == 150


def test_any_other_import_from_the_web_is_refused(five9: Five9, tmp_path: Path) -> None:
    wsdl = with_import(tmp_path, "urn:other", "http://example.com/other.xsd")

    with pytest.raises(
        PermanentError, match=r"imports http://example\.com/other\.xsd, and nothing"
    ):
        five9.source(FIVE9_WSDL=wsdl)


def test_the_address_in_the_wsdl_is_not_asked(five9: Five9) -> None:
    assert "https://api.five9.com:443/wsadmin/v13/AdminWebService" in BUNDLED_WSDL.read_text()
    assert len(five9.ids()) == 150


@pytest.mark.parametrize("content", [None, "not xml", "<definitions/>"])
def test_a_file_that_is_no_wsdl_is_an_error_that_names_the_setting(
    five9: Five9, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "wrong.wsdl"
    if content is not None:
        path.write_text(content)

    with pytest.raises(PermanentError, match="FIVE9_WSDL names"):
        five9.source(FIVE9_WSDL=str(path))
