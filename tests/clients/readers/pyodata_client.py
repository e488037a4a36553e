"""pyodata: the service's description, whole sets, filters."""

import base64
import hashlib
import hmac
import json
import sys
import time

import pyodata
import requests
from pyodata.exceptions import HttpError
from pyodata.v2.model import Config

settings = json.load(sys.stdin)


class Signed(requests.auth.AuthBase):
    def __call__(self, request):
        company, user = settings["MARKETSHARP_COMPANY_ID"], settings["MARKETSHARP_USER_KEY"]
        now = int(time.time())
        secret = base64.b64decode(settings["MARKETSHARP_SECRET_KEY"])
        made = hmac.new(secret, f"{company}{user}{now}".encode(), hashlib.sha256).digest()
        signature = base64.b64encode(made).decode()
        request.headers["Authorization"] = f"{company}:{user}:{now}:{signature}"
        return request


session = requests.Session()
session.auth = Signed()
# Else a null would be the zero of its type.
config = Config(retain_null=True)
client = pyodata.Client(settings["MARKETSHARP_BASE_URL"], session, config=config)
NAMES = {
    "Contacts": ("firstName", "lastName", "email1", "isTagged", "yearHomeBuilt"),
    "Jobs": ("contactId", "number", "zip", "isActive"),
}


def shown(name, entities):
    return {e.id: {n: getattr(e, n) for n in NAMES[name]} for e in entities}


def filtered(text):
    try:
        return shown("Contacts", client.entity_sets.Contacts.get_entities().filter(text).execute())
    except HttpError as problem:
        return {"": problem.response.status_code}


found = {
    name: shown(name, getattr(client.entity_sets, name).get_entities().execute()) for name in NAMES
}
found["a filter"] = filtered("firstName eq 'Dana' and isTagged eq false")
found["a filter with a bracket"] = filtered(
    "(lastName eq 'O''Neil' or yearHomeBuilt gt 2000) and isActive eq true"
)
found["an unknown property"] = filtered("nobody eq 'Dana'")
found["an unknown function"] = filtered("substringof('an', firstName)")
json.dump(found, sys.stdout)
