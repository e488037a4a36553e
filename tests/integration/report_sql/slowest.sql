--ROWS--
SELECT route, AVG(seconds) AS mean_seconds
FROM runs
GROUP BY route
ORDER BY mean_seconds DESC, route
LIMIT 10
