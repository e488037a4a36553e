"""HubSpot's stand-in; the facts it follows are listed in the README of its sync folder.

Not stood in for: writing, properties with history, inline associations, pipelines.
"""

from ingestion.sandbox.hubspot.face import HubspotSandbox

SANDBOX = HubspotSandbox

__all__ = ["SANDBOX", "HubspotSandbox"]
