--ROWS--
SELECT id, route, seconds
FROM runs
WHERE status IN ('success', 'partial') AND records_processed = 0
ORDER BY id
