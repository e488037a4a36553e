--ROWS--
SELECT runs.id, runs.route, SUM(<MODEL_SECONDS>) AS seconds
FROM runs, <MODELS>
WHERE sync_type = 'all' AND status IN ('success', 'partial') AND <IS_LOADED>
    AND EXISTS (
        SELECT 1 FROM runs AS single
        WHERE single.crm_source = runs.crm_source AND single.sync_type = <MODEL_NAME>
            AND single.status IN ('success', 'partial')
    )
GROUP BY runs.id, runs.route
ORDER BY runs.id
