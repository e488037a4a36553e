-- Worker seen: a Celery worker is alive. Others unseen for a day are dropped; since one has just
-- been seen, the pool never forgets that there are workers at all.
--
-- KEYS  workers(zset) worker_capacity(hash)
-- ARGV  clock_offset_us(µs) name capacity(number of processes) forget_worker_us(µs)
-- OK
-- @include clock
-- @include answer
redis.call('ZADD', key.workers, int(now), arg.name)
redis.call('HSET', key.worker_capacity, arg.name, arg.capacity)
local until_us = int(now - tonumber(arg.forget_worker_us))
for _, name in ipairs(redis.call('ZRANGEBYSCORE', key.workers, '-inf', until_us)) do
  redis.call('ZREM', key.workers, name)
  redis.call('HDEL', key.worker_capacity, name)
end
return ok()
