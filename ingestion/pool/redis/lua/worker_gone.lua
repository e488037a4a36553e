-- Worker gone: a known Celery worker said goodbye. It stays known, with no capacity, so that
-- nothing is dispatched when it was the last one.
--
-- KEYS  workers(zset) worker_capacity(hash) worker_tasks(hash) worker_releases(hash)
-- ARGV  clock_offset_us(µs) name
-- OK
-- @include clock
-- @include answer
if redis.call('ZSCORE', key.workers, arg.name) then
  redis.call('ZADD', key.workers, int(now), arg.name)
  redis.call('HSET', key.worker_capacity, arg.name, 0)
  redis.call('HDEL', key.worker_tasks, arg.name)
  redis.call('HDEL', key.worker_releases, arg.name)
end
return ok()
