-- Enter: the rows and the audit records of submissions, all at once. Their times are those of this
-- database: the clock of one host may be wrong, or jump.
--
-- rows     JSON, a list: the columns of each row. One without queued_us gets its place here, by the one
--          clock that all hosts share, and in the order of the list.
-- records  JSON, a list: the audit record of each
-- Answers  task id, row id, place in µs since 1970, and id of the audit record
WITH entered AS (
  INSERT INTO ingestion_synchistory (
    crm_source, sync_type, endpoint, status, start_time, created_at, configuration,
    worker_pool_task_id, pool_status, priority, queued_us, delayed_us, held_us, revision,
    parameters_digest, pool_state, performance_metrics, attempt, error_class,
    records_processed, records_created, records_updated, records_deleted, records_failed
  )
  SELECT
    crm_source, sync_type, endpoint, status, clock_timestamp(), clock_timestamp(), configuration,
    worker_pool_task_id, pool_status, priority,
    coalesce(queued_us, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint + number - 1),
    delayed_us, held_us, revision, parameters_digest, pool_state, '{}', 0, '', 0, 0, 0, 0, 0
  FROM ROWS FROM (
    jsonb_to_recordset(%(rows)s::jsonb) AS (
      crm_source text, sync_type text, endpoint text, status text, configuration jsonb,
      worker_pool_task_id text, pool_status text,
      priority integer, queued_us bigint, delayed_us bigint, held_us bigint, revision bigint,
      parameters_digest text, pool_state jsonb
    )
  ) WITH ORDINALITY AS each_row (
    crm_source, sync_type, endpoint, status, configuration,
    worker_pool_task_id, pool_status, priority, queued_us, delayed_us, held_us, revision,
    parameters_digest, pool_state, number
  )
  ORDER BY number
  RETURNING id, worker_pool_task_id, queued_us
), recorded AS (
  INSERT INTO ingestion_auditrecord (at, action, actor, target, reason, before, after)
  SELECT clock_timestamp(), action, actor, target, reason, before, after
  FROM jsonb_to_recordset(%(records)s::jsonb) AS each_record (
    action text, actor text, target text, reason text, before jsonb, after jsonb
  )
  RETURNING id, target
)
SELECT entered.worker_pool_task_id, entered.id, entered.queued_us, recorded.id
FROM entered JOIN recorded ON recorded.target = entered.worker_pool_task_id
