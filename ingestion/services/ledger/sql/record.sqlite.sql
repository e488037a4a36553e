-- Record: audit records.
--
-- records  JSON, a list
-- Answers  target and id of each
INSERT INTO ingestion_auditrecord (at, action, actor, target, reason, before, after)
SELECT
  value ->> 'at', value ->> 'action', value ->> 'actor', value ->> 'target', value ->> 'reason',
  nullif(value -> 'before', 'null'), nullif(value -> 'after', 'null')
FROM json_each(%(records)s)
WHERE true
ORDER BY key
RETURNING target, id
