-- Hold: a worker has this attempt. Not where the row has ended, has the attempt in other hands or a
-- later one, or where the epoch is over. A change of the active store waits for whoever has read it so,
-- and is seen by whoever waited for it; nobody waits longer than lock_wait_ms.
--
-- row      JSON: the columns
-- token    the delivery's
-- epoch    that of the state in which the attempt was confirmed
-- Answers  the id of the row
SET LOCAL lock_timeout = %(lock_wait_ms)s;
UPDATE ingestion_synchistory AS kept SET
  status = 'running', attempt = told.attempt, start_time = told.start_time,
  pool_status = told.pool_status, priority = told.priority, queued_us = told.queued_us,
  delayed_us = told.delayed_us, ended_us = NULL, held_us = NULL, front_score = told.front_score,
  revision = told.revision, confirm_token = %(token)s, pool_state = told.pool_state
FROM jsonb_to_record(%(row)s::jsonb) AS told (
  attempt integer, start_time timestamptz, pool_status text, priority integer, queued_us bigint,
  delayed_us bigint, front_score bigint, revision bigint, pool_state jsonb
)
WHERE kept.worker_pool_task_id = %(task_id)s
  AND kept.status IN ('queued', 'running')
  AND (
    kept.attempt < told.attempt
    OR kept.attempt = told.attempt
    AND (kept.confirm_token IS NULL OR kept.confirm_token = %(token)s)
  )
  AND EXISTS (
    SELECT 1 FROM ingestion_poolreferee WHERE epoch = %(epoch)s AND NOT is_degraded FOR SHARE
  )
RETURNING kept.id
