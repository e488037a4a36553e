WITH runs AS (
    SELECT id, crm_source, sync_type, crm_source || '.' || sync_type AS route, status,
        start_time, end_time, <SECONDS> AS seconds, records_processed, error_message,
        error_class, configuration, performance_metrics
    FROM ingestion_synchistory
    WHERE end_time >= <START> AND end_time < <END> AND status NOT IN ('queued', 'running')
)
