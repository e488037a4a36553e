--ROWS--
SELECT error_class, COUNT(*) AS failed
FROM runs
WHERE status = 'failed'
GROUP BY error_class
ORDER BY failed DESC, error_class
