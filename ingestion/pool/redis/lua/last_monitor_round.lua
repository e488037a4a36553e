-- Last monitor round: when it was noted, '' while never.
--
-- KEYS  stats(hash)
-- OK    µs
-- @include answer
return ok(redis.call('HGET', key.stats, 'last_monitor_us') or '')
