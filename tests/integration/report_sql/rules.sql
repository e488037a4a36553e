SELECT rule, outcome, COUNT(*) AS acts
FROM ingestion_ruleact
WHERE at >= <START> AND at < <END>
GROUP BY rule, outcome
ORDER BY rule, outcome
