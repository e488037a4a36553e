--ROWS--
SELECT route, COUNT(*) AS failed
FROM runs
WHERE status = 'failed'
GROUP BY route
ORDER BY failed DESC, route
LIMIT 10
