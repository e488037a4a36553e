-- Note: how a running attempt ended, unless that is noted already.
--
-- outcome  JSON; when it was noted is the time of this database, one clock for all hosts
-- Answers  the id of the row
UPDATE ingestion_synchistory SET
  outcome = %(outcome)s::jsonb || jsonb_build_object('at', clock_timestamp())
WHERE worker_pool_task_id = %(task_id)s
  AND status = 'running'
  AND attempt = %(attempt)s
  AND (outcome IS NULL OR (outcome ->> 'attempt')::integer <> %(attempt)s)
RETURNING id
