"""Five9's sandbox: a SOAP endpoint over contacts in memory.

Entry points: ``Five9Sandbox``, ``service`` (credentials and limits), ``wire.SoapFault``.
"""

from sandbox.crms.five9.service import Five9Sandbox

SANDBOX = Five9Sandbox
