WITH complete AS (
    SELECT crm_source, sync_type, end_time, performance_metrics,
        ROW_NUMBER() OVER (
            PARTITION BY crm_source, sync_type ORDER BY end_time DESC, id DESC
        ) AS place
    FROM ingestion_synchistory
    WHERE status IN ('success', 'partial') AND end_time < <END> AND NOT (<IS_DRY>)
),
loaded AS (
    SELECT crm_source || '.' || sync_type AS dataset, end_time
    FROM complete
    WHERE place = 1 AND sync_type <> 'all'
    UNION ALL
    SELECT crm_source || '.' || <MODEL_NAME>, end_time
    FROM complete, <MODELS>
    WHERE place = 1 AND sync_type = 'all' AND <IS_LOADED>
    UNION ALL
    SELECT DISTINCT crm_source || '.' || sync_type, NULLIF(end_time, end_time)
    FROM ingestion_synchistory
    WHERE end_time < <END> AND status NOT IN ('queued', 'running') AND sync_type <> 'all'
)
SELECT dataset, MAX(end_time) AS loaded_at
FROM loaded
GROUP BY dataset
ORDER BY MAX(end_time) IS NOT NULL, loaded_at, dataset
