"""The data warehouse's app: syncs of CRMs, the worker pool that runs them, pages and API."""

__version__ = "0.1.0"
