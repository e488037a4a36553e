-- Enter: the rows of submissions; the audit records are a statement of their own.
--
-- rows     JSON, a list: the columns of each row. One without queued_us gets its place here, by the
--          clock of the host, and in the order of the list.
-- Answers  task id, row id, and place in µs since 1970
INSERT INTO ingestion_synchistory (
  crm_source, sync_type, endpoint, status, start_time, created_at, configuration,
  worker_pool_task_id, pool_status, priority, queued_us, delayed_us, held_us, revision,
  parameters_digest, pool_state, performance_metrics, attempt, error_class,
  records_processed, records_created, records_updated, records_deleted, records_failed
)
SELECT
  value ->> 'crm_source', value ->> 'sync_type', value ->> 'endpoint', value ->> 'status',
  value ->> 'start_time', value ->> 'created_at', value -> 'configuration',
  value ->> 'worker_pool_task_id', value ->> 'pool_status', value ->> 'priority',
  coalesce(value ->> 'queued_us', %(now_us)s + key), value ->> 'delayed_us', value ->> 'held_us',
  value ->> 'revision', value ->> 'parameters_digest', value -> 'pool_state', '{}', 0, '', 0, 0, 0, 0, 0
FROM json_each(%(rows)s)
WHERE true
ORDER BY key
RETURNING worker_pool_task_id, id, queued_us
