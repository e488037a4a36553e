"""Five9's stand-in: a SOAP endpoint over contacts in memory."""

from ingestion.sandbox.five9.sandbox import Five9Sandbox

SANDBOX = Five9Sandbox
