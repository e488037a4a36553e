-- Hold: a worker has this attempt. Not where the row has ended, has the attempt in other hands or a
-- later one, or where the epoch is over.
--
-- row      JSON: the columns
-- token    the delivery's
-- epoch    that of the state in which the attempt was confirmed
-- Answers  the id of the row
UPDATE ingestion_synchistory SET
  status = 'running', attempt = told ->> 'attempt', start_time = told ->> 'start_time',
  pool_status = told ->> 'pool_status', priority = told ->> 'priority',
  queued_us = told ->> 'queued_us', delayed_us = told ->> 'delayed_us', ended_us = NULL,
  held_us = NULL, front_score = told ->> 'front_score', revision = told ->> 'revision',
  confirm_token = %(token)s, pool_state = told -> 'pool_state'
FROM (SELECT %(row)s AS told) AS asked
WHERE worker_pool_task_id = %(task_id)s
  AND status IN ('queued', 'running')
  AND (
    attempt < told ->> 'attempt'
    OR attempt = told ->> 'attempt' AND (confirm_token IS NULL OR confirm_token = %(token)s)
  )
  AND EXISTS (SELECT 1 FROM ingestion_poolreferee WHERE epoch = %(epoch)s AND NOT is_degraded)
RETURNING id
