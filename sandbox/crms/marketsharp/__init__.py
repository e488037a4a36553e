"""MarketSharp's sandbox: signed requests, OData v2 as JSON in both shapes and as Atom.

Entry point: ``service``.
"""

from sandbox.crms.marketsharp.service import MarketSharpSandbox

SANDBOX = MarketSharpSandbox
