"""HubSpot's own SDK: objects with associations, owners, a search, properties."""

import json
import sys

from hubspot import HubSpot
from hubspot.crm.contacts import PublicObjectSearchRequest

NAMES = ["firstname", "lastname", "email", "hs_object_id"]

settings = json.load(sys.stdin)
client = HubSpot(access_token=settings["HUBSPOT_ACCESS_TOKEN"], host=settings["HUBSPOT_BASE_URL"])


def shown(contact):
    return {name: contact.properties.get(name) for name in NAMES}


contacts = client.crm.contacts.get_all(properties=NAMES, associations=["companies"])
owners, after = [], None
while True:
    page = client.crm.owners.owners_api.get_page(limit=5, after=after)
    owners += page.results
    after = page.paging.next.after if page.paging else None
    if not after:
        break
by_association = {
    c.id: sorted(one.id for one in c.associations["companies"].results)
    for c in contacts
    if c.associations
}
newer = {}
for contact in contacts:
    linked = client.crm.associations.v4.basic_api.get_page("contacts", contact.id, "companies")
    if linked.results:
        newer[contact.id] = sorted(str(one.to_object_id) for one in linked.results)
searched, after = {}, "0"
while after:
    request = PublicObjectSearchRequest(
        filter_groups=[
            {"filters": [{"propertyName": "hs_object_id", "operator": "GT", "value": "0"}]}
        ],
        sorts=["hs_object_id"],
        properties=NAMES,
        limit=10,
        after=after,
    )
    page = client.crm.contacts.search_api.do_search(public_object_search_request=request)
    searched |= {contact.id: shown(contact) for contact in page.results}
    after = page.paging.next.after if page.paging else None
properties = client.crm.properties.core_api.get_all("contacts").results
one = client.crm.contacts.basic_api.get_by_id(contacts[0].id, properties=NAMES)
found = {
    "contacts": {contact.id: shown(contact) for contact in contacts},
    "a contact": {one.id: shown(one)},
    "owners": {owner.id: {"email": owner.email} for owner in owners},
    "associations (v3)": by_association,
    "associations (v4)": newer,
    "search": searched,
    "properties": {one.name: {"type": one.type} for one in properties},
}
json.dump(found, sys.stdout)
