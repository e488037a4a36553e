-- Set limit: the number of slots for every process at once, with who, when and why.
--
-- KEYS  config(hash)
-- ARGV  clock_offset_us(µs) max_workers(number) by(name) reason
-- OK    config(flat)
-- @include clock
-- @include answer
redis.call('HSET', key.config, 'max_workers', arg.max_workers, 'limit_set_by', arg.by,
  'limit_set_at', int(now), 'limit_reason', arg.reason)
return ok(redis.call('HGETALL', key.config))
