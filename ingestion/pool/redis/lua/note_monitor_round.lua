-- Note monitor round: remember that the monitor has just run.
--
-- KEYS  stats(hash)
-- ARGV  clock_offset_us(µs)
-- OK    now(µs)
-- @include clock
-- @include answer
redis.call('HSET', key.stats, 'last_monitor_us', int(now))
return ok(int(now))
