--ROWS--
SELECT route, COUNT(*) AS runs,
    SUM(CASE WHEN status IN ('success', 'partial') THEN 1 ELSE 0 END) AS complete,
    SUM(CASE WHEN status = 'failed' THEN 1 ELSE 0 END) AS failed,
    SUM(records_processed) AS records,
    AVG(seconds) AS mean_seconds,
    MAX(seconds) AS longest_seconds,
    COALESCE((
        SELECT last.error_message FROM runs AS last
        WHERE last.route = runs.route AND last.status = 'failed'
        ORDER BY last.end_time DESC, last.id DESC LIMIT 1
    ), '') AS last_error
FROM runs
GROUP BY route
ORDER BY route
