"""SalesPro's stand-in: Leap's REST API and the data lake, over the same records."""

from ingestion.sandbox.salespro.leap import SalesProSandbox

SANDBOX = SalesProSandbox

__all__ = ["SANDBOX", "SalesProSandbox"]
