"""What every CRM folder and both load paths build on: source contract, values, warehouse.

May use: ingestion.sync, sync.common.files, warehouse_urls.
Entry points: convert, errors, failures, locks, misfits, names, progress, rate_limit,
    registry, run, setting_values, source, values, warehouse, window.
"""
