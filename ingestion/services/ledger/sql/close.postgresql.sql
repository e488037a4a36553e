-- Close: end the row and add the audit record. Not where it has ended or a newer attempt runs; and
-- with is_first only where nobody has said yet how this very attempt ended.
--
-- row      JSON: the columns; what is absent stays, and without a pool_status what the store keeps
-- records  JSON, a list: the audit record
-- Answers  the id of the audit record
--
-- Of an attempt that its worker closes the time is that of this database, one clock for all hosts.
WITH closed AS (
  UPDATE ingestion_synchistory AS kept SET
    status = told.status, error_message = told.error_message, error_class = told.error_class,
    start_time = coalesce(told.start_time, kept.start_time),
    end_time = CASE WHEN %(is_first)s THEN clock_timestamp() ELSE told.end_time END,
    records_processed = coalesce(told.records_processed, kept.records_processed),
    records_created = coalesce(told.records_created, kept.records_created),
    records_updated = coalesce(told.records_updated, kept.records_updated),
    records_deleted = coalesce(told.records_deleted, kept.records_deleted),
    records_failed = coalesce(told.records_failed, kept.records_failed),
    performance_metrics = coalesce(told.performance_metrics, kept.performance_metrics),
    pool_status = coalesce(told.pool_status, kept.pool_status),
    priority = coalesce(told.priority, kept.priority),
    queued_us = coalesce(told.queued_us, kept.queued_us),
    ended_us = CASE
      WHEN %(is_first)s THEN (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
      ELSE coalesce(told.ended_us, kept.ended_us)
    END,
    revision = greatest(told.revision, kept.revision),
    pool_state = coalesce(told.pool_state, kept.pool_state),
    delayed_us = CASE WHEN told.pool_status IS NULL THEN kept.delayed_us END,
    held_us = CASE WHEN told.pool_status IS NULL THEN kept.held_us ELSE told.held_us END,
    confirm_token = CASE WHEN told.pool_status IS NULL THEN kept.confirm_token END,
    front_score = CASE
      WHEN told.pool_status IS NULL THEN kept.front_score ELSE told.front_score
    END,
    cancel_requested_at = CASE
      WHEN told.pool_status IS NULL OR %(is_first)s THEN kept.cancel_requested_at
      ELSE told.cancel_requested_at
    END
  FROM jsonb_to_record(%(row)s::jsonb) AS told (
    status text, error_message text, error_class text, start_time timestamptz,
    end_time timestamptz, records_processed bigint, records_created bigint, records_updated bigint,
    records_deleted bigint, records_failed bigint, performance_metrics jsonb, pool_status text,
    priority integer, queued_us bigint, ended_us bigint, held_us bigint, front_score bigint,
    revision bigint, cancel_requested_at timestamptz, pool_state jsonb
  )
  WHERE kept.worker_pool_task_id = %(task_id)s
    AND kept.status IN ('queued', 'running')
    AND kept.attempt <= %(attempt)s
    AND (
      NOT %(is_first)s
      OR kept.status = 'running'
      AND kept.attempt = %(attempt)s
      AND (kept.outcome IS NULL OR (kept.outcome ->> 'attempt')::integer <> %(attempt)s)
    )
  RETURNING kept.id
)
INSERT INTO ingestion_auditrecord (at, action, actor, target, reason, before, after)
SELECT clock_timestamp(), action, actor, target, reason, before, after
FROM closed, jsonb_to_recordset(%(records)s::jsonb) AS each_record (
  action text, actor text, target text, reason text, before jsonb, after jsonb
)
RETURNING id
