"""HubSpot's sandbox; the facts it follows are listed in the README of its sync folder.

It lacks writing, properties with history and pipelines.
Entry point: ``HubspotSandbox``.
"""

from sandbox.crms.hubspot.api import HubspotSandbox

SANDBOX = HubspotSandbox

__all__ = ["SANDBOX", "HubspotSandbox"]
