--ROWS--
SELECT id, route, seconds
FROM runs
WHERE EXISTS (
    SELECT 1 FROM runs AS other
    WHERE other.route = runs.route AND other.id <> runs.id AND other.end_time > runs.start_time
        AND (other.start_time < runs.start_time
            OR (other.start_time = runs.start_time
                AND (other.end_time < runs.end_time
                    OR (other.end_time = runs.end_time AND other.id < runs.id))))
)
ORDER BY id
