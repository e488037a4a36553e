-- Start: queued, or running in an older attempt, becomes running in this attempt.
--
-- row      JSON: the columns; without a pool_status those that the store keeps stay as they are
-- epoch    only while that of the store's state is in force; NULL: whatever is
-- Answers  the id of the row
UPDATE ingestion_synchistory SET
  status = 'running', attempt = told ->> 'attempt', start_time = told ->> 'start_time',
  pool_status = coalesce(told ->> 'pool_status', pool_status),
  priority = coalesce(told ->> 'priority', priority),
  queued_us = coalesce(told ->> 'queued_us', queued_us),
  revision = coalesce(told ->> 'revision', revision),
  pool_state = coalesce(told -> 'pool_state', pool_state),
  delayed_us = CASE WHEN told ->> 'pool_status' IS NULL THEN delayed_us END,
  ended_us = CASE WHEN told ->> 'pool_status' IS NULL THEN ended_us END,
  held_us = CASE WHEN told ->> 'pool_status' IS NULL THEN held_us END,
  confirm_token = CASE WHEN told ->> 'pool_status' IS NULL THEN confirm_token END,
  front_score = CASE
    WHEN told ->> 'pool_status' IS NULL THEN front_score ELSE told ->> 'front_score'
  END,
  cancel_requested_at = CASE
    WHEN told ->> 'pool_status' IS NULL THEN cancel_requested_at
    ELSE told ->> 'cancel_requested_at'
  END
FROM (SELECT %(row)s AS told) AS asked
WHERE worker_pool_task_id = %(task_id)s
  AND status IN ('queued', 'running')
  AND attempt < told ->> 'attempt'
  AND (
    %(epoch)s IS NULL
    OR EXISTS (SELECT 1 FROM ingestion_poolreferee WHERE epoch = %(epoch)s AND NOT is_degraded)
  )
RETURNING id
