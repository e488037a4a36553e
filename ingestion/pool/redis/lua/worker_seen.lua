-- Worker seen: a Celery worker is alive. Others unseen for a day are dropped; since one has just
-- been seen, the pool never forgets that there are workers at all.
--
-- KEYS  workers(zset) worker_capacity(hash) worker_tasks(hash) worker_releases(hash)
-- ARGV  clock_offset_us(µs) name capacity(number of processes) forget_worker_us(µs)
-- ARGV  task_names(each between commas, '' = it does not say) release(text)
-- OK
-- @include clock
-- @include answer
redis.call('ZADD', key.workers, int(now), arg.name)
redis.call('HSET', key.worker_capacity, arg.name, arg.capacity)
redis.call('HSET', key.worker_tasks, arg.name, arg.task_names)
redis.call('HSET', key.worker_releases, arg.name, arg.release)
local until_us = int(now - tonumber(arg.forget_worker_us))
for _, name in ipairs(redis.call('ZRANGEBYSCORE', key.workers, '-inf', until_us)) do
  redis.call('ZREM', key.workers, name)
  redis.call('HDEL', key.worker_capacity, name)
  redis.call('HDEL', key.worker_tasks, name)
  redis.call('HDEL', key.worker_releases, name)
end
return ok()
