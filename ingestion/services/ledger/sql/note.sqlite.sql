-- Note: how a running attempt ended, unless that is noted already.
--
-- outcome  JSON
-- Answers  the id of the row
UPDATE ingestion_synchistory SET outcome = %(outcome)s
WHERE worker_pool_task_id = %(task_id)s
  AND status = 'running'
  AND attempt = %(attempt)s
  AND (outcome IS NULL OR outcome ->> 'attempt' <> %(attempt)s)
RETURNING id
