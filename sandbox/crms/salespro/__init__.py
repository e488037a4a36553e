"""SalesPro's sandbox: Leap's REST API and the data lake, over the same records.

Entry point: ``SalesProSandbox``.
"""

from sandbox.crms.salespro.leap import SalesProSandbox

SANDBOX = SalesProSandbox

__all__ = ["SANDBOX", "SalesProSandbox"]
