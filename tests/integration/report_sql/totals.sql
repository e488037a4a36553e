--ROWS--
SELECT COUNT(*) AS runs,
    COALESCE(SUM(CASE WHEN status = 'success' THEN 1 ELSE 0 END), 0) AS success,
    COALESCE(SUM(CASE WHEN status = 'partial' THEN 1 ELSE 0 END), 0) AS partial,
    COALESCE(SUM(CASE WHEN status = 'failed' THEN 1 ELSE 0 END), 0) AS failed,
    COALESCE(SUM(CASE WHEN status = 'cancelled' THEN 1 ELSE 0 END), 0) AS cancelled,
    SUM(CASE WHEN status IN ('success', 'partial') THEN 1.0 ELSE 0 END)
        / NULLIF(SUM(CASE WHEN status = 'cancelled' THEN 0 ELSE 1 END), 0) AS success_rate,
    COALESCE(SUM(records_processed), 0) AS records,
    COALESCE(SUM(seconds), 0) AS seconds,
    COALESCE(SUM(<SUM_OF_REQUESTS>), 0) AS requests,
    COALESCE(SUM(<SUM_OF_THROTTLED>), 0) AS throttled
FROM runs
