"""Which SyncError a SOAP fault is.

A fault's detail holds one element, named after it, with its message and what else it tells
(``CrmFieldNotFoundFault{fieldName, message}``). Source of the names: the Web Services' guide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lxml import etree
from zeep.exceptions import Fault

from ingestion.sync.common.errors import (
    CredentialsError,
    PermanentError,
    SyncError,
    TransientError,
)

CREDENTIALS = "FIVE9_USERNAME, FIVE9_PASSWORD"
LIMIT_EXCEEDED = "OperationsLimitExceededFault"
SESSION_FAULTS = frozenset({"AdminSessionClosedFault", "SessionClosedFault"})
# ``UserAlreadyLoggedIn`` ends with the other session, ``ConcurrentModification`` with the change.
TRANSIENT_FAULTS = SESSION_FAULTS | {
    "ConcurrentModificationFault",
    "ResultIsNotReadyFault",
    "ServerFault",
    "ServiceUnavailableFault",
    "UserAlreadyLoggedInFault",
}
CREDENTIAL_FAULTS = frozenset({"AccessDisallowedFault", "InvalidAccountFault"})
ARGUMENT_FAULTS = frozenset({"IncorrectArgumentFault", "MissedArgumentFault"})
CURES: Mapping[str, str] = {
    "CrmFieldNotFoundFault": "check FIVE9_WALK_FIELDS against the domain's contact fields",
    "ReportNotFoundFault": "check FIVE9_REPORT_FOLDER and FIVE9_REPORT_NAME",
}
WORDS_LIMIT = 200  # characters of Five9's own words in a message


class RefusedByFault(PermanentError):
    """Five9 refused a request with a fault; ``fault`` is its name, "" where it has none."""

    def __init__(self, message: str, *, fault: str) -> None:
        super().__init__(message)
        self.fault = fault


@dataclass(frozen=True)
class FaultDetail:
    """``name`` of the declared fault, "" for one without detail; ``told``: its fields, without
    ``message``. ``is_ours``: the sender is to blame, as the fault code says."""

    name: str
    message: str
    told: Mapping[str, str] = field(default_factory=dict)
    is_ours: bool = False

    @classmethod
    def of(cls, fault: Fault) -> FaultDetail:
        found = list(fault.detail) if isinstance(fault.detail, etree._Element) else []
        code = str(fault.code or "").rpartition(":")[2]
        if not found:
            return cls("", fault.message or "", is_ours=code in ("Client", "Sender"))
        told = {etree.QName(e).localname: e.text or "" for e in found[0]}
        message = told.pop("message", "") or fault.message or ""
        return cls(etree.QName(found[0]).localname, message, told, code in ("Client", "Sender"))

    def words(self, secrets: tuple[str, ...]) -> str:
        """What Five9 says, short and without secrets."""
        told = ", ".join(f"{name} {value}" for name, value in self.told.items() if value)
        text = ": ".join(part for part in (self.name, self.message) if part)
        text = f"{text} ({told})" if told else text
        for secret in secrets:
            text = text.replace(secret, "***")
        return " ".join(text.split())[:WORDS_LIMIT].rstrip(". ") or "a fault without a text"


def error_of(operation: str, fault: FaultDetail, *, secrets: tuple[str, ...]) -> SyncError:
    """The error of any fault but OperationsLimitExceededFault, which depends on the counters."""
    words = f"Five9 {operation} failed with {fault.words(secrets)}"
    if fault.name in CREDENTIAL_FAULTS:
        return CredentialsError(f"{words}; check {CREDENTIALS} and the user's rights.")
    if fault.name in TRANSIENT_FAULTS or not (fault.name or fault.is_ours):
        return TransientError(f"{words}; try again later.")
    cure = CURES.get(fault.name, "the request or the user's rights do not fit the domain")
    return RefusedByFault(f"{words}; {cure}.", fault=fault.name)
