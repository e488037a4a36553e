--ROWS--
SELECT <HOUR> AS at,
    SUM(CASE WHEN status IN ('success', 'partial') THEN 1 ELSE 0 END) AS complete,
    SUM(CASE WHEN status = 'failed' THEN 1 ELSE 0 END) AS failed,
    SUM(CASE WHEN status = 'cancelled' THEN 1 ELSE 0 END) AS cancelled
FROM runs
GROUP BY <HOUR>
ORDER BY at
