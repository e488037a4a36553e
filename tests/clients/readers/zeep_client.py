"""zeep, by the description that the service itself serves."""

import json
import sys

import requests
import zeep

settings = json.load(sys.stdin)
session = requests.Session()
session.auth = (settings["FIVE9_USERNAME"], settings["FIVE9_PASSWORD"])
url = f"{settings['FIVE9_BASE_URL']}/wsadmin/v13/AdminWebService?wsdl"
# The schema of attachments, which the description imports, is on another server.
SWAREF = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"
 targetNamespace="http://ws-i.org/profiles/basic/1.1/xsd"><xs:simpleType name="swaRef">
 <xs:restriction base="xs:anyURI"/></xs:simpleType></xs:schema>"""


class Transport(zeep.Transport):
    def load(self, address):
        return SWAREF.encode() if str(address).endswith("swaref.xsd") else super().load(address)


service = zeep.Client(url, transport=Transport(session=session)).service
fields = service.getContactFields()
answer = service.getContactRecords(lookupCriteria={"contactIdField": "contactID", "criteria": []})
records = [
    dict(zip(answer.fields, record["values"].data, strict=True)) for record in answer.records
]
try:
    service.getContactRecords(lookupCriteria={"criteria": [{"field": "nobody", "value": "1"}]})
    refusal = "accepted"
except zeep.exceptions.Fault as fault:
    refusal = fault.message
found = {
    "fields": {field.name: {"type": field.type} for field in fields},
    "contacts": {record["contactID"]: record for record in records},
    "an unknown field": {"": refusal},
}
json.dump(found, sys.stdout)
