SELECT id, at, rule, subject, outcome, sentence
FROM ingestion_ruleact
WHERE at >= <START> AND at < <END>
ORDER BY at DESC, id DESC
