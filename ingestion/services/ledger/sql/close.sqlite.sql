-- Close: end the row; the audit record is a statement of its own. Not where it has ended or a newer
-- attempt runs; and with is_first only where nobody has said yet how this very attempt ended.
--
-- row      JSON: the columns; what is absent stays, and without a pool_status what the store keeps
-- Answers  the id of the row
UPDATE ingestion_synchistory SET
  status = told ->> 'status', error_message = told ->> 'error_message',
  error_class = told ->> 'error_class',
  start_time = coalesce(told ->> 'start_time', start_time), end_time = told ->> 'end_time',
  records_processed = coalesce(told ->> 'records_processed', records_processed),
  records_created = coalesce(told ->> 'records_created', records_created),
  records_updated = coalesce(told ->> 'records_updated', records_updated),
  records_deleted = coalesce(told ->> 'records_deleted', records_deleted),
  records_failed = coalesce(told ->> 'records_failed', records_failed),
  performance_metrics = coalesce(told -> 'performance_metrics', performance_metrics),
  pool_status = coalesce(told ->> 'pool_status', pool_status),
  priority = coalesce(told ->> 'priority', priority),
  queued_us = coalesce(told ->> 'queued_us', queued_us),
  ended_us = coalesce(told ->> 'ended_us', ended_us),
  revision = max(coalesce(told ->> 'revision', revision), revision),
  pool_state = coalesce(told -> 'pool_state', pool_state),
  delayed_us = CASE WHEN told ->> 'pool_status' IS NULL THEN delayed_us END,
  held_us = CASE WHEN told ->> 'pool_status' IS NULL THEN held_us ELSE told ->> 'held_us' END,
  confirm_token = CASE WHEN told ->> 'pool_status' IS NULL THEN confirm_token END,
  front_score = CASE
    WHEN told ->> 'pool_status' IS NULL THEN front_score ELSE told ->> 'front_score'
  END,
  cancel_requested_at = CASE
    WHEN told ->> 'pool_status' IS NULL OR %(is_first)s THEN cancel_requested_at
    ELSE told ->> 'cancel_requested_at'
  END
FROM (SELECT %(row)s AS told) AS asked
WHERE worker_pool_task_id = %(task_id)s
  AND status IN ('queued', 'running')
  AND attempt <= %(attempt)s
  AND (
    NOT %(is_first)s
    OR status = 'running'
    AND attempt = %(attempt)s
    AND (outcome IS NULL OR outcome ->> 'attempt' <> %(attempt)s)
  )
RETURNING id
