-- Start: queued, or running in an older attempt, becomes running in this attempt.
--
-- row      JSON: the columns; without a pool_status those that the store keeps stay as they are
-- epoch    only while that of the store's state is in force; NULL: whatever is
-- Answers  the id of the row
UPDATE ingestion_synchistory AS kept SET
  status = 'running', attempt = told.attempt, start_time = told.start_time,
  pool_status = coalesce(told.pool_status, kept.pool_status),
  priority = coalesce(told.priority, kept.priority),
  queued_us = coalesce(told.queued_us, kept.queued_us),
  revision = coalesce(told.revision, kept.revision),
  pool_state = coalesce(told.pool_state, kept.pool_state),
  delayed_us = CASE WHEN told.pool_status IS NULL THEN kept.delayed_us END,
  ended_us = CASE WHEN told.pool_status IS NULL THEN kept.ended_us END,
  held_us = CASE WHEN told.pool_status IS NULL THEN kept.held_us END,
  confirm_token = CASE WHEN told.pool_status IS NULL THEN kept.confirm_token END,
  front_score = CASE WHEN told.pool_status IS NULL THEN kept.front_score ELSE told.front_score END,
  cancel_requested_at = CASE
    WHEN told.pool_status IS NULL THEN kept.cancel_requested_at ELSE told.cancel_requested_at
  END
FROM jsonb_to_record(%(row)s::jsonb) AS told (
  attempt integer, start_time timestamptz, pool_status text, priority integer, queued_us bigint,
  front_score bigint, revision bigint, cancel_requested_at timestamptz, pool_state jsonb
)
WHERE kept.worker_pool_task_id = %(task_id)s
  AND kept.status IN ('queued', 'running')
  AND kept.attempt < told.attempt
  AND (
    %(epoch)s::bigint IS NULL
    OR EXISTS (SELECT 1 FROM ingestion_poolreferee WHERE epoch = %(epoch)s AND NOT is_degraded)
  )
RETURNING kept.id
